"""Nodes without clients over a real Redis, for tests: all in this process, each with links of its own."""

import asyncio

from relay.cluster.redis.cluster import Options, RedisCluster
from relay.cluster.redis.topology import Topology, parse_url
from tests.helpers.fake_node import FakeNode

# Seconds between two ticks; a second in a relay.
TICK = 0.1


class RedisNodes:
    """See Nodes. Each node has a link of its own; all are in this process."""

    def __init__(self, url: str, options: Options) -> None:
        self._url = url
        self._options = options
        self.started: list[FakeNode] = []
        self._clusters: list[RedisCluster] = []
        self._ticks: dict[FakeNode, asyncio.Task[None]] = {}

    async def start(self, count: int) -> list[FakeNode]:
        """See Nodes."""
        clock = asyncio.get_running_loop().time
        nodes = []
        for _ in range(count):
            topology = Topology(parse_url(self._url))
            cluster = RedisCluster(topology, self._options, clock, is_sharded=self._options.partitions > 1)
            node = FakeNode(cluster)
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
