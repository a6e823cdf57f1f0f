"""After a gap in a partition's log: what its channels' histories still have of what this node missed is delivered, and of the
rest the node is told (docs/decisions/0032).

Must not know links, or what a message means. What is behind the gap waits until this is over; if the link is lost
meanwhile it is never over, and the next heal begins another one, which goes on where this one was.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from relay.cluster.bus import Unavailable
from relay.cluster.redis.partition import Gap, Partition, Topic

# Channels that one call asks for.
CHANNELS: Final = 100

# States of a channel in an answer: see scripts/missed.lua.
_MORE: Final = 1
_FORGOTTEN: Final = 2


class CaughtUp(Struct, frozen=True):
    """What became of it: the events that were found, and the channels of which some are lost for good."""

    events: int
    lost: Sequence[Topic]


class CatchUp:
    """`has_history` says whether a channel is remembered; `done` is called when what is behind the gap may be delivered."""

    __slots__ = ("_done", "_events", "_gap", "_has_history", "_lost", "_partition", "_unread")

    def __init__(
        self,
        partition: Partition,
        gap: Gap,
        has_history: Callable[[Topic], bool],
        done: Callable[[CaughtUp], None],
    ) -> None:
        self._partition = partition
        self._gap = gap
        self._has_history = has_history
        self._done = done
        self._events = 0
        self._lost: list[Topic] = []
        self._unread: list[Topic] = []

    def begin(self) -> None:
        """Ask for the channels that are remembered; all others have lost what is missing."""
        for topic in self._partition.topics():
            if topic.kind == "t" and topic.is_heard:
                is_remembered = self._gap.before is not None and self._has_history(topic)
                (self._unread if is_remembered else self._lost).append(topic)
        # The next one is taken from the end.
        self._unread.reverse()
        self._go_on()

    def _go_on(self) -> None:
        if not self._unread or self._gap.before is None:
            self._done(CaughtUp(self._events, self._lost))
            return
        words: list[bytes] = []
        for topic in islice(reversed(self._unread), CHANNELS):
            words += (f"{topic.app_id}:{topic.name}".encode(), self._partition.delivered_up_to(topic, self._gap))
        self._partition.ask("missed", (self._gap.page, self._gap.before, *words), self._take)

    def _take(self, answer: Any) -> None:
        if self._partition.gap is not self._gap:
            return
        if isinstance(answer, Unavailable):
            self._partition.give_up_gap(answer)
            return
        for state, *found in answer:
            self._take_channel(state, found)
        self._go_on()

    def _take_channel(self, state: int, found: Sequence[bytes]) -> None:
        topic = self._unread[-1]
        for entry_id, message in zip(found[::2], found[1::2], strict=True):
            self._partition.catch_up(topic, entry_id, message)
        self._events += len(found) // 2
        if state == _FORGOTTEN:
            self._lost.append(topic)
        if state != _MORE:
            self._unread.pop()
