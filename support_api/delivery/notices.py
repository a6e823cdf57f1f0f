"""Events that are worth nothing a moment later ("is typing"): sent at once, never stored, dropped when the relay is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import structlog

from relay.client import RelayError
from support_api.models.outbox import Event

# Notices under way at most; more are dropped, so that a relay that hangs costs no memory.
AT_ONCE: Final = 100

_log = structlog.get_logger("support_api.notices")


class Publisher(Protocol):
    """What notices need of `relay.client.PushlerClient`."""

    async def trigger(self, channels: str, event: str, data: object, socket_id: str | None = None) -> dict[str, Any]:
        """Publishes one event."""


class Notices:
    """Sends events without anybody waiting for them."""

    def __init__(self, relay: Publisher) -> None:
        self._relay = relay
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end of the block drops what is still under way."""
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, event: Event) -> None:
        """Starts to send an event and returns at once."""
        if len(self._tasks) >= AT_ONCE:
            return
        task = asyncio.create_task(self._send(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, event: Event) -> None:
        try:
            await self._relay.trigger(event.channel, event.name, event.payload, event.exclude_socket)
        except RelayError as error:
            _log.debug("notice_dropped", name=event.name, reason=str(error))
