"""The task that listens to PostgreSQL, over a connection that a test makes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from support_api.database import listening
from support_api.database.listening import Listener


class Connection:
    """Hangs while it begins to listen, and answers a cancellation as asyncpg sometimes does."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.is_terminated = False

    def add_termination_listener(self, _ended: Callable[[Any], None]) -> None:
        pass

    async def add_listener(self, _channel: str, _heard: object) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise asyncpg.InternalClientError("another operation is in progress") from None

    def terminate(self) -> None:
        self.is_terminated = True


async def test_a_cancellation_that_the_driver_makes_an_error_of_ends_it_all_the_same() -> None:
    connection = Connection()

    async def connect() -> Connection:
        return connection

    listener = Listener(connect, lambda _topic: None, lambda: None)
    task = asyncio.create_task(listener.run())
    await connection.begun.wait()
    listener.end()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 10.0)
    assert connection.is_terminated


async def test_an_error_that_nobody_expected_is_logged_and_it_listens_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(listening, "LISTEN_AGAIN", 0.0)
    again = asyncio.Event()

    async def connect() -> Connection:
        if lines:
            again.set()
            await asyncio.Event().wait()
        raise ValueError

    with structlog.testing.capture_logs() as lines:
        task = asyncio.create_task(Listener(connect, lambda _topic: None, lambda: None).run())
        await asyncio.wait_for(again.wait(), 10.0)
        task.cancel()
        await asyncio.wait([task])
    assert [line["event"] for line in lines] == ["listening_has_a_bug"]
