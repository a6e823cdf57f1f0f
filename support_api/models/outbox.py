"""What the relay shall do, and what waits for that. No SQL, no HTTP."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

# Who waits for events to deliver is woken under this name.
TOPIC: Final = "outbox"


class EventKind(StrEnum):
    """What the relay shall do."""

    # Publish it.
    EVENT = "event"
    # End the subscription of the user in the payload to the channel; where that is empty, to all channels.
    UNSUBSCRIBE = "unsubscribe"
    # Close the connections of the user in the payload.
    TERMINATE = "terminate"


class Event(Struct, frozen=True):
    """One event for the relay, or another thing that it shall do in the same order; `payload` is a JSON object."""

    channel: str
    name: str
    payload: Mapping[str, object]
    exclude_socket: str | None = None
    kind: EventKind = EventKind.EVENT


class StoredEvent(Struct, frozen=True):
    """An event that waits in the outbox under its number; the numbers give the order. `key` is one that no other event has,
    of any database: a new one begins with the same numbers."""

    id: int
    event: Event
    key: str


class RefusedEvent(Struct, frozen=True):
    """An event that was set aside: all but its data, which is private. `size` is that of its data, in bytes."""

    id: int
    channel: str
    name: str
    size: int
    created_at: datetime
    refused_at: datetime
    reason: str
