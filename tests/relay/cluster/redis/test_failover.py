"""Nodes whose primaries change under them: moved slots and fail-overs, with real Clusters and Sentinels.

Throughout, somebody publishes: what was accepted must reach every node, once and in one order, and what was refused nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from relay.cluster.bus import Accepted, Outcome, Unavailable
from relay.cluster.keys import PARTITIONS_IN_CLUSTER, Keys, slot_of
from relay.cluster.redis.cluster import Options
from relay.wire.frames import text_frame
from tests.helpers.processes import HOST
from tests.helpers.proxy import Proxy
from tests.helpers.redis import Cluster, Guarded, RedisServer, running_cluster
from tests.relay.cluster.redis.nodes import QUICK, TestNode, until

# Seconds between two publishes: some hundred while a primary changes.
PACE = 0.002
SHARDED = Options(partitions=PARTITIONS_IN_CLUSTER)
ALONE = Options()
KEYS = Keys(partitions=PARTITIONS_IN_CLUSTER)


@asynccontextmanager
async def nodes(url: str, options: Options, count: int = 2) -> AsyncIterator[list[TestNode]]:
    """Started nodes whose clocks tick."""
    made = [await TestNode(url, options).start() for _ in range(count)]
    ticking = asyncio.create_task(_tick(made))
    try:
        yield made
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])
        for node in made:
            await node.cluster.stop()


async def _tick(made: list[TestNode]) -> None:
    while True:
        for node in made:
            node.tick()
        await asyncio.sleep(0.1)


@dataclass
class Stream:
    """Numbers that one node publishes to a channel, one after the other, and what became of each."""

    node: TestNode
    channel: str
    outcomes: list[Outcome | None] = field(default_factory=list)

    def go_on(self) -> None:
        number = len(self.outcomes)
        self.outcomes.append(None)

        def done(outcome: Outcome) -> None:
            assert self.outcomes[number] is None, "told twice"
            self.outcomes[number] = outcome

        self.node.publish(str(number), self.channel).add_done_callback(lambda future: done(future.result()))

    def numbers(self, is_so: Callable[[Outcome | None], bool]) -> list[int]:
        return [number for number, outcome in enumerate(self.outcomes) if is_so(outcome)]

    @property
    def accepted(self) -> list[int]:
        return self.numbers(lambda outcome: isinstance(outcome, Accepted))

    @property
    def refused(self) -> list[int]:
        """Those that certainly nobody got."""
        return self.numbers(lambda outcome: isinstance(outcome, Unavailable) and not outcome.is_unknown)

    def is_at(self, node: TestNode) -> bool:
        """Whether the node has the last of what was accepted."""
        return self.accepted[-1] in self.got(node)

    def got(self, node: TestNode) -> list[int]:
        return [number_of(frame) for frame in node.receiver.frames(self.channel)]


def number_of(frame: bytes) -> int:
    return int(frame.partition(b'"data":"')[2].partition(b'"')[0])


@asynccontextmanager
async def publishing(*streams: Stream) -> AsyncIterator[None]:
    """Publish to each, until the end."""

    async def publish() -> None:
        while True:
            for stream in streams:
                stream.go_on()
            await asyncio.sleep(PACE)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def settle(stream: Stream, made: list[TestNode]) -> None:
    """Wait until all outcomes are known and everybody has the last of what was accepted."""
    await until(lambda: None not in stream.outcomes, "an outcome of each")
    for node in made:
        await until(partial(stream.is_at, node), "the last that was accepted arrives")


async def goes_on(stream: Stream) -> None:
    """Wait until publishes are accepted (again)."""
    before = len(stream.accepted)
    await until(lambda: len(stream.accepted) > before + 20, "publishes are accepted")


def assert_exact(stream: Stream, made: list[TestNode]) -> None:
    """All nodes have all that was accepted in the same order, nothing that was refused, and nothing twice."""
    for node in made:
        got = stream.got(node)
        assert got == sorted(set(got))
        assert not set(stream.refused) & set(got)
        assert set(stream.accepted) <= set(got)


def assert_exact_or_told(stream: Stream, made: list[TestNode]) -> None:
    """Likewise, but for what a primary took with it that ended: who lacks something was told so. (A primary that is killed
    may have told the publisher, and not everybody else; its replica may not have it.)"""
    for node in made:
        got = stream.got(node)
        assert got == sorted(set(got))
        assert not set(stream.refused) & set(got)
        assert ("missed", [("3", stream.channel)]) in node.receiver.told
        assert len(set(stream.accepted) - set(got)) < 10


def channel_in(partition: int) -> str:
    return next(f"c{n}" for n in range(10_000) if KEYS.partition_of("3", f"c{n}") == partition)


def slot_of_channel(channel: str) -> int:
    return slot_of(KEYS.tags[KEYS.partition_of("3", channel)])


# --- a Cluster


async def test_in_a_cluster_every_partition_delivers_to_all_nodes(redis_cluster: Cluster) -> None:
    channels = [channel_in(partition) for partition in range(0, PARTITIONS_IN_CLUSTER, 5)]
    async with nodes(redis_cluster.url, SHARDED, 3) as made:
        for node in made:
            await node.listen(*channels)
        streams = [Stream(made[number % 3], channel) for number, channel in enumerate(channels)]
        for stream in streams:
            for _ in range(20):
                stream.go_on()
        for stream in streams:
            await settle(stream, made)
            assert stream.accepted == list(range(20))
            assert_exact(stream, made)
        said = text_frame(b"{}")
        assert [node.cluster.bus.say("3", channels[1], said, None) for node in made] == [None, None, None]
        await until(lambda: all(node.receiver.frames(channels[1]).count(said) == 3 for node in made))


async def test_a_slot_that_moves_takes_its_messages_along_and_disturbs_no_other(redis_cluster: Cluster) -> None:
    moving, staying = channel_in(3), channel_in(4)
    source = redis_cluster.owner(slot_of_channel(moving))
    target = next(server for server in redis_cluster.primaries if server is not source)
    assert redis_cluster.owner(slot_of_channel(staying)) is source
    async with nodes(redis_cluster.url, SHARDED) as made:
        for node in made:
            await node.listen(moving, staying)
        streams = [Stream(made[0], moving), Stream(made[1], staying)]
        async with publishing(*streams):
            for seconds in (0, 0.3, 0, 0.3):
                await asyncio.to_thread(redis_cluster.move, slot_of_channel(moving), target, seconds)
                source, target = target, source
                await goes_on(streams[0])
        for stream in streams:
            await settle(stream, made)
            assert_exact(stream, made)
        assert streams[1].accepted == list(range(len(streams[1].outcomes)))
        assert [call for node in made for call in node.receiver.told if call[0] == "missed"] == []


async def test_a_channel_that_is_joined_while_its_slot_moves_is_heard(redis_cluster: Cluster) -> None:
    channel = channel_in(7)
    source = redis_cluster.owner(slot_of_channel(channel))
    target = next(server for server in redis_cluster.primaries if server is not source)
    async with nodes(redis_cluster.url, SHARDED) as made:
        await asyncio.to_thread(redis_cluster.move, slot_of_channel(channel), target)
        # They still believe that it is where it was.
        for node in made:
            await node.listen(channel)
        stream = Stream(made[0], channel)
        stream.go_on()
        await until(lambda: stream.accepted)
        await settle(stream, made)
        assert_exact(stream, made)
        await asyncio.to_thread(redis_cluster.move, slot_of_channel(channel), source)


@pytest.mark.long
async def test_the_replica_of_a_killed_primary_takes_over_and_the_others_go_on(tmp_path: Path) -> None:
    with running_cluster(tmp_path, replicas=1) as cluster:
        lost, other = channel_in(0), channel_in(PARTITIONS_IN_CLUSTER - 1)
        async with nodes(cluster.url, SHARDED) as made:
            for node in made:
                await node.listen(lost, other)
            streams = [Stream(made[0], lost), Stream(made[1], other)]
            async with publishing(*streams):
                await goes_on(streams[0])
                cluster.primaries[0].kill()
                await until(lambda: streams[0].refused, "publishes are refused")
                await goes_on(streams[0])
            for stream in streams:
                await settle(stream, made)
            assert_exact_or_told(streams[0], made)
            assert_exact(streams[1], made)


# --- Sentinels


async def test_after_a_fail_over_nodes_go_on_at_the_next_primary(redis_sentinels: Guarded) -> None:
    async with nodes(redis_sentinels.url, ALONE) as made:
        for node in made:
            await node.listen("a")
        stream = Stream(made[0], "a")
        async with publishing(stream):
            await goes_on(stream)
            redis_sentinels.primary.kill()
            await until(lambda: stream.refused, "publishes are refused")
            await goes_on(stream)
        await settle(stream, made)
        assert_exact_or_told(stream, made)


async def test_nodes_leave_a_primary_that_was_replaced_as_planned_although_it_still_takes_commands(
    redis_sentinels: Guarded,
) -> None:
    async with nodes(redis_sentinels.url, ALONE) as made:
        for node in made:
            await node.listen("a")
        redis_sentinels.sentinels[0].ask("SENTINEL", "FAILOVER", "main")
        await until(lambda: _names_at(redis_sentinels.replica) == 2, "both are at the next primary")
        await until(lambda: _names_at(redis_sentinels.primary) == 0, "nobody is at the one before")
        stream = Stream(made[0], "a")
        async with publishing(stream):
            await goes_on(stream)
        await settle(stream, made)
        assert_exact(stream, made)


def _names_at(redis: RedisServer) -> int:
    """How many nodes have a link to it."""
    return sum(client["name"] == "pushdesk" for client in redis.client.client_list())


# --- one Redis


async def test_who_comes_late_to_an_emptied_redis_gets_all_that_was_sent_since(own_redis: RedisServer) -> None:
    proxy = Proxy((HOST, own_redis.port))
    async with proxy.running(), nodes(own_redis.url, QUICK, 1) as (early,):
        (late,) = made = [TestNode(f"redis://{HOST}:{proxy.port}", QUICK)]
        await late.start()
        for node in (early, late):
            await node.listen("a")
        stream = Stream(early, "a")
        stream.go_on()
        await settle(stream, made)
        proxy.is_closed = True
        proxy.cut()
        await asyncio.to_thread(own_redis.restart)
        await until(lambda: early.cluster.state().epochs == 1, "one has found the new Redis")
        for _ in range(5):
            stream.go_on()
        await until(lambda: None not in stream.outcomes)
        assert late.cluster.state().epochs == 0
        proxy.is_closed = False
        await settle(stream, made)
        assert_exact(stream, [early, late])
        assert ("missed", [("3", "a")]) in late.receiver.told
        await late.cluster.stop()
