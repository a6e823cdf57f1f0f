"""An occupied channel of one app in this process: who gets what is sent to it, and what one turn of the loop joins.

Must not know who may subscribe, JSON or other nodes.
"""

from collections.abc import Callable, Collection
from typing import Final

from pushdesk.ratelimit import TokenBucket
from relay.node.connection import Connection
from relay.node.presence import Presence
from relay.protocol.channels import ChannelRules
from relay.protocol.events import kind_of
from relay.watch.stats import AppStats

# A channel joins at most so many frames before it sends them.
JOINED_FRAMES: Final = 64

# A channel with so many subscribers here, about 100 µs of writing, rests for so many seconds when it has written; events that
# come meanwhile are joined. Only where nodes share the work: each of them gets a part of what is published at once, and would
# write it by itself (docs/decisions/0033; bench/, scenario "fan-out").
WIDE: Final = 32
REST: Final = 0.002

# Calls something after so many seconds.
Later = Callable[[float, Callable[[], None]], object]

# What most channels hold most of the time; never added to.
_NOTHING: Final[list[bytes]] = []
_NOBODY: Final[dict[str, int]] = {}
_NOBODY_GONE: Final[dict[str, bytes]] = {}
_MEMBERS_AND_COUNTS: Final = "internal"


class Batch:
    """What one turn of the event loop sends: joined, so that a run of events to a channel is one write a subscriber.

    Events go out in the order in which they were sent, whatever their channel: only one channel holds frames back at a
    time. `defer` is the loop's `call_soon` (bench/, scenarios "fan-out", "client-events" and "presence"), `later` its
    `call_later` where wide channels are to rest.
    """

    __slots__ = ("_channel", "_defer", "_is_due", "_later", "_resting")

    def __init__(self, defer: Callable[[Callable[[], None]], object], later: Later | None = None) -> None:
        self._defer = defer
        self._later = later
        self._channel: Channel | None = None
        self._is_due = False
        self._resting: Channel | None = None

    def hold(self, channel: "Channel") -> None:
        """The channel holds frames back from now on; what another one holds goes out first."""
        if self._channel is not channel:
            self.flush()
            self._channel = channel
        if not self._is_due and channel is not self._resting:
            self._is_due = True
            self._defer(self._end)

    def flush(self) -> None:
        """Send what is held back, now."""
        if self._channel is not None:
            self._channel.flush()

    def flush_resting(self) -> None:
        """Send what may be held back beyond its turn: somebody is about to be sent nothing more."""
        if self._resting is not None:
            self.flush()

    def _end(self) -> None:
        self._is_due = False
        channel, self._channel = self._channel, None  # an empty channel is not kept in memory
        if channel is not None and channel.flush() >= WIDE and self._later is not None and self._resting is None:
            self._resting = channel
            self._later(REST, self._wake)

    def _wake(self) -> None:
        channel, self._resting = self._resting, None
        if channel is self._channel:
            self._end()


