"""Hears what transactions of other processes say to PostgreSQL's NOTIFY, again after each lost connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import structlog

# The one channel of NOTIFY; the payload is the topic.
CHANNEL: Final = "pushdesk"

# Seconds between two tries to listen again; whoever waits for news looks without them meanwhile.
LISTEN_AGAIN: Final = 1.0

# Seconds between two questions whether the other end is there: a connection may be lost without a word.
ASK_EVERY: Final = 30.0

# Seconds that an answer to that may take.
ANSWER_WITHIN: Final = 5.0

# Everything that a lost or refused connection shows itself by.
LOST: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = structlog.get_logger("support_api.database")


class Listener:
    """The task that listens. `heard` is called with each topic; `missed` when something may have been said unheard."""

    def __init__(
        self, connect: Callable[[], Awaitable[Any]], heard: Callable[[str], None], missed: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._heard = heard
        self._missed = missed
        self.is_up = False
        self._said = ""
        self._is_over = False

    def end(self) -> None:
        """Say that the task is about to be cancelled: asyncpg makes an error of its own of some cancellations."""
        self._is_over = True

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except LOST as error:
                self._say(str(error) or type(error).__name__)
            except Exception:
                if self._is_over:
                    return
                _log.exception("listening_has_a_bug")
            await asyncio.sleep(LISTEN_AGAIN)

    async def _listen(self) -> None:
        lost = asyncio.Event()
        connection = await self._connect()
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            await connection.add_listener(CHANNEL, self._on_notification)
            self.is_up = True
            self._said = ""
            self._missed()
            while not lost.is_set():
                await _wait(lost, ASK_EVERY)
                if not lost.is_set():
                    await connection.fetchval("SELECT 1", timeout=ANSWER_WITHIN)
        finally:
            self.is_up = False
            connection.terminate()

    def _say(self, reason: str) -> None:
        """One line for each reason, however long it lasts."""
        if reason != self._said:
            _log.warning("listening_failed", reason=reason)
        self._said = reason

    def _on_notification(self, _connection: Any, _process: int, _channel: str, topic: object) -> None:
        self._heard(str(topic))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
