"""The cluster over Redis keeps what every cluster promises."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from relay.cluster.keys import PARTITIONS_IN_CLUSTER
from relay.cluster.redis.cluster import Options, RedisCluster
from relay.cluster.redis.topology import Topology, parse_url
from tests.helpers.fake_node import FakeNode
from tests.helpers.redis import Cluster, RedisServer
from tests.relay.cluster.suite import ClusterContract, SeveralNodesContract

# Seconds between two ticks; a second in a relay.
TICK = 0.1


class RedisNodes:
    """See Nodes. Each node has a link of its own; all are in this process."""

    def __init__(self, url: str, options: Options) -> None:
        self._url = url
        self._options = options
        self.started: list[FakeNode] = []
        self._clusters: list[RedisCluster] = []
        self._ticks: set[asyncio.Task[None]] = set()

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
            self._ticks.add(asyncio.create_task(self._tick(cluster)))
            nodes.append(node)
        self.started += nodes
        return nodes

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
        for task in self._ticks:
            task.cancel()
        await asyncio.gather(*self._ticks, return_exceptions=True)
        for cluster in self._clusters:
            await cluster.stop()


class TestRedisAlone(ClusterContract, SeveralNodesContract):
    """Over one Redis."""

    @pytest.fixture
    async def nodes(self, redis: RedisServer) -> AsyncIterator[RedisNodes]:
        nodes = RedisNodes(redis.unix_url, Options())
        yield nodes
        await nodes.stop()


@pytest.mark.long
class TestRedisInACluster(ClusterContract, SeveralNodesContract):
    """Over three primaries."""

    @pytest.fixture
    async def nodes(self, redis_cluster: Cluster) -> AsyncIterator[RedisNodes]:
        nodes = RedisNodes(redis_cluster.url, Options(partitions=PARTITIONS_IN_CLUSTER))
        yield nodes
        await nodes.stop()
