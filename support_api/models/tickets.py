"""Conversations, as frozen values. No SQL, no HTTP, no clock.

Times are timezone-aware UTC datetimes with whole milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from support_api.models.messages import Message, Sender, SenderType


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One conversation. `last_seq` is the seq of its newest message; `operator_name` is read along with it; `returned_by` is
    who gave it back to the queue, while it waits there."""

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


Admission = Callable[[Ticket], Sender]
"""Says in which role the caller acts in this ticket, inside the transaction that uses the answer. Raises `Forbidden`."""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What a visitor sends to open a conversation. Texts are trimmed and within their limits already.

    `network`: a text that is the same for all visitors of one network, and tells nobody which it is.
    """

    visitor_id: str
    name: str
    email: str | None
    message: str
    client_id: str | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True)
class OpenLimits:
    """How many tickets may be open at the same time; 0: any number."""

    per_visitor: int = 0
    per_network: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A ticket with its first message."""

    ticket: Ticket
    message: Message


@dataclass(frozen=True, slots=True)
class History:
    """A part of a conversation in the order of seq. `has_more`: newer messages follow after the last one here."""

    ticket: Ticket
    messages: Sequence[Message]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A ticket in a list, with the text of its first message."""

    ticket: Ticket
    first_message: str