class Channel:
    """An occupied channel: the write method of each subscriber by socket id, and the members of a presence channel."""

    __slots__ = (
        "_batch",
        "_exclude",
        "_frames",
        "_late",
        "_stats",
        "_writers",
        "client_events",
        "coming",
        "gone",
        "presence",
        "reported",
        "rules",
        "waiting",
    )

    def __init__(self, rules: ChannelRules, batch: Batch, stats: AppStats) -> None:
        self.rules = rules
        self.presence = Presence() if rules.is_presence else None
        # Who waits until the cluster delivers here what is sent to the channel, and how each goes on; None once it does.
        self.waiting: dict[object, Callable[[], None]] | None = None
        # Connections that may come in and are not subscribed yet; and the number of subscriptions that the cluster was told
        # of: in a presence channel those who are coming count already.
        self.coming = 0
        self.reported = 0
        # Of all senders together, where the app limits them.
        self.client_events: TokenBucket | None = None
        self._batch = batch
        self._stats = stats
        self._writers: dict[str, Callable[[bytes], None]] = {}
        # What this turn sends: frames that all leave out the same socket id, and before which of them a late subscriber came.
        self._frames: list[bytes] = _NOTHING
        self._exclude: str | None = None
        self._late: dict[str, int] = _NOBODY
        # Members who left in this turn, with their user_info: see `take_back`.
        self.gone: dict[str, bytes] = _NOBODY_GONE

    def __len__(self) -> int:
        return len(self._writers)

    def __contains__(self, socket_id: str | None) -> bool:
        return socket_id in self._writers

    def heard(self) -> None:
        """The cluster delivers here from now on: go on with what has waited for it."""
        waiting, self.waiting = self.waiting, None
        if waiting:
            for go_on in list(waiting.values()):
                go_on()

    def wait_no_more(self, who: object) -> None:
        """Keep nothing of somebody who does not go on: a channel may wait for long, and others with it."""
        if self.waiting:
            self.waiting.pop(who, None)

    def add(self, connection: Connection) -> None:
        """Subscribe the connection: it gets what is sent from now on."""
        socket_id = connection.session.socket_id
        self._writers[socket_id] = connection.write
        if self._frames:
            self._late = {**self._late, socket_id: len(self._frames)}

    def remove(self, connection: Connection) -> None:
        """End the subscription of the connection: it gets nothing more. Raises KeyError when it has none."""
        socket_id = connection.session.socket_id
        del self._writers[socket_id]
        if self._late:
            self._late.pop(socket_id, None)

    def send(self, frame: bytes, exclude: str | None = None) -> None:
        """Hand a frame to every subscriber but the socket id `exclude`, at the latest when this turn of the loop ends."""
        if exclude is not None and exclude not in self._writers:
            exclude = None
        if self._frames and (exclude != self._exclude or len(self._frames) == JOINED_FRAMES):
            self.flush()
        if self._frames:
            self._frames.append(frame)
            return
        self._batch.hold(self)
        self._exclude = exclude
        self._frames = [frame]

    def send_to_others(self, frame: bytes, excluded: Collection[str]) -> None:
        """Hand a frame to every subscriber whose socket id is not excluded, now."""
        self._batch.flush()
        recipients = [write for socket_id, write in self._writers.items() if socket_id not in excluded]
        for write in recipients:
            write(frame)
        self._count(len(recipients), [frame])

    @property
    def is_holding(self) -> bool:
        """Whether something was sent in this turn, and not yet written."""
        return bool(self._frames)

    def note_gone(self, user_id: str, user_info: bytes) -> None:
        """That the member left was sent just now."""
        self.gone = {**self.gone, user_id: user_info}

    def take_back(self, frame: bytes) -> bool:
        """Do not send what was sent in this turn, that a member came or went; True when nobody will miss it.

        Somebody does who subscribed after it: the list that they were given is right together with what follows only. And
        so might be what was sent after it, unless that is about members as well.
        """
        # Mostly it is not there, which is quickly seen (bench/, scenario "presence").
        if frame not in self._frames:
            return False
        for at in range(len(self._frames) - 1, -1, -1):
            if self._frames[at] == frame:
                if any(start > at for start in self._late.values()):
                    return False
                del self._frames[at]
                return True
            if kind_of(self._frames[at]) != _MEMBERS_AND_COUNTS:
                return False
        return False

    def flush(self) -> int:
        """Write what was sent: the same bytes to everybody, no task, await or copy a recipient (bench/, scenario "fan-out").
        The number of those who may have got something.

        Writers must not subscribe or unsubscribe anybody.
        """
        frames, self._frames = self._frames, _NOTHING
        self.gone = _NOBODY_GONE
        if not frames:
            return 0
        joined = frames[0] if len(frames) == 1 else b"".join(frames)
        late, exclude = self._late, self._exclude
        if exclude is None and not late:
            for write in self._writers.values():
                write(joined)
            self._count(len(self._writers), frames)
            return len(self._writers)
        recipients = 0
        for socket_id, write in self._writers.items():
            if socket_id != exclude and socket_id not in late:
                write(joined)
                recipients += 1
        if late:
            self._late = _NOBODY
            self._flush_late(late, frames, recipients)
        else:
            self._count(recipients, frames)
        return len(self._writers)

    def _flush_late(self, late: dict[str, int], frames: list[bytes], recipients: int) -> None:
        """Write to those who subscribed in this turn what was sent after that, and count; `recipients` got all of it.

        Each frame is counted once, not once for each who came late (bench/, scenario "presence").
        """
        joining = [0] * len(frames)
        for socket_id, start in late.items():
            if start < len(frames) and socket_id != self._exclude:
                self._writers[socket_id](b"".join(frames[start:]))
                joining[start] += 1
        for frame, more in zip(frames, joining, strict=True):
            recipients += more
            self._count(recipients, [frame])

    def _count(self, recipients: int, frames: list[bytes]) -> None:
        messages, sizes = self._stats.messages_sent, self._stats.bytes_sent
        for frame in frames:
            kind = kind_of(frame)
            messages[kind] += recipients
            sizes[kind] += recipients * len(frame)
