"""One app's channels and connections in this process: who is subscribed to what.

Says what changed; what follows from it is the node's business. Must not know JSON or other nodes.
"""

from collections.abc import Callable, Iterable, Iterator

from relay.cache import EventCache
from relay.connection import Connection
from relay.metrics import AppStats
from relay.presence import Presence
from relay.protocol.channels import ChannelRules
from relay.protocol.session import User


class Channel:
    """An occupied channel: the write method of each subscriber by socket id, and the members of a presence channel."""

    __slots__ = ("_writers", "presence", "rules")

    def __init__(self, rules: ChannelRules) -> None:
        self.rules = rules
        self.presence = Presence() if rules.is_presence else None
        self._writers: dict[str, Callable[[bytes], None]] = {}

    def __len__(self) -> int:
        return len(self._writers)

    def add(self, connection: Connection) -> None:
        """Subscribe the connection."""
        self._writers[connection.session.socket_id] = connection.write

    def remove(self, connection: Connection) -> None:
        """End the subscription of the connection. Raises KeyError when it has none."""
        del self._writers[connection.session.socket_id]

    def send(self, frame: bytes, exclude: str | None = None) -> int:
        """Hand the same frame to every subscriber but the socket id `exclude`; returns to how many.

        No task, await or copy a recipient (bench/, scenario "fan-out"). Writers must not subscribe or unsubscribe anybody.
        """
        if exclude is None or exclude not in self._writers:
            for write in self._writers.values():
                write(frame)
            return len(self._writers)
        for socket_id, write in self._writers.items():
            if socket_id != exclude:
                write(frame)
        return len(self._writers) - 1


class Hub:
    """The connections, occupied channels and signed-in users of one app on this node."""

    __slots__ = ("_channels", "_users", "_watchers", "cache", "connections", "stats")

    def __init__(self, max_cached: int) -> None:
        self._channels: dict[str, Channel] = {}
        self._users: dict[str, set[Connection]] = {}
        self._watchers: dict[str, set[Connection]] = {}
        self.cache = EventCache(max_cached)
        self.stats = AppStats()
        self.connections: dict[str, Connection] = {}

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels.values())

    def get(self, name: str) -> Channel | None:
        """The channel, if anybody is subscribed to it."""
        return self._channels.get(name)

    def open(self, rules: ChannelRules) -> tuple[Channel, bool]:
        """The channel to subscribe to, and whether it was empty until now."""
        channel = self._channels.get(rules.name)
        if channel is not None:
            return channel, False
        channel = self._channels[rules.name] = Channel(rules)
        return channel, True

    def close_if_empty(self, channel: Channel) -> bool:
        """Forget the channel when its last subscriber has left; True if so."""
        if len(channel):
            return False
        del self._channels[channel.rules.name]
        return True

    def sign_in(self, connection: Connection, user: User) -> bool:
        """The connection is the user's from now on; True when it is the user's first one here."""
        connections = self._users.setdefault(user.user_id, set())
        connections.add(connection)
        for watched in user.watched:
            self._watchers.setdefault(watched, set()).add(connection)
        return len(connections) == 1

    def sign_out(self, connection: Connection, user: User) -> bool:
        """The connection is gone; True when it was the user's last one here."""
        for watched in user.watched:
            _discard(self._watchers, watched, connection)
        return _discard(self._users, user.user_id, connection)

    def connections_of(self, user_id: str) -> Iterable[Connection]:
        """The connections that are signed in as the user."""
        return self._users.get(user_id, ())

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
