"""The node of today, as handlers want it."""

from collections.abc import Callable, Iterator, Sequence

from relay.apps import App
from relay.cluster.bus import Accepted, Outcome, Unavailable
from relay.cluster.memory import LastEvent
from relay.cluster.roster import ChannelInfo, Wanted
from relay.node.channel import Channel
from relay.node.node import Node
from relay.protocol.requests import Publish

PAGE = 1_000


class Namespace:
    """One app of a node."""

    def __init__(self, node: Node, app: App) -> None:
        self._node = node
        self.app = app

    def publish(self, event: Publish, done: Callable[[Outcome], None]) -> None:
        self._node.publish(self.app, event)
        done(Accepted())

    def terminate(self, user_id: str, done: Callable[[Outcome], None]) -> None:
        self._node.terminate(self.app, user_id)
        done(Accepted())

    def unsubscribe(self, user_id: str, channel: str | None, done: Callable[[Outcome], None]) -> None:
        self._node.unsubscribe(self.app, user_id, channel)
        done(Accepted())

    def list_channels(
        self, prefix: str, wanted: Wanted, done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None]
    ) -> None:
        names = [channel.rules.name for channel in self._node.channels(self.app)]
        done(self._pages([name for name in names if name.startswith(prefix)], wanted))

    def _pages(self, names: Sequence[str], wanted: Wanted) -> Iterator[Sequence[ChannelInfo]]:
        for at in range(0, len(names), PAGE):
            if self._node.apps.by_id_or_key(self.app.id) is None:
                break
            yield [_info(name, self._node.channel(self.app, name)) for name in names[at : at + PAGE]]

    def show_channel(self, name: str, wanted: Wanted, done: Callable[[ChannelInfo | Unavailable | None], None]) -> None:
        channel = self._node.channel(self.app, name)
        done(None if channel is None else _info(name, channel))

    def list_members(self, name: str, done: Callable[[Sequence[str] | Unavailable], None]) -> None:
        channel = self._node.channel(self.app, name)
        done([] if channel is None or channel.presence is None else list(channel.presence))

    def last(self, name: str, done: Callable[[LastEvent | Unavailable | None], None]) -> None:
        cached = self._node.cached(self.app, name)
        done(None if cached is None else LastEvent(cached[0].frame, cached[0].data, cached[1]))


def _info(name: str, channel: Channel | None) -> ChannelInfo:
    if channel is None:
        return ChannelInfo(name)
    return ChannelInfo(name, len(channel), 0 if channel.presence is None else len(channel.presence))
