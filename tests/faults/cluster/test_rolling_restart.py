"""Nodes come and go while clients stay, as docs/operations.md says it: nobody hears of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.cluster.crowd import Client, Crowd, crowd, relays, until
from tests.helpers.processes import HOST, ProcessFailed, RelayProcess
from tests.helpers.redis import RedisServer

ROOM = "presence-room"
SPREAD = 0.5


@pytest.fixture
async def everybody() -> AsyncIterator[Crowd]:
    async with crowd() as everybody:
        yield everybody


class Guest:
    """A member who comes back at once to the other node when theirs tells them to."""

    def __init__(self, everybody: Crowd, user_id: str) -> None:
        self._everybody = everybody
        self._user_id = user_id
        self.client: Client

    async def come(self, node: RelayProcess) -> None:
        self.client = await self._everybody.connect(node)
        await self.client.join(ROOM, self._user_id)

    async def move(self, other: RelayProcess) -> None:
        """Wait for the end of the connection, and go to another node."""
        await until(lambda: self.client.is_closed, "the node tells its clients to come back")
        assert self.client.close_code == 4200
        await self.come(other)


async def restart(node: RelayProcess, guests: list[Guest], other: RelayProcess) -> None:
    """As an operator does it, while `guests` are on the node."""
    stopping = asyncio.create_task(asyncio.to_thread(node.stop))
    await asyncio.gather(*(guest.move(other) for guest in guests))
    await stopping
    await asyncio.to_thread(node.start)


async def test_nodes_are_restarted_one_after_another_and_nobody_hears_of_a_member(
    everybody: Crowd, own_redis: RedisServer
) -> None:
    async with relays(own_redis.url, own_redis.url, stop_spread=SPREAD) as (one, two):
        guests = [Guest(everybody, f"guest-{number}") for number in range(20)]
        for guest in guests:
            await guest.come(one)
        watcher = await everybody.connect(two)
        await watcher.join(ROOM, "watcher")
        async with everybody.publishing(two):
            await restart(one, guests, two)
            # What was held for those on their way is given up after 5 s: nobody was waited for in vain.
            await asyncio.sleep(6)
        assert (watcher.added, watcher.removed) == ({}, {})
        assert "refused" not in everybody.outcomes.values()
        assert await everybody.users(one, ROOM) == {"watcher", *(f"guest-{number}" for number in range(20))}


@pytest.mark.long
async def test_member_who_does_not_come_back_is_gone_when_the_time_for_it_is_over(
    everybody: Crowd, own_redis: RedisServer
) -> None:
    async with relays(own_redis.url, own_redis.url, stop_spread=SPREAD) as (one, two):
        lost = Guest(everybody, "lost")
        await lost.come(one)
        watcher = await everybody.connect(two)
        await watcher.join(ROOM, "watcher")
        await asyncio.to_thread(one.stop)
        await until(lambda: watcher.removed["lost"] == 1, "the member is gone")


async def test_a_node_is_added_and_taken_away_without_anybody_being_asked(
    everybody: Crowd, own_redis: RedisServer
) -> None:
    async with relays(own_redis.url) as (one,):
        first = await everybody.listener(one)
        added = RelayProcess(redis_url=own_redis.url, metrics_host=HOST)
        await asyncio.to_thread(added.start)
        second = await everybody.listener(added)
        await everybody.settle(one, added)
        assert first.numbers[-2:] == second.numbers
        await asyncio.to_thread(added.stop)
        await everybody.settle(one)
        assert await everybody.ask(one, "/channels/news") == (200, {"occupied": True})
        await first.close()
        deadline = asyncio.get_running_loop().time() + 5
        while (await everybody.ask(one, "/channels/news"))[1]["occupied"]:
            assert asyncio.get_running_loop().time() < deadline, "the node that went has left a subscription behind"


@pytest.mark.long
async def test_the_number_of_partitions_is_changed_while_all_nodes_are_stopped(
    everybody: Crowd, own_redis: RedisServer
) -> None:
    """As docs/operations.md says it. A node with another number does not start before."""
    async with relays(own_redis.url) as (node,):
        await (await everybody.connect(node)).join(ROOM, "ann")
    with pytest.raises(ProcessFailed, match="this Redis holds 1:1; here it is 1:4"):
        async with relays(own_redis.url, redis_partitions=4):
            pass
    own_redis.client.delete(*own_redis.client.keys("pd:*"))
    async with relays(own_redis.url, own_redis.url, redis_partitions=4) as (one, two):
        listener = await everybody.listener(one)
        await (await everybody.connect(one)).join(ROOM, "bob")
        number = await everybody.publish_until_accepted(two)
        await until(lambda: listener.has_last(number), "it arrives")
        assert await everybody.users(two, ROOM) == {"bob"}
        assert own_redis.client.get("pd:{0}:shape") == b"1:4"
