"""The contract of a memory: what the cluster remembers of channels and back ends. Every implementation passes
tests/relay/cluster/contract.py. What is remembered is written by Bus.publish (Kept).

Order: an answer and the messages that a node is delivered are of one order: what was published before the answer is in
it, what comes after it is delivered after `done`. So a joiner misses nothing, and gets nothing twice, if they are added
to the channel within `done`. Expiry: as Kept says. Failure: Unavailable, at once.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from relay.cluster.bus import History, Unavailable


class LastEvent(Struct, frozen=True, gc=False):
    """The last event of a cache channel: its frame, its data as a JSON string, and for how many seconds it is
    remembered. The frame carries no id, even where the channel has a history: a joiner who can resume has just been given
    that id as its position, and would take the event for one that it knows."""

    frame: bytes
    data: bytes
    ttl: float


class Recovered(Struct, frozen=True):
    """What a client missed. `position` is the id of the channel's newest event; `frames` come after the client's own
    position, all of them if `is_complete`, else none."""

    position: str
    is_complete: bool
    frames: Sequence[bytes] = ()


class Memory(Protocol):
    """Questions about what is remembered."""

    def last(self, app_id: str, channel: str, done: Callable[[LastEvent | Unavailable | None], None], /) -> None:
        """The last event of a cache channel."""

    def since(
        self,
        app_id: str,
        channel: str,
        position: str,
        history: History,
        done: Callable[[Recovered | Unavailable], None],
        /,
    ) -> None:
        """What was published to the channel after `position`; "" for a client that has none yet.

        Complete: nothing is forgotten that came to the channel after `position`. "EPOCH.0-0" is the position of a channel
        without any event.
        """

    def take(self, app_id: str, rate: int, done: Callable[[bool | Unavailable], None], /) -> None:
        """Whether the app's back ends may make one more request of at most `rate` a second, in the whole cluster."""
