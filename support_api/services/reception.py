"""Whether anybody is there to answer visitors, and who is told when that changes. Knows neither HTTP nor SQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from support_api.database.clock import Clock
from support_api.delivery.background import in_background
from support_api.errors import StoreUnavailable
from support_api.listeners import realtime
from support_api.models.operators import Operator, Presence
from support_api.models.outbox import Event
from support_api.rules.assignment import is_online

LOOKS_EVERY = timedelta(seconds=5)
"""An answer to visitors is as old as this at most: many who ask cost one look at the store."""

_log = structlog.get_logger("support_api.reception")


class Operators(Protocol):
    """Where the operators' presence is."""

    async def everybody(self) -> Sequence[tuple[Operator, Presence]]:
        """All operators with their presence."""


class Notices(Protocol):
    """What sends events that nobody waits for."""

    def send(self, event: Event) -> None:
        """Starts to send an event and returns at once."""


class Reception:
    """Looks whether an operator is online, and says so on a public channel when it is no longer as it was.

    `timeout`: an operator whose last heartbeat is older is not online. The first look says how it is, too: visitors may
    have heard something else before a restart.
    """

    def __init__(self, operators: Operators, notices: Notices, timeout: timedelta, clock: Clock) -> None:
        self._operators = operators
        self._notices = notices
        self._timeout = timeout
        self._clock = clock
        self._known: bool | None = None
        self._looked_at: datetime | None = None

    async def is_staffed(self) -> bool:
        """Whether an operator is online, as it was `LOOKS_EVERY` ago at most. Raises `StoreUnavailable`."""
        if self._known is None or self._looked_at is None or self._clock() - self._looked_at >= LOOKS_EVERY:
            return await self.look()
        return self._known

    async def look(self) -> bool:
        """Looks now, and tells of a change. Raises `StoreUnavailable`."""
        everybody = await self._operators.everybody()
        now = self._clock()
        staffed = any(not who.is_disabled and is_online(presence, self._timeout, now) for who, presence in everybody)
        if staffed != self._known:
            self._notices.send(realtime.desk_status(staffed))
        self._known, self._looked_at = staffed, now
        return staffed

    @asynccontextmanager
    async def watching(self, interval: float) -> AsyncIterator[None]:
        """Looks every `interval` seconds: operators who vanish do not say so, and other processes serve some of them."""
        async with in_background(self._watch(interval), "reception"):
            yield

    async def _watch(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                await self.look()
            except StoreUnavailable as error:
                _log.warning("did not see who is there", reason=str(error))
            except Exception:
                _log.exception("the reception has a bug")
