"""The contract of a bus: frames from one node to the subscribers of all. Every implementation passes
tests/relay/cluster/contract.py.

Delivery: `publish` calls `done` exactly once. After Accepted each node that listens delivers the message exactly once, as
long as what it missed while it was cut off can be read again, from what is kept for all channels or from a channel's own
history; else it is told of the gap (Receiver.missed). After
Unavailable nobody gets it, unless `is_unknown`: then it may have been executed.
Order: all nodes deliver the accepted messages of one partition in the same order; a channel is in one partition. What one
node says to a channel keeps its order, also against what it publishes there.
Failure: nothing raises. While the other nodes cannot be reached, `publish` and `say` are Unavailable at once, and `listen`
waits.
Callbacks: nothing here is awaited, as a reply must not be overtaken by what comes after it. `done` may be
called before the method returns; in a relay of one node it always is.
"""

from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct


class Accepted(Struct, frozen=True, gc=False):
    """The cluster has it. `id` is its place in the order, "EPOCH.MS-SEQ", empty where nothing remembers it; `is_replay`
    when an earlier publish with the same idempotency key was accepted, and this one was not sent."""

    id: str = ""
    is_replay: bool = False


class Unavailable(Struct, frozen=True, gc=False):
    """The cluster did not take it, or `is_unknown`: nobody can say whether it did."""

    reason: str
    is_unknown: bool = False


class History(Struct, frozen=True, forbid_unknown_fields=True):
    """How many events of a channel are remembered, and for how many seconds after the newest."""

    size: int
    ttl: int


class Kept(Struct, frozen=True, gc=False):
    """What becomes of an event besides being sent."""

    once: str | None = None
    """The key of an idempotent publish, at most 128 characters: for 120 s a further one to the channel is not sent."""
    history: History | None = None
    """The event is remembered, and its frame carries its id."""
    cache_ttl: float = 0.0
    """Above 0: it becomes the last event of its channel, for so many seconds."""
    data: bytes = b""
    """The event's data as a JSON string, for the cache."""


SENT_ONLY: Final = Kept()

Outcome = Accepted | Unavailable


class Bus(Protocol):
    """The way from node to node. A frame is a finished WebSocket text frame; a message the JSON in one."""

    def publish(
        self,
        app_id: str,
        channel: str,
        message: bytes,
        exclude: str | None,
        kept: Kept,
        done: Callable[[Outcome], None],
        /,
    ) -> None:
        """Send an event to all subscribers of a channel, wherever they are, but for the socket id `exclude`.

        With a history, `message` gets `,"id":"…"` before its last brace.
        """

    def say(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> Unavailable | None:
        """Send a frame likewise, at most once, and remembered by nobody: client events."""

    def listen(self, app_id: str, channel: str, done: Callable[[], None], /) -> None:
        """Have what is sent to the channel delivered here; `done` when whatever is published from now on arrives. Called
        for the first subscriber here; `ignore` before `done` withdraws it, and `done` is not called."""

    def ignore(self, app_id: str, channel: str, /) -> None:
        """Nothing more of the channel is delivered after this returns."""
