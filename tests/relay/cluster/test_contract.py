"""The cluster of a relay with one node keeps what every cluster promises."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from relay.cluster.local import LocalCluster
from tests.helpers.fake_node import FakeNode
from tests.helpers.node import RecordingWebhooks
from tests.relay.cluster.contract import ClusterContract


class HearingCluster(LocalCluster):
    """The cluster of one node, which notes what the node listens to."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(RecordingWebhooks(), loop.time, loop.call_later)
        self.heard: set[tuple[str, str]] = set()
        self.bus.listen = self._listen  # type: ignore[method-assign] # it is noted, nothing else
        self.bus.ignore = self._ignore  # type: ignore[method-assign] # likewise

    def _listen(self, app_id: str, channel: str, done: Callable[[], None]) -> None:
        self.heard.add((app_id, channel))
        done()

    def _ignore(self, app_id: str, channel: str) -> None:
        self.heard.discard((app_id, channel))


class SubscribedNode(FakeNode):
    """Drops what nobody here is subscribed to, as a node does: the local bus hands it everything."""

    def __init__(self, cluster: HearingCluster) -> None:
        super().__init__(cluster)
        self._heard = cluster.heard

    def deliver(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> None:
        if (app_id, channel) in self._heard:
            super().deliver(app_id, channel, frame, exclude)


class OneNode:
    """See Nodes: the same one, however many are asked for."""

    def __init__(self) -> None:
        self._cluster = HearingCluster()
        self._node = SubscribedNode(self._cluster)

    async def start(self, count: int) -> list[FakeNode]:
        """See Nodes."""
        await self._cluster.start(self._node)
        return [self._node] * count

    async def settle(self) -> None:
        """See Nodes. Everything is answered at once."""

    async def stop(self) -> None:
        await self._cluster.stop()


class TestLocal(ClusterContract):
    """Without Redis."""

    @pytest.fixture
    async def nodes(self) -> AsyncIterator[OneNode]:
        nodes = OneNode()
        yield nodes
        await nodes.stop()
