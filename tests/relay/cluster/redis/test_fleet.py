"""Which Redis a node takes as a primary, and what it says of those that it does not take."""

import asyncio
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from relay.cluster.redis import cluster as cluster_module
from relay.cluster.redis import fleet
from relay.cluster.redis.link import Link
from relay.cluster.redis.partition import Partition
from tests.helpers.processes import HOST, free_port
from tests.helpers.redis import RedisServer, running_redis
from tests.helpers.redis import until as until_blocking
from tests.relay.cluster.redis.nodes import TestNode, until

Logged = list[MutableMapping[str, Any]]


@pytest.fixture
def _short_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "START_TIMEOUT", 0.3)


@contextmanager
def replica_of(primary: RedisServer, folder: Path) -> Iterator[RedisServer]:
    with running_redis(folder, "--replicaof", HOST, str(primary.port)) as replica:
        yield replica


def links_to(redis: RedisServer) -> int:
    return sum(client["name"] == "pushdesk" for client in redis.client.client_list())


async def test_a_redis_that_is_too_old_ends_the_start_at_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "LEAST_VERSION", (99, 0))
    with pytest.raises(ConnectionError, match=r"version 7.*; 7.0 or newer is needed"):
        await TestNode(redis.unix_url).start()
    assert links_to(redis) == 0


@pytest.mark.usefixtures("_short_start")
async def test_a_replica_is_not_taken_and_keeps_no_links_of_the_attempts(redis: RedisServer, tmp_path: Path) -> None:
    with replica_of(redis, tmp_path) as replica:
        with pytest.raises(ConnectionError, match="it is a replica"):
            await TestNode(replica.unix_url).start()
        await asyncio.to_thread(until_blocking, lambda: links_to(replica) == 0, "all links are closed")


async def test_a_replica_that_becomes_the_primary_is_taken(redis: RedisServer, tmp_path: Path) -> None:
    with replica_of(redis, tmp_path) as replica:
        node = TestNode(replica.unix_url)
        starting = asyncio.create_task(node.start())
        await until(lambda: "replica" in node.cluster.state().problem, "it is seen to be a replica")
        replica.ask("REPLICAOF", "NO", "ONE")
        await starting
        assert node.cluster.state().problem == ""
        await node.cluster.stop()


@pytest.mark.usefixtures("_short_start")
async def test_sentinels_that_cannot_be_reached_are_named() -> None:
    port = free_port()
    with pytest.raises(ConnectionError, match=f"the other nodes cannot be reached: Redis at {HOST}:{port}"):
        await TestNode(f"sentinel://{HOST}:{port}/main").start()


async def test_a_redis_that_may_forget_keys_is_warned_of(own_redis: RedisServer, logged: Logged) -> None:
    own_redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    node = await TestNode(own_redis.unix_url).start()
    await node.cluster.stop()
    (warning,) = [entry for entry in logged if entry["event"] == "redis_may_forget"]
    assert (warning["maxmemory_policy"], warning["wanted"]) == ("allkeys-lru", "noeviction")


async def test_a_bug_ends_no_attempts(redis: RedisServer, monkeypatch: pytest.MonkeyPatch, logged: Logged) -> None:
    node = TestNode(redis.unix_url)
    find, asked = node.cluster._fleet._guide.find, iter([1])

    async def fail_once() -> Any:
        for _ in asked:
            raise RuntimeError("a bug")
        return await find()

    monkeypatch.setattr(node.cluster._fleet._guide, "find", fail_once)
    await node.start()
    await node.cluster.stop()
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["redis_connect_failed"]
    logged.clear()


@pytest.mark.usefixtures("_short_start")
async def test_why_a_link_is_lost_at_once_is_what_a_start_fails_with(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = Partition.attach

    def attach_and_be_refused(partition: Partition, link: Link, *arguments: Any, **options: Any) -> None:
        attach(partition, link, *arguments, **options)
        asyncio.get_running_loop().call_soon(link.abort, "NOPERM this user has no permissions")

    monkeypatch.setattr(Partition, "attach", attach_and_be_refused)
    with pytest.raises(ConnectionError, match="NOPERM"):
        await TestNode(redis.unix_url).start()
