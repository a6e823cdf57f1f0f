"""What was published to an app's channels lately, for clients that come back (decision 0025).

Pure: the time and the epoch are passed in. Must not know subscribers, or which channels have a history. Bounded in bytes; the
channel that was quiet for longest is forgotten first.

An id is "EPOCH.MS-SEQ": the epoch is of this start of the process, MS unix milliseconds that never go backwards, SEQ tells
events of one millisecond apart. A position is the id of the last event that a client knows.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

from relay.cluster.bus import History
from relay.cluster.memory import Recovered
from relay.protocol.events import with_id
from relay.wire.frames import text_frame

# How long a channel's position is known after its newest event, in seconds: a client that was away for so long and missed
# nothing is not told of a gap.
POSITION_TTL: Final = 86_400.0

# What an event and a channel take besides the frame, in bytes (measured by tests/relay/cluster/test_history.py).
EVENT_BYTES: Final = 260
CHANNEL_BYTES: Final = 1_500

# Channels that one tick looks at, for events whose time is over.
SWEPT: Final = 1_000

_POSITION: Final = re.compile(r"([0-9a-z]{8})\.([0-9]{1,15})-([0-9]{1,15})")

# Milliseconds and sequence of an id.
_Place = tuple[int, int]


class _Ring:
    """One channel: its last events, oldest first. `top` is the newest event of all, `gone` the newest that is forgotten: of
    what came up to it nothing is known."""

    __slots__ = ("entries", "expires", "forget_at", "gone", "top", "weight")

    def __init__(self, floor: _Place) -> None:
        self.gone = self.top = floor
        self.entries: deque[tuple[_Place, bytes]] = deque()
        self.weight = CHANNEL_BYTES
        self.expires = self.forget_at = 0.0

    def add(self, place: _Place, frame: bytes, history: History, now: float) -> None:
        """Remember an event, as one of the last `history.size`."""
        self.entries.append((place, frame))
        self.weight += EVENT_BYTES + len(frame)
        self.top = place
        self.expires, self.forget_at = now + history.ttl, now + POSITION_TTL
        while len(self.entries) > history.size:
            self.trim()

    def trim(self) -> None:
        """Forget the oldest event."""
        self.gone, frame = self.entries.popleft()
        self.weight -= EVENT_BYTES + len(frame)

    def expire(self, now: float) -> None:
        """Forget all events when their time is over. Whoever knows the newest of them still misses nothing."""
        if self.entries and self.expires <= now:
            self.entries = deque()
            self.weight = CHANNEL_BYTES
            self.gone = self.top

    def after(self, place: _Place) -> tuple[bytes, ...]:
        """The frames of the events after one."""
        frames = []
        for at, frame in reversed(self.entries):
            if at <= place:
                break
            frames.append(frame)
        return tuple(reversed(frames))


class Histories:
    """The histories of one app's channels. `epoch`: 8 characters of [0-9a-z], another one at each start. `max_bytes` is what
    all of them together may take."""

    def __init__(self, epoch: str, max_bytes: int) -> None:
        self._epoch = epoch
        self._max_bytes = max_bytes
        # The channel with the newest event comes last.
        self._rings: dict[str, _Ring] = {}
        self._weight = 0
        self._last: _Place = (0, -1)
        # The newest event of all channels that are forgotten: nothing is known of what came before it.
        self._floor: _Place = (0, 0)
        self._unswept: Iterator[str] = iter(())

    def __len__(self) -> int:
        return len(self._rings)

    @property
    def weight(self) -> int:
        """What they take, in bytes."""
        return self._weight

    def bound(self, max_bytes: int) -> bool:
        """Take at most so many bytes from now on; True when a channel had to be forgotten for it."""
        self._max_bytes = max_bytes
        return self._make_room()

    def add(self, channel: str, message: bytes, history: History, unix_ms: int, now: float) -> tuple[str, bytes, bool]:
        """Remember an event at `now` (seconds, monotonic): its id, its frame with the id in it, and whether another channel
        was forgotten for it."""
        place = self._next_place(unix_ms)
        event_id = self._id_of(place)
        frame = text_frame(with_id(message, event_id))
        ring = self._rings.pop(channel, None)
        if ring is None:
            ring = _Ring(self._floor)
        else:
            self._weight -= ring.weight
            ring.expire(now)
        ring.add(place, frame, history, now)
        self._rings[channel] = ring
        self._weight += ring.weight
        return event_id, frame, self._make_room()

    def since(self, channel: str, position: str, now: float) -> Recovered:
        """What was published to the channel after `position`; "" for a client that has none yet."""
        ring = self._rings.get(channel)
        if ring is None:
            ring = _Ring(self._floor)
        else:
            self._expire(ring, now)
        top = self._id_of(ring.top)
        if not position:
            return Recovered(top, is_complete=True)
        place = self._place_of(position)
        if place is None or place < ring.gone:
            return Recovered(top, is_complete=False)
        return Recovered(top, is_complete=True, frames=ring.after(place))

    def tick(self, now: float) -> None:
        """Forget what is over, of some channels; wants to be called once a second."""
        channels = list(islice(self._unswept, SWEPT))
        for channel in channels:
            ring = self._rings.get(channel)
            if ring is not None:
                self._expire(ring, now)
                if not ring.entries and ring.forget_at <= now:
                    self._forget(channel)
        if len(channels) < SWEPT:
            self._unswept = iter(list(self._rings))

    def _next_place(self, unix_ms: int) -> _Place:
        milliseconds, sequence = self._last
        self._last = (unix_ms, 0) if unix_ms > milliseconds else (milliseconds, sequence + 1)
        return self._last

    def _id_of(self, place: _Place) -> str:
        return f"{self._epoch}.{place[0]}-{place[1]}"

    def _place_of(self, position: str) -> _Place | None:
        """The place in this epoch's order; None for a position of another one, or for no position at all."""
        match = _POSITION.fullmatch(position)
        return (int(match[2]), int(match[3])) if match is not None and match[1] == self._epoch else None

    def _expire(self, ring: _Ring, now: float) -> None:
        self._weight -= ring.weight
        ring.expire(now)
        self._weight += ring.weight

    def _make_room(self) -> bool:
        """Forget the channels that were quiet for longest, and of the last one its oldest events; True when any was."""
        if self._weight <= self._max_bytes:
            return False
        while self._weight > self._max_bytes and len(self._rings) > 1:
            self._forget(next(iter(self._rings)))
        ring = next(iter(self._rings.values()))
        while self._weight > self._max_bytes and ring.entries:
            self._weight -= ring.weight
            ring.trim()
            self._weight += ring.weight
        return True

    def _forget(self, channel: str) -> None:
        ring = self._rings.pop(channel)
        self._weight -= ring.weight
        self._floor = max(self._floor, ring.top)
