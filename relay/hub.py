"""One app's channels and connections in this process: who is subscribed to what.

Says what changed; what follows from it is the node's business. Must not know JSON or other nodes.
"""

from collections.abc import Callable, Iterator

from relay.connection import Connection
from relay.presence import Presence
from relay.protocol.channels import ChannelRules


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

    def send(self, frame: bytes, exclude: str | None = None) -> None:
        """Hand the same frame to every subscriber but the socket id `exclude`.

        No task, await or copy a recipient (bench/, scenario "fan-out"). Writers must not subscribe or unsubscribe anybody.
        """
        if exclude is None or exclude not in self._writers:
            for write in self._writers.values():
                write(frame)
            return
        for socket_id, write in self._writers.items():
            if socket_id != exclude:
                write(frame)


class Hub:
    """The connections and occupied channels of one app on this node."""

    __slots__ = ("_channels", "connections")

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}
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
