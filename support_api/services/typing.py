"""Each side of a conversation sees that the other one types. Nothing of it is stored."""

import asyncio
from typing import Final, Protocol

from pushdesk.ratelimit import SlidingWindow
from support_api.listeners import realtime
from support_api.models.operators import Identity
from support_api.models.outbox import Event
from support_api.rules.access import Act
from support_api.services.tickets import Tickets

# One side of a conversation is shown to type at most this often.
TYPING_SECONDS: Final = 1.0


class Notices(Protocol):
    """What sends events that nobody waits for."""

    def send(self, event: Event) -> None:
        """Start to send an event and return at once."""


class Typing:
    """Shows who types. `often`: how often for one side of one conversation; more is swallowed."""

    def __init__(self, tickets: Tickets, notices: Notices, often: SlidingWindow) -> None:
        self._tickets = tickets
        self._notices = notices
        self._often = often

    async def show(self, ticket_id: int, identity: Identity, socket_id: str | None) -> None:
        """Show the other side that the caller types; in which role follows from who they are.

        Raises `UnknownTicket`, `Forbidden`, `TicketClosed` or `StoreUnavailable`.
        """
        ticket, sender = await self._tickets.enter(ticket_id, Act.TYPE, identity)
        if not self._often.count((ticket.id, sender.type), asyncio.get_running_loop().time()):
            self._notices.send(realtime.typing(ticket.id, sender.type, socket_id))
