"""Whether anybody is there to answer visitors, and who is told when that changes. Knows neither HTTP nor SQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from support_api.database.clock import Clock
from support_api.listeners import realtime
from support_api.models.operators import Operator, Presence
from support_api.models.outbox import Event
from support_api.rules.assignment import is_online

# An answer to visitors is as old as this at most: many who ask cost one look at the store.
LOOKS_EVERY: Final = timedelta(seconds=5)


class Operators(Protocol):
    """Where the operators' presence is."""

    async def everybody(self) -> Sequence[tuple[Operator, Presence]]:
        """All operators with their presence."""


class Notices(Protocol):
    """What sends events that nobody waits for."""

    def send(self, event: Event) -> None:
        """Start to send an event and return at once."""


class Reception:
    """Looks whether an operator is online, and reports it on a public channel when it is no longer as it was.

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
        """Look now, and report a change. Raises `StoreUnavailable`."""
        everybody = await self._operators.everybody()
        now = self._clock()
        staffed = any(not who.is_disabled and is_online(presence, self._timeout, now) for who, presence in everybody)
        if staffed != self._known:
            self._notices.send(realtime.desk_status(staffed))
        self._known, self._looked_at = staffed, now
        return staffed
