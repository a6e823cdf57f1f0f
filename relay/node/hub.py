"""One app's channels and connections in this process: who is subscribed to what.

Says what changed; what follows from it is the node's business. Must not know JSON or other nodes.
"""

from collections.abc import Callable, Iterable, Iterator, KeysView
from typing import Final

from pushdesk.addresses import AddressCounts
from relay.node.channel import Batch, Channel, Later
from relay.node.connection import Connection
from relay.node.revocations import Revocations
from relay.protocol.channels import ChannelRules, channel_of, rules_for
from relay.watch.stats import AppStats

# Characters before the user id in the name of a user's own channel.
_OWN: Final = len(channel_of(""))


class Hub:
    """The connections, occupied channels and signed-in users of one app on this node."""

    __slots__ = (
        "_named",
        "_personal",
        "_users",
        "_watchers",
        "_watching",
        "addresses",
        "batch",
        "channels",
        "connections",
        "opened",
        "revocations",
        "stats",
    )

    def __init__(self, defer: Callable[[Callable[[], None]], object], later: Later | None = None) -> None:
        self.batch = Batch(defer, later)
        # By name: those that somebody is subscribed to, or is about to be. Written by `open` and `close_if_empty`.
        self.channels: dict[str, Channel] = {}
        self._users: dict[str, set[Connection]] = {}
        # User id → how many subscriptions of each connection were signed for that user.
        self._named: dict[str, dict[Connection, int]] = {}
        # User id → who gets what is sent to the user: all who are signed in, subscribed to the user's channel or not.
        self._personal: dict[str, Channel] = {}
        # User id → the connections that want to know of the user, and the other way round.
        self._watchers: dict[str, set[Connection]] = {}
        self._watching: dict[Connection, tuple[str, ...]] = {}
        self.stats = AppStats()
        # In the order in which they were opened.
        self.connections: dict[str, Connection] = {}
        self.opened = 0
        self.revocations = Revocations()
        # Of the connections that were opened under a limit for each address.
        self.addresses = AddressCounts()

    @property
    def users(self) -> KeysView[str]:
        """Who is signed in."""
        return self._users.keys()

    def __iter__(self) -> Iterator[Channel]:
        return iter(self.channels.values())

    def __len__(self) -> int:
        return len(self.channels)

    def get(self, name: str) -> Channel | None:
        """The channel, if anybody is subscribed to it."""
        return self.channels.get(name)

    def audience(self, name: str) -> Channel | None:
        """Who gets what is sent to the channel; on the channel of a user, who is signed in."""
        return self.channels.get(name) if name[0] != "#" else self._personal.get(name[_OWN:])

    def open(self, rules: ChannelRules) -> tuple[Channel, bool]:
        """The channel to subscribe to, and whether it was empty until now."""
        channel = self.channels.get(rules.name)
        if channel is not None:
            return channel, False
        channel = self.channels[rules.name] = Channel(rules, self.batch, self.stats)
        return channel, True

    def close_if_empty(self, channel: Channel) -> bool:
        """Forget the channel when its last subscriber has left, and none is coming; True if so."""
        if len(channel) or channel.coming:
            return False
        del self.channels[channel.rules.name]
        return True

    def sign_in(self, connection: Connection, user_id: str) -> tuple[Channel, bool]:
        """The connection is the user's from now on: who gets what is sent to the user (see `hear`), and whether it is the
        user's first connection here."""
        connections = self._users.get(user_id)
        if connections is not None:
            connections.add(connection)
            return self._personal[user_id], False
        self._users[user_id] = {connection}
        audience = self._personal[user_id] = Channel(rules_for(channel_of(user_id)), self.batch, self.stats)
        return audience, True

    def hear(self, connection: Connection, user_id: str) -> None:
        """Let the connection have what is sent to its user from now on."""
        audience = self._personal[user_id]
        if connection.session.socket_id not in audience:
            audience.add(connection)

    def sign_out(self, connection: Connection, user_id: str) -> bool:
        """The connection is gone; True when it was the user's last one here."""
        audience = self._personal[user_id]
        if connection.session.socket_id in audience:
            audience.remove(connection)
        is_last = _discard(self._users, user_id, connection)
        if is_last:
            del self._personal[user_id]
        return is_last

    def watch(self, connection: Connection, user_ids: Iterable[str]) -> list[str]:
        """The connection wants to know of these users, and of no others: the ones that nobody here wants to know of any
        more."""
        earlier = self._watching.pop(connection, ())
        wanted = self._watching[connection] = tuple(user_ids)
        if not wanted:
            del self._watching[connection]
        for user_id in wanted:
            self._watchers.setdefault(user_id, set()).add(connection)
        return [
            user_id for user_id in earlier if user_id not in wanted and _discard(self._watchers, user_id, connection)
        ]

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
