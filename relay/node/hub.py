"""One app's channels and connections in this process: who is subscribed to what.

Says what changed; what follows from it is the node's business. Must not know JSON or other nodes.
"""

from collections.abc import Callable, Iterable, Iterator

from pushdesk.addresses import AddressCounts
from relay.cluster.cache import EventCache
from relay.node.channel import Batch, Channel
from relay.node.connection import Connection
from relay.node.revocations import Revocations
from relay.protocol.channels import ChannelRules, channel_of, rules_for
from relay.protocol.session import User
from relay.watch.stats import AppStats


class Hub:
    """The connections, occupied channels and signed-in users of one app on this node."""

    __slots__ = (
        "_channels",
        "_named",
        "_personal",
        "_users",
        "_watchers",
        "addresses",
        "batch",
        "cache",
        "connections",
        "opened",
        "revocations",
        "stats",
    )

    def __init__(self, max_cached: int, defer: Callable[[Callable[[], None]], object]) -> None:
        self.batch = Batch(defer)
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
        channel = self._channels[rules.name] = Channel(rules, self.batch, self.stats)
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
            audience = self._personal[name] = Channel(rules_for(name), self.batch, self.stats)
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
