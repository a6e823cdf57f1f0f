"""Nodes without clients over a real Redis, for tests: all in this process, each with links of its own."""

import asyncio
from collections.abc import Sequence
from functools import partial

from relay.cluster.redis.cluster import Options, RedisCluster
from relay.cluster.redis.topology import NotFound, Primary, Topology, parse_url
from tests.helpers.fake_node import FakeNode
from tests.relay.cluster.redis.nodes import until, wait

# Seconds between two ticks; a second in a relay.
TICK = 0.1


class Guide:
    """Finds the primaries, unless the node is cut off."""

    def __init__(self, url: str) -> None:
        self._topology = Topology(parse_url(url))
        self.access, self.interval = self._topology.access, self._topology.interval
        self.is_cut_off = False

    async def find(self) -> Sequence[Primary]:
        if self.is_cut_off:
            raise NotFound(["cut off by the test"])
        return await self._topology.find()


class RedisNodes:
    """See Nodes. Each node has a link of its own; all are in this process."""

    def __init__(self, url: str, options: Options) -> None:
        self._url = url
        self._options = options
        self.started: list[FakeNode] = []
        self._clusters: list[RedisCluster] = []
        self._ticks: dict[FakeNode, asyncio.Task[None]] = {}
        self._guides: dict[FakeNode, Guide] = {}

    async def start(self, count: int) -> list[FakeNode]:
        """See Nodes."""
        clock = asyncio.get_running_loop().time
        nodes = []
        for _ in range(count):
            guide = Guide(self._url)
            cluster = RedisCluster(guide, self._options, clock, is_sharded=self._options.partitions > 1)
            node = FakeNode(cluster)
            self._guides[node] = guide
            await cluster.start(node)
            self._clusters.append(cluster)
            self.thaw(node, cluster)
            nodes.append(node)
        self.started += nodes
        return nodes

    def freeze(self, node: FakeNode) -> None:
        """Let a node beat no more."""
        self._ticks.pop(node).cancel()

    def thaw(self, node: FakeNode, cluster: RedisCluster | None = None) -> None:
        """Let it beat again."""
        cluster = cluster or self.cluster_of(node)
        self._ticks[node] = asyncio.create_task(self._tick(cluster))

    async def kill(self, node: FakeNode) -> None:
        """End a node without a word."""
        self.freeze(node)
        self._clusters.remove(cluster := self.cluster_of(node))
        await cluster._fleet.stop()

    def cut_off(self, node: FakeNode) -> None:
        """See GapNodes."""
        self._guides[node].is_cut_off = True
        for line in list(self.cluster_of(node)._fleet._lines.values()):
            line.link.abort("cut off by the test")

    async def rejoin(self, node: FakeNode) -> None:
        """See GapNodes."""
        self._guides[node].is_cut_off = False
        await until(self.cluster_of(node)._is_ready, "it is back")

    async def forget_log(self, node: FakeNode) -> None:
        """See GapNodes."""
        for partition in self.cluster_of(node)._partitions.all:
            await wait(partial(partition.command, ("XTRIM", partition.base + b"log", "MAXLEN", "=", 1)))

    @staticmethod
    def cluster_of(node: FakeNode) -> RedisCluster:
        assert isinstance(node.cluster, RedisCluster)
        return node.cluster

    async def _tick(self, cluster: RedisCluster) -> None:
        while True:
            cluster.tick(asyncio.get_running_loop().time())
            await asyncio.sleep(TICK)

    async def settle(self) -> None:
        """See Nodes. When all links have answered once, all commands before are executed, and what they pushed is on its way;
        when all have answered again, it has arrived."""
        for _ in range(2):
            await asyncio.gather(*(self._round_trip(cluster) for cluster in self._clusters))

    async def _round_trip(self, cluster: RedisCluster) -> None:
        futures = []
        for partition in cluster._partitions.all:
            future = asyncio.get_running_loop().create_future()
            partition.command(("ECHO", "settled"), future.set_result)
            futures.append(future)
        await asyncio.gather(*futures)

    async def stop(self) -> None:
        for task in self._ticks.values():
            task.cancel()
        await asyncio.gather(*self._ticks.values(), return_exceptions=True)
        for cluster in self._clusters:
            await cluster.stop()
