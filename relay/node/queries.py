"""Questions about an app: about the whole cluster, answered by callback, and about what this node alone has.

The answers are values of their own; who asks never holds a channel. `done` gets Unavailable, at once, while the other nodes
cannot be reached; a relay of one node calls it before the method returns.
"""

from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from itertools import islice

from msgspec import Struct

from relay.cluster.bus import Unavailable
from relay.cluster.cluster import Cluster
from relay.cluster.memory import LastEvent
from relay.cluster.roster import ChannelInfo, Wanted
from relay.node.channel import Channel
from relay.node.hub import Hub


class OccupiedHere(Struct, frozen=True):
    """A channel on this node: its subscriptions here, and in a presence channel its members in the cluster."""

    name: str
    subscriptions: int
    users: int | None


class StateHere(Struct, frozen=True):
    """What an app has on this node. Of very many channels not all are looked at: `is_partial` then, and there are more
    subscriptions than counted. `occupied`: those with the most subscriptions."""

    connections: int
    channels: int
    subscriptions: int
    is_partial: bool
    occupied: Sequence[OccupiedHere]


class Queries:
    """Of one app."""

    __slots__ = ("_app_id", "_cluster", "_hub")

    def __init__(self, app_id: str, hub: Hub, cluster: Cluster) -> None:
        self._app_id = app_id
        self._hub = hub
        self._cluster = cluster

    def list_channels(
        self, prefix: str, wanted: Wanted, done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None]
    ) -> None:
        """The occupied channels whose name begins with `prefix`, in pages, each made when it is asked for."""
        self._cluster.roster.list_channels(self._app_id, prefix, wanted, done)

    def show_channel(
        self, channel: str, wanted: Wanted, done: Callable[[ChannelInfo | Unavailable | None], None]
    ) -> None:
        """One channel; None when it is not occupied."""
        self._cluster.roster.show_channel(self._app_id, channel, wanted, done)

    def list_members(self, channel: str, done: Callable[[Sequence[str] | Unavailable], None]) -> None:
        """The ids of a presence channel's members."""
        self._cluster.roster.list_members(self._app_id, channel, done)

    def last_event(self, channel: str, done: Callable[[LastEvent | Unavailable | None], None]) -> None:
        """The last event of a cache channel."""
        self._cluster.memory.last(self._app_id, channel, done)

    def state_here(self, most_shown: int, most_counted: int) -> StateHere:
        """What there is on this node; so many channels are looked at, and so many shown."""
        counted = list(islice(self._hub, most_counted))
        return StateHere(
            len(self._hub.connections),
            len(self._hub),
            sum(map(len, counted)),
            len(self._hub) > len(counted),
            [_shown(channel) for channel in nlargest(most_shown, counted, len)],
        )


def _shown(channel: Channel) -> OccupiedHere:
    users = None if channel.presence is None else len(channel.presence)
    return OccupiedHere(channel.rules.name, len(channel), users)
