"""Two relays over Sentinels, and over a Redis Cluster, while their primaries change."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.cluster.keys import PARTITIONS_IN_CLUSTER, Keys, slot_of
from tests.faults.cluster.crowd import NEWS, Crowd, crowd, relays, tells_gap, until
from tests.helpers.processes import RelayProcess
from tests.helpers.redis import Cluster, Guarded, running_cluster

pytestmark = pytest.mark.long

ROOM = "presence-room"
USERS = {"ann", "bob"}


@pytest.fixture
async def everybody() -> AsyncIterator[Crowd]:
    async with crowd() as everybody:
        yield everybody


class Scene:
    """Listeners of the news at both relays, and a member of the room at each."""

    def __init__(self, everybody: Crowd, two: list[RelayProcess]) -> None:
        self.everybody = everybody
        self.two = two

    async def begin(self) -> None:
        self.listeners = [await self.everybody.listener(node) for node in self.two for _ in range(3)]
        self.members = [await self.everybody.connect(node) for node in self.two]
        for client, user in zip(self.members, sorted(USERS), strict=True):
            await client.join(ROOM, user)
        await until(lambda: all(client.members[ROOM] == USERS for client in self.members), "both know both")

    async def goes_on(self) -> None:
        """Wait until both take events."""
        for node in self.two:
            await self.everybody.publish_until_accepted(node)

    async def check(self) -> None:
        """The rule holds, and nobody was told of members who came or went."""
        await self.everybody.settle(*self.two)
        self.everybody.check(self.listeners, told_gaps=tells_gap)
        for node in self.two:
            await self._until_users(node)
        for client in self.members:
            assert client.members[ROOM] == USERS
            assert not client.removed

    async def _until_users(self, node: RelayProcess) -> None:
        async with asyncio.timeout(20):
            while await self.everybody.users(node, ROOM) != USERS:  # noqa: ASYNC110 - asked of a process
                await asyncio.sleep(0.05)


async def test_sentinels_choose_another_primary(everybody: Crowd, redis_sentinels: Guarded) -> None:
    async with relays(redis_sentinels.url, redis_sentinels.url) as two:
        scene = Scene(everybody, two)
        await scene.begin()
        async with everybody.publishing(*two):
            await scene.goes_on()
            await asyncio.to_thread(redis_sentinels.primary.kill)
            await until(lambda: "refused" in everybody.outcomes.values(), "events are refused")
            await scene.goes_on()
        await scene.check()
        assert all(tells_gap(node) for node in two)


async def test_the_replica_of_a_cluster_s_primary_takes_over(everybody: Crowd, tmp_path: Path) -> None:
    with running_cluster(tmp_path, replicas=1) as cluster:
        async with relays(cluster.url, cluster.url) as two:
            scene = Scene(everybody, two)
            await scene.begin()
            async with everybody.publishing(*two):
                await scene.goes_on()
                await asyncio.to_thread(cluster.primaries[0].kill)
                await until(lambda: "refused" in everybody.outcomes.values(), "events are refused")
                await scene.goes_on()
            await scene.check()


async def test_the_slots_of_the_news_and_of_the_room_move(everybody: Crowd, redis_cluster: Cluster) -> None:
    keys = Keys(partitions=PARTITIONS_IN_CLUSTER)
    async with relays(redis_cluster.url, redis_cluster.url) as two:
        scene = Scene(everybody, two)
        await scene.begin()
        async with everybody.publishing(*two):
            for channel in (NEWS, ROOM):
                slot = slot_of(keys.tags[keys.partition_of(two[0].app_id, channel)])
                owner = redis_cluster.owner(slot)
                target = next(server for server in redis_cluster.primaries if server is not owner)
                await asyncio.to_thread(redis_cluster.move, slot, target, 0.2)
                await scene.goes_on()
        await scene.check()
        assert not any(tells_gap(node) for node in two)
