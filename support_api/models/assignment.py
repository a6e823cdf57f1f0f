"""What the assignment decides by, and what it decides. No SQL, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from support_api.models.operators import OperatorStatus


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
