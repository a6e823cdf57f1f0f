"""Conversations, as frozen values. No SQL, no HTTP, no clock.

Times are timezone-aware UTC datetimes with whole milliseconds.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from support_api.models.messages import Message, SenderType


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    CLOSED = "closed"


class Ticket(Struct, frozen=True):
    """One conversation. `last_seq` is the seq of its newest message; `operator_name` is read along with it; `returned_by` is
    who gave it back to the queue, while it waits there; `visitor_read_seq` and `operator_read_seq` say how far a side has
    read; `last_sender` is who wrote last, the system aside; `waiting_since`: since when the visitor has no answer."""

    id: int
    visitor_id: str
    visitor_name: str
    visitor_email: str | None
    operator_id: int | None
    operator_name: str | None
    status: TicketStatus
    created_at: datetime
    closed_at: datetime | None
    closed_by: SenderType | None
    last_seq: int
    returned_by: int | None = None
    # Whose members it is for; None: for everybody.
    group_id: int | None = None
    group_name: str | None = None
    # Since when the visitor is gone; None: here, as far as is known.
    visitor_left_at: datetime | None = None
    snoozed_until: datetime | None = None
    visitor_read_seq: int = 0
    operator_read_seq: int = 0
    last_message_at: datetime | None = None
    last_sender: SenderType | None = None
    waiting_since: datetime | None = None


class Readable(Struct, frozen=True):
    """Which tickets somebody may read: what waits, what is closed, and what this operator serves; None: all."""

    operator_id: int | None


class View(StrEnum):
    """A list of tickets: my active ones, those that wait, those that are closed, all that I may read."""

    MINE = "mine"
    WAITING = "waiting"
    CLOSED = "closed"
    ALL = "all"


class Wanted(Struct, frozen=True):
    """What a list shall hold.

    `since`, `until`: when a ticket was closed, in the list of closed ones, else when it was opened; `until` is the first
    moment that is too late. `operator_id`: who serves or served it.
    """

    view: View
    operator_id: int | None = None
    group_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class NewTicket(Struct, frozen=True):
    """What a visitor sends to open a conversation. Texts are trimmed and within their limits already.

    `network`: a text that is the same for all visitors of one network, and tells nobody which it is.
    """

    visitor_id: str
    name: str
    email: str | None
    message: str
    client_id: str | None = None
    network: str | None = None
    # The group that the page asks for, by its number.
    group_id: int | None = None


class OpenLimits(Struct, frozen=True):
    """How many tickets may be open at the same time; 0: any number."""

    per_visitor: int = 0
    per_network: int = 0


class Opened(Struct, frozen=True):
    """A ticket with its first message."""

    ticket: Ticket
    message: Message


class History(Struct, frozen=True):
    """A part of a conversation in the order of seq. `has_more`: newer messages follow after the last one here, or, of a part
    that was read backwards, older ones before the first."""

    ticket: Ticket
    messages: Sequence[Message]
    has_more: bool


class TicketSummary(Struct, frozen=True):
    """A ticket in a list, with the text of its first message."""

    ticket: Ticket
    first_message: str


class Page(Struct, frozen=True):
    """A part of a list. `has_more`: it goes on after the last one here."""

    tickets: Sequence[TicketSummary]
    has_more: bool


class Chat(Struct, frozen=True):
    """A ticket, and the earlier and later ones of its visitor, the newest first."""

    ticket: Ticket
    others: Page
