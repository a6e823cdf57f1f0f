"""The people who answer, and who sends a request. No SQL, no HTTP, no clock."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class OperatorStatus(StrEnum):
    """What operators say of themselves; only `ONLINE` with a fresh heartbeat gets new tickets."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class Operator(Struct, frozen=True):
    """One person of the support team, as the rest of the desk may see them (no password hash)."""

    id: int
    name: str
    email: str
    is_disabled: bool


class Credentials(Struct, frozen=True):
    """An operator with the hash that their password must match."""

    operator: Operator
    password_hash: str


class Presence(Struct, frozen=True):
    """Whether an operator takes tickets, how many they have and how many they may have."""

    status: OperatorStatus
    active_tickets: int
    max_tickets: int
    last_seen: datetime


class Identity(Struct, frozen=True):
    """Who sends a request: a visitor, an operator, both in one browser, or nobody. `session`: the hash of one that is
    looked up, perhaps again, by what changes something; by itself it gives no rights."""

    visitor_id: str | None = None
    operator: Operator | None = None
    session: str | None = None
