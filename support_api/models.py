"""The things a support desk talks about, as frozen values. No SQL, no HTTP, no clock.

Times are timezone-aware UTC datetimes with whole milliseconds. Ids of tickets, messages and operators are integers from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

DEFAULT_VISITOR_NAME = "Гость"
"""The name of a visitor who gave none."""

MAX_ID = 2**63 - 1
"""The largest id that a BIGINT column holds."""


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    CLOSED = "closed"


class SenderType(StrEnum):
    """Who speaks in a message."""

    VISITOR = "visitor"
    OPERATOR = "operator"
    SYSTEM = "system"


class OperatorStatus(StrEnum):
    """What an operator says of himself; only `ONLINE` with a fresh heartbeat gets new tickets."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class NoticeCode(StrEnum):
    """What a message of the system says."""

    TRANSFERRED = "transferred"
    """Another operator continues: `operator_name`."""
    RETURNED = "returned"
    """The conversation waits for another operator."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a message of the system says, in no language: pages write it in their reader's own."""

    code: NoticeCode
    params: Mapping[str, str]


Wording = Callable[[Notice], str]
"""A notice in the words of the site, for clients that know only texts."""


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


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `seq` counts from 1 without gaps within its ticket."""

    id: int
    ticket_id: int
    seq: int
    sender_type: SenderType
    sender_id: str
    sender_name: str
    content: str
    client_id: str | None
    created_at: datetime
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """One person of the support team, as the rest of the desk may see them (no password hash)."""

    id: int
    name: str
    email: str
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether an operator takes tickets, how many they have and how many they may have."""

    status: OperatorStatus
    active_tickets: int
    max_tickets: int
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """One operator as the assignment sees them."""

    operator_id: int
    status: OperatorStatus
    last_seen: datetime
    active_tickets: int
    max_tickets: int
    last_assigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets the next ticket, or None, and why."""

    operator_id: int | None
    reason: str


Chooser = Callable[[Sequence[Candidate], datetime], Choice]
"""(operators, now) → choice. Pure."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request: a visitor, an operator, both in one browser, or nobody."""

    visitor_id: str | None = None
    operator: Operator | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """In which role somebody acts in one ticket, with the id and the name that the other side may see."""

    type: SenderType
    id: str
    name: str


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
class Draft:
    """What somebody sends into a conversation. `socket_id`: the connection that must not hear its own message."""

    content: str
    client_id: str | None = None
    socket_id: str | None = None


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


class EventKind(StrEnum):
    """What the relay shall do."""

    EVENT = "event"
    """Publish it."""
    UNSUBSCRIBE = "unsubscribe"
    """End the subscription of the user in the payload to the channel; where that is empty, to all channels."""
    TERMINATE = "terminate"
    """Close the connections of the user in the payload."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event for the relay, or another thing that it shall do in the same order; `payload` is a JSON object."""

    channel: str
    name: str
    payload: Mapping[str, object]
    exclude_socket: str | None = None
    kind: EventKind = EventKind.EVENT


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that waits in the outbox under its number; the numbers give the order. `key` is one that no other event has,
    of any database: a new one begins with the same numbers."""

    id: int
    event: Event
    key: str


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that was set aside: all but its data, which is private. `size` is that of its data, in bytes."""

    id: int
    channel: str
    name: str
    size: int
    created_at: datetime
    refused_at: datetime
    reason: str
