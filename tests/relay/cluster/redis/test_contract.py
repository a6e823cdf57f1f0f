"""The cluster over Redis keeps what every cluster promises."""

from collections.abc import AsyncIterator

import pytest

from relay.cluster.keys import PARTITIONS_IN_CLUSTER
from relay.cluster.redis.cluster import Options
from tests.helpers.redis import Cluster, RedisServer
from tests.relay.cluster.contract import ClusterContract, GapContract, SeveralNodesContract
from tests.relay.cluster.redis.clusters import RedisNodes


class TestRedisAlone(ClusterContract, SeveralNodesContract, GapContract):
    """Over one Redis."""

    @pytest.fixture
    async def nodes(self, redis: RedisServer) -> AsyncIterator[RedisNodes]:
        nodes = RedisNodes(redis.unix_url, Options())
        yield nodes
        await nodes.stop()


@pytest.mark.long
class TestRedisInACluster(ClusterContract, SeveralNodesContract, GapContract):
    """Over three primaries."""

    @pytest.fixture
    async def nodes(self, redis_cluster: Cluster) -> AsyncIterator[RedisNodes]:
        nodes = RedisNodes(redis_cluster.url, Options(partitions=PARTITIONS_IN_CLUSTER))
        yield nodes
        await nodes.stop()
