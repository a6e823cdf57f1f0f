"""What the assignment decides by, and what it decides. No SQL, no clock."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from support_api.models.operators import OperatorStatus


class Candidate(Struct, frozen=True):
    """One operator as the assignment sees them."""

    operator_id: int
    status: OperatorStatus
    last_seen: datetime
    active_tickets: int
    max_tickets: int
    last_assigned_at: datetime | None
    # The groups that they are in.
    groups: frozenset[int] = frozenset()


class Kind(Struct, frozen=True):
    """What decides whom a waiting ticket suits: all tickets of one kind suit the same operators."""

    group_id: int | None = None
    returned_by: int | None = None


class Taker(Struct, frozen=True):
    """One operator as somebody who hands them a ticket sees them; the account is not disabled."""

    operator_id: int
    name: str
    active_tickets: int
    max_tickets: int


class Choice(Struct, frozen=True):
    """Who gets the next ticket, or None, and why."""

    operator_id: int | None
    reason: str


# (operators, now) → choice. Pure.
Chooser = Callable[[Sequence[Candidate], datetime], Choice]
