"""The people who answer, and who sends a request. No SQL, no HTTP, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class OperatorStatus(StrEnum):
    """What an operator says of himself; only `ONLINE` with a fresh heartbeat gets new tickets."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


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
class Identity:
    """Who sends a request: a visitor, an operator, both in one browser, or nobody."""

    visitor_id: str | None = None
    operator: Operator | None = None
