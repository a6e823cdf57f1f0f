"""What is said in a conversation, and by whom. No SQL, no HTTP, no clock, no words of a person's language."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class SenderType(StrEnum):
    """Who speaks in a message."""

    VISITOR = "visitor"
    OPERATOR = "operator"
    SYSTEM = "system"


class NoticeCode(StrEnum):
    """What a message of the system says."""

    # Another operator continues: `operator_name`.
    TRANSFERRED = "transferred"
    # The conversation waits for another operator.
    RETURNED = "returned"
    # It was closed, and goes on.
    REOPENED = "reopened"
    # Nobody has heard of the visitor for a while.
    STILL_THERE = "still_there"
    # The visitor did not answer, so it was closed.
    CLOSED_IN_SILENCE = "closed_in_silence"


class Notice(Struct, frozen=True):
    """What a message of the system says, in no language: pages write it in their reader's own."""

    code: NoticeCode
    params: Mapping[str, str]


# A notice in the words of the site, for clients that know only texts.
Wording = Callable[[Notice], str]


class Message(Struct, frozen=True):
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


class Sender(Struct, frozen=True):
    """In which role somebody acts in one ticket, with the id and the name that the other side may see."""

    type: SenderType
    id: str
    name: str


class Draft(Struct, frozen=True):
    """What somebody sends into a conversation. `socket_id`: the connection that must not hear its own message."""

    content: str
    client_id: str | None = None
    socket_id: str | None = None
