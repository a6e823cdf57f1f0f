"""One app's channels and connections in this process: who is subscribed to what.

Says what changed; what follows from it is the node's business. Must not know JSON or other nodes.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pushdesk.addresses import AddressCounts
from relay.cache import EventCache
from relay.connection import Connection
from relay.metrics import AppStats
from relay.presence import Presence
from relay.protocol.channels import ChannelRules, channel_of, rules_for
from relay.protocol.events import kind_of
from relay.protocol.ratelimit import TokenBucket
from relay.protocol.session import User
from relay.revocations import Revocations

# A channel joins at most so many frames before it sends them.
JOINED_FRAMES: Final = 64

# What most channels hold most of the time; never added to.
_NOTHING: Final[list[bytes]] = []
_NOBODY: Final[dict[str, int]] = {}
_NOBODY_GONE: Final[dict[str, bytes]] = {}
_MEMBERS_AND_COUNTS: Final = "internal"


class Turn:
    """What one turn of the event loop sends: joined, so that a run of events to a channel is one write a subscriber.

    Events go out in the order in which they were sent, whatever their channel: only one channel holds frames back at a
    time. `defer` is the loop's `call_soon` (bench/, scenarios "fan-out", "client-events" and "presence").
    """

    __slots__ = ("_channel", "_defer", "_is_due")

    def __init__(self, defer: Callable[[Callable[[], None]], object]) -> None:
        self._defer = defer
        self._channel: Channel | None = None
        self._is_due = False

    def hold(self, channel: "Channel") -> None:
        """The channel holds frames back from now on; what another one holds goes out first."""
        if self._channel is not channel:
            self.flush()
            self._channel = channel
        if not self._is_due:
            self._is_due = True
            self._defer(self._end)

    def flush(self) -> None:
        """Send what is held back, now."""
        if self._channel is not None:
            self._channel.flush()

    def _end(self) -> None:
        self._is_due = False
        self.flush()
        self._channel = None  # an empty channel is not kept in memory


class Channel:
    """An occupied channel: the write method of each subscriber by socket id, and the members of a presence channel."""

    __slots__ = (
        "_exclude",
        "_frames",
        "_late",
        "_stats",
        "_turn",
        "_writers",
        "client_events",
        "gone",
        "presence",
        "rules",
    )

    def __init__(self, rules: ChannelRules, turn: Turn, stats: AppStats) -> None:
        self.rules = rules
        self.presence = Presence() if rules.is_presence else None
        # Of all senders together, where the app limits them.
        self.client_events: TokenBucket | None = None
        self._turn = turn
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
        self._turn.hold(self)
        self._exclude = exclude
        self._frames = [frame]

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
        so might be what was sent after it, unless that is about members as well. Only for a node that is alone.
        """
        for at in range(len(self._frames) - 1, -1, -1):
            if self._frames[at] == frame:
                if any(start > at for start in self._late.values()):
                    return False
                del self._frames[at]
                return True
            if kind_of(self._frames[at]) != _MEMBERS_AND_COUNTS:
                return False
        return False

    def flush(self) -> None:
        """Write what was sent: the same bytes to everybody, no task, await or copy a recipient (bench/, scenario "fan-out").

        Writers must not subscribe or unsubscribe anybody.
        """
        frames, self._frames = self._frames, _NOTHING
        self.gone = _NOBODY_GONE
        if not frames:
            return
        joined = frames[0] if len(frames) == 1 else b"".join(frames)
        late, exclude = self._late, self._exclude
        if exclude is None and not late:
            for write in self._writers.values():
                write(joined)
            self._count(len(self._writers), frames)
            return
        recipients = 0
        for socket_id, write in self._writers.items():
            if socket_id != exclude and socket_id not in late:
                write(joined)
                recipients += 1
        self._count(recipients, frames)
        if late:
            self._late = _NOBODY
            self._flush_late(late, frames)

    def _flush_late(self, late: dict[str, int], frames: list[bytes]) -> None:
        """Write to those who subscribed in this turn what was sent after that."""
        for socket_id, start in late.items():
            own = frames[start:]
            if own and socket_id != self._exclude:
                self._writers[socket_id](b"".join(own))
                self._count(1, own)

    def _count(self, recipients: int, frames: list[bytes]) -> None:
        messages, sizes = self._stats.messages_sent, self._stats.bytes_sent
        for frame in frames:
            kind = kind_of(frame)
            messages[kind] += recipients
            sizes[kind] += recipients * len(frame)


