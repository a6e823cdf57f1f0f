"""What happened in a use case, as values: what those are told of who listen. Knows no audience and no channel."""

from msgspec import Struct

from support_api.models.messages import Message, SenderType
from support_api.models.notes import Note
from support_api.models.tickets import Ticket, TicketSummary


class TicketOpened(Struct, frozen=True):
    """A visitor opened a conversation by this message; it may be somebody's already."""

    summary: TicketSummary
    message: Message


class MessageWritten(Struct, frozen=True):
    """Somebody, or the system, said something. `socket_id`: the connection that sent it and need not hear it."""

    message: Message
    socket_id: str | None = None


class TicketAssigned(Struct, frozen=True):
    """A ticket that waited, or was another's, has an operator."""

    summary: TicketSummary


class TicketReturned(Struct, frozen=True):
    """A ticket that was somebody's waits."""

    ticket: Ticket


class TicketHandedOver(Struct, frozen=True):
    """An operator gave a ticket away by hand, to a colleague or to the queue. `before.operator_id` is theirs."""

    before: Ticket
    after: Ticket


class NoteWritten(Struct, frozen=True):
    """An operator noted something for colleagues. `reader`: who serves the ticket now, if anybody does."""

    note: Note
    reader: int | None


class TicketRested(Struct, frozen=True):
    """A conversation rests from now on, until `ticket.snoozed_until`, or no longer."""

    ticket: Ticket


class TicketClosed(Struct, frozen=True):
    """A conversation is over."""

    ticket: Ticket


class MessagesRead(Struct, frozen=True):
    """One side has read a conversation up to `seq`. `socket_id`: the connection that said so and need not hear it."""

    ticket_id: int
    reader: SenderType
    seq: int
    socket_id: str | None = None


class AccessEnded(Struct, frozen=True):
    """An operator does not serve a ticket any longer, and must hear nothing more of it."""

    operator_id: int
    ticket_id: int


class SessionEnded(Struct, frozen=True):
    """An operator is logged out somewhere: whatever they hear must be allowed to them anew."""

    operator_id: int


class AccountDisabled(Struct, frozen=True):
    """An operator is out: they hear nothing more, from this moment on."""

    operator_id: int


# What takes from an operator what they could hear.
AccessLost = AccessEnded | SessionEnded | AccountDisabled

Happening = (
    TicketOpened
    | MessageWritten
    | TicketAssigned
    | TicketReturned
    | TicketHandedOver
    | NoteWritten
    | TicketRested
    | TicketClosed
    | MessagesRead
    | AccessLost
)
