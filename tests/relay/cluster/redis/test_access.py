"""Nodes that reach Redis in other ways than the other tests: as a user who may do little, over TLS, beside another relay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from relay.cluster.bus import Accepted
from relay.cluster.redis.cluster import Options
from tests.helpers.processes import HOST
from tests.helpers.redis import Cluster, RedisServer, running_tls_redis
from tests.relay.cluster.redis.nodes import QUICK, TestNode, until

# As in docs/operations.md.
ACL: Final = "on >word ~pd:* &pd:* +@all -@dangerous +info +config|get"


@asynccontextmanager
async def two_nodes(url: str, options: Options = QUICK) -> AsyncIterator[tuple[TestNode, TestNode]]:
    nodes = TestNode(url, options), TestNode(url, options)
    try:
        for node in nodes:
            await node.start()
            await node.listen("a")
        yield nodes
    finally:
        for node in nodes:
            await node.cluster.stop()


async def assert_connected(one: TestNode, other: TestNode) -> None:
    """What one publishes, the other delivers; and its lease is renewed."""
    assert await one.publish("hi") == Accepted()
    await until(other.receiver.frames)
    one.tick()
    await until(lambda: one.cluster.state().nodes == 2)


async def test_a_user_who_may_touch_nothing_but_the_relay_s_own_is_enough(redis: RedisServer) -> None:
    redis.ask("ACL", "SETUSER", "pushdesk", "reset", *ACL.split())
    try:
        async with two_nodes(f"unix://pushdesk:word@{redis.path}") as (one, other):
            await assert_connected(one, other)
    finally:
        redis.ask("ACL", "DELUSER", "pushdesk")


async def test_that_user_is_enough_in_a_cluster(redis_cluster: Cluster) -> None:
    for server in redis_cluster.primaries:
        server.ask("ACL", "SETUSER", "pushdesk", "reset", *ACL.split())
    url = redis_cluster.url.replace("://", "://pushdesk:word@")
    try:
        async with two_nodes(url, Options(partitions=64, times=QUICK.times)) as (one, other):
            await assert_connected(one, other)
    finally:
        for server in redis_cluster.primaries:
            server.ask("ACL", "DELUSER", "pushdesk")


async def test_nodes_meet_over_tls(tmp_path: Path) -> None:
    with running_tls_redis(tmp_path) as (_redis, port, certificate):
        async with two_nodes(f"rediss://{HOST}:{port}/2?ca={certificate}") as (one, other):
            await assert_connected(one, other)


async def test_relays_with_other_prefixes_do_not_hear_one_another_in_one_redis(redis: RedisServer) -> None:
    theirs = Options(prefix="theirs", times=QUICK.times)
    async with two_nodes(redis.unix_url) as ours, two_nodes(redis.unix_url, theirs) as strangers:
        await assert_connected(*ours)
        await assert_connected(*strangers)
        assert [len(node.receiver.frames()) for node in (*ours, *strangers)] == [1, 1, 1, 1]
        prefixes = {key.partition(b":")[0] for key in redis.client.scan_iter()}
        assert prefixes == {b"pd", b"theirs"}