class Hub:
    """The connections, occupied channels and signed-in users of one app on this node."""

    __slots__ = (
        "_channels",
        "_named",
        "_personal",
        "_users",
        "_watchers",
        "addresses",
        "cache",
        "connections",
        "opened",
        "revocations",
        "stats",
        "turn",
    )

    def __init__(self, max_cached: int, defer: Callable[[Callable[[], None]], object]) -> None:
        self.turn = Turn(defer)
        self._channels: dict[str, Channel] = {}
        self._users: dict[str, set[Connection]] = {}
        # User id → how many subscriptions of each connection were signed for that user.
        self._named: dict[str, dict[Connection, int]] = {}
        # Who gets what is sent to a user: all who are signed in, whether they subscribed to the user's channel or not.
        self._personal: dict[str, Channel] = {}
        self._watchers: dict[str, set[Connection]] = {}
        self.cache = EventCache(max_cached)
        self.stats = AppStats()
        # In the order in which they were opened.
        self.connections: dict[str, Connection] = {}
        self.opened = 0
        self.revocations = Revocations()
        # Of the connections that were opened under a limit for each address.
        self.addresses = AddressCounts()

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels.values())

    def __len__(self) -> int:
        return len(self._channels)

    def get(self, name: str) -> Channel | None:
        """The channel, if anybody is subscribed to it."""
        return self._channels.get(name)

    def audience(self, name: str) -> Channel | None:
        """Who gets what is sent to the channel; on the channel of a user, who is signed in."""
        return self._channels.get(name) if name[0] != "#" else self._personal.get(name)

    def open(self, rules: ChannelRules) -> tuple[Channel, bool]:
        """The channel to subscribe to, and whether it was empty until now."""
        channel = self._channels.get(rules.name)
        if channel is not None:
            return channel, False
        channel = self._channels[rules.name] = Channel(rules, self.turn, self.stats)
        return channel, True

    def close_if_empty(self, channel: Channel) -> bool:
        """Forget the channel when its last subscriber has left; True if so."""
        if len(channel):
            return False
        del self._channels[channel.rules.name]
        return True

    def sign_in(self, connection: Connection, user: User, earlier: User | None) -> bool:
        """The connection is the user's from now on; True when it is the user's first one here.

        `earlier` is as what the connection was signed in before: the same user, perhaps with other people to watch.
        """
        connections = self._users.setdefault(user.user_id, set())
        is_first = not connections
        connections.add(connection)
        if earlier is None:
            self._listen(connection, channel_of(user.user_id))
        else:
            self._stop_watching(connection, earlier)
        for watched in user.watched:
            self._watchers.setdefault(watched, set()).add(connection)
        return is_first

    def sign_out(self, connection: Connection, user: User) -> bool:
        """The connection is gone; True when it was the user's last one here."""
        name = channel_of(user.user_id)
        self._personal[name].remove(connection)
        self._stop_watching(connection, user)
        is_last = _discard(self._users, user.user_id, connection)
        if is_last:
            del self._personal[name]
        return is_last

    def _listen(self, connection: Connection, name: str) -> None:
        """Let the connection have what is sent to its user from now on."""
        audience = self._personal.get(name)
        if audience is None:
            audience = self._personal[name] = Channel(rules_for(name), self.turn, self.stats)
        audience.add(connection)

    def _stop_watching(self, connection: Connection, user: User) -> None:
        for watched in user.watched:
            _discard(self._watchers, watched, connection)

    def connections_of(self, user_id: str) -> Iterable[Connection]:
        """The connections that are signed in as the user."""
        return self._users.get(user_id, ())

    def name(self, connection: Connection, user_id: str) -> None:
        """One subscription more of the connection is in the user's name."""
        named = self._named.get(user_id)
        if named is None:
            named = self._named[user_id] = {}
        named[connection] = named.get(connection, 0) + 1

    def unname(self, connection: Connection, user_id: str) -> None:
        """One subscription of the connection less is in the user's name. Raises KeyError when none was."""
        named = self._named[user_id]
        named[connection] -= 1
        if not named[connection]:
            del named[connection]
            if not named:
                del self._named[user_id]

    def in_the_name_of(self, user_id: str) -> list[Connection]:
        """The connections that are signed in as the user, or have subscriptions that were signed for the user; the oldest
        comes first."""
        connections = {*self.connections_of(user_id), *self._named.get(user_id, ())}
        return sorted(connections, key=lambda connection: connection.number)

    def revoke(self, user_id: str, channel: str | None) -> None:
        """What was signed for the user until now is no good for the channel any more, or for any."""
        oldest = next(iter(self.connections.values())).number if self.connections else self.opened + 1
        self.revocations.add(user_id, channel, self.opened, oldest)

    def watchers_of(self, user_id: str) -> Iterable[Connection]:
        """The connections that want to know when the user comes and goes."""
        return self._watchers.get(user_id, ())


def _discard(sets: dict[str, set[Connection]], key: str, connection: Connection) -> bool:
    """Take the connection out of the set of `key`; True when the set is empty then, and gone."""
    connections = sets.get(key)
    if connections is None:
        return False
    connections.discard(connection)
    if connections:
        return False
    del sets[key]
    return True
