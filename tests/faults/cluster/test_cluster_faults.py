"""Two relays over one Redis, while a node, Redis or the way between them breaks."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.cluster.crowd import NEWS, Client, Crowd, crowd, relays, tells_gap, until
from tests.helpers.processes import HOST, RelayProcess
from tests.helpers.proxy import Proxy
from tests.helpers.redis import RedisServer

ROOM = "presence-room"
# Seconds in which all that a dead node had is gone: docs/operations.md promises it.
GHOSTS = 10.0
# The least that RELAY_REDIS_LOG may be.
LEAST_LOG = 1_000
# A file of settings with an app whose channel has a history.
KEPT = """
[[apps]]
id = "{app.app_id}"
key = "{app.key}"
secret = "{app.secret}"

[[apps.history]]
prefix = "{channel}"
size = 5000
"""


@pytest.fixture
async def everybody() -> AsyncIterator[Crowd]:
    async with crowd() as everybody:
        yield everybody


@pytest.fixture
async def two(own_redis: RedisServer) -> AsyncIterator[tuple[RelayProcess, RelayProcess]]:
    async with relays(own_redis.url, own_redis.url) as (one, other):
        yield one, other


async def listeners_of(everybody: Crowd, *nodes: RelayProcess) -> list[Client]:
    return [await everybody.listener(node) for node in nodes for _ in range(3)]


async def members_of(everybody: Crowd, node: RelayProcess, *users: str) -> list[Client]:
    """Clients of the node, each a member of the room."""
    clients = []
    for user in users:
        clients.append(client := await everybody.connect(node))
        await client.join(ROOM, user)
    return clients


class TestRedis:
    async def test_killed_and_started_again(
        self, everybody: Crowd, two: tuple[RelayProcess, RelayProcess], own_redis: RedisServer
    ) -> None:
        listeners = await listeners_of(everybody, *two)
        (ann,) = await members_of(everybody, two[0], "ann")
        (bob,) = await members_of(everybody, two[1], "bob")
        async with everybody.publishing(*two):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(own_redis.kill)
            refused = len(everybody.outcomes)
            await until(lambda: len(everybody.outcomes) > refused + 20, "publishers are answered at once")
            assert "refused" in everybody.outcomes.values()
            await asyncio.to_thread(own_redis.start)
            await everybody.publish_until_accepted(two[0])
            await asyncio.sleep(0.5)
        await everybody.settle(*two)
        everybody.check(listeners, told_gaps=tells_gap)
        # The nodes have told the new Redis who is there, and nobody has heard of it.
        await until_users(everybody, two[0], {"ann", "bob"})
        assert ann.members[ROOM] == bob.members[ROOM] == {"ann", "bob"}
        assert not ann.removed
        assert not bob.removed

    @pytest.mark.long
    async def test_emptied(
        self, everybody: Crowd, two: tuple[RelayProcess, RelayProcess], own_redis: RedisServer
    ) -> None:
        listeners = await listeners_of(everybody, *two)
        (ann,) = await members_of(everybody, two[0], "ann")
        (bob,) = await members_of(everybody, two[1], "bob")
        async with everybody.publishing(*two):
            await asyncio.sleep(0.5)
            own_redis.client.flushall()
            await asyncio.sleep(4)
            (cid,) = await members_of(everybody, two[1], "cid")
            await until_users(everybody, two[0], {"ann", "bob", "cid"})
        await everybody.settle(*two)
        everybody.check(listeners, told_gaps=tells_gap)
        for client in (ann, bob):
            assert (client.added["cid"], client.members[ROOM]) == (1, {"ann", "bob", "cid"})
            assert not client.removed
        assert cid.members[ROOM] == {"ann", "bob", "cid"}


class TestLink:
    async def test_half_open(self, everybody: Crowd, own_redis: RedisServer) -> None:
        """Nothing arrives any more on one node's link, and nobody says so."""
        async with (
            Proxy((HOST, own_redis.port)).running() as proxy,
            relays(f"redis://{HOST}:{proxy.port}", own_redis.url) as (cut, whole),
        ):
            listeners = await listeners_of(everybody, cut, whole)
            async with everybody.publishing(cut, whole):
                await asyncio.sleep(0.5)
                proxy.swallow("down")
                await asyncio.sleep(2.5)
                proxy.cut()
                proxy.swallow()
                await everybody.publish_until_accepted(cut)
            await everybody.settle(cut, whole)
            everybody.check(listeners, told_gaps=tells_gap)
            # It was healed from the log: nobody has missed anything.
            assert not tells_gap(cut)

    @pytest.mark.long
    async def test_slow(self, everybody: Crowd, own_redis: RedisServer) -> None:
        """A Redis that is far away: 300 ms there and back."""
        async with (
            Proxy((HOST, own_redis.port)).running() as proxy,
            relays(f"redis://{HOST}:{proxy.port}", own_redis.url) as (far, near),
        ):
            proxy.delay = 0.15
            listeners = await listeners_of(everybody, far, near)
            (ann,) = await members_of(everybody, far, "ann")
            (bob,) = await members_of(everybody, near, "bob")
            async with everybody.publishing(far, near):
                await asyncio.sleep(8)
            await everybody.settle(far, near)
            everybody.check(listeners, told_gaps=tells_gap)
            assert set(everybody.outcomes.values()) <= {"accepted", "unknown"}
            assert list(everybody.outcomes.values()).count("accepted") > 100
            assert not tells_gap(far)
            await until(lambda: ann.members[ROOM] == bob.members[ROOM] == {"ann", "bob"}, "both know both")

    @pytest.mark.long
    async def test_cut_again_and_again(self, everybody: Crowd, own_redis: RedisServer) -> None:
        async with (
            Proxy((HOST, own_redis.port)).running() as proxy,
            relays(f"redis://{HOST}:{proxy.port}", own_redis.url) as (cut, whole),
        ):
            listeners = await listeners_of(everybody, cut, whole)
            async with everybody.publishing(cut, whole):
                for _ in range(10):
                    await asyncio.sleep(0.2)
                    proxy.cut()
            await everybody.settle(cut, whole)
            everybody.check(listeners, told_gaps=tells_gap)
            assert not tells_gap(cut)


class TestNode:
    @pytest.mark.long
    async def test_killed_under_500_members(self, everybody: Crowd, two: tuple[RelayProcess, RelayProcess]) -> None:
        dying, other = two
        rooms = [f"presence-{at}" for at in range(6)]
        survivors = []
        for room in rooms:
            survivors.append(client := await everybody.connect(other))
            await client.join(room, "survivor")
        listeners = await listeners_of(everybody, other)
        ghosts = {room: [f"{room}-{at}" for at in range(84)] for room in rooms}
        await join_all(everybody, dying, ghosts)
        await until(lambda: all(len(client.added) == 84 for client in survivors), "all have come")
        async with everybody.publishing(*two):
            await asyncio.sleep(0.5)
            dying.kill()
            begin = time.monotonic()
            back = {room: users[:20] for room, users in ghosts.items()}
            await join_all(everybody, other, back)
            for room in rooms:
                await until_users(everybody, other, {"survivor", *back[room]}, room)
            took = time.monotonic() - begin
        await everybody.settle(other)
        everybody.check(listeners, told_gaps=tells_gap)
        assert took <= GHOSTS
        for room, client in zip(rooms, survivors, strict=True):
            gone = ghosts[room][20:]
            await until(partial(has_lost, client, len(gone)), "all are gone")
            assert client.removed == dict.fromkeys(gone, 1)
            assert client.added == dict.fromkeys(ghosts[room], 1)

    @pytest.mark.long
    async def test_stopped_for_15_seconds(self, everybody: Crowd, two: tuple[RelayProcess, RelayProcess]) -> None:
        """As a virtual machine is that is moved: it is taken for dead, and comes back as another node."""
        stopped, other = two
        (ann,) = await members_of(everybody, stopped, "ann")
        (bob,) = await members_of(everybody, other, "bob")
        listeners = await listeners_of(everybody, *two)
        async with everybody.publishing(*two):
            await asyncio.sleep(0.5)
            stopped.pause()
            took = await until(lambda: bob.removed["ann"], "ann is gone")
            assert took <= GHOSTS
            await asyncio.sleep(15 - took)
            stopped.resume()
            await until(lambda: bob.members[ROOM] == {"ann", "bob"}, "ann is back")
            await everybody.publish_until_accepted(stopped)
        await everybody.settle(*two)
        everybody.check(listeners, told_gaps=tells_gap)
        assert not tells_gap(stopped)
        assert (bob.removed["ann"], bob.added["ann"]) == (1, 1)
        await until(lambda: ann.members[ROOM] == {"ann", "bob"}, "ann sees both")

    @pytest.mark.long
    async def test_stopped_for_longer_than_the_log_reaches_back(
        self, everybody: Crowd, own_redis: RedisServer, tmp_path: Path
    ) -> None:
        """What the log has forgotten comes from the history of the channel, and no client has to come back for it."""
        file = tmp_path / "relay.toml"
        file.write_text(KEPT.format(app=RelayProcess, channel=NEWS))
        async with relays(own_redis.url, own_redis.url, config=file, redis_log=LEAST_LOG) as (stopped, other):
            listeners = await listeners_of(everybody, stopped, other)
            async with everybody.publishing(stopped, other):
                await asyncio.sleep(0.5)
            stopped.pause()
            # As Redis does with whoever does not read. The other one is back at once.
            own_redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
            await everybody.publish_until_accepted(other)
            for _ in range(LEAST_LOG // 50 + 4):
                await asyncio.gather(*(everybody.publish(other) for _ in range(50)))
            stopped.resume()
            async with everybody.publishing(stopped, other):
                await everybody.publish_until_accepted(stopped)
            await everybody.settle(stopped, other)
            everybody.check(listeners, told_gaps=lambda _node: False)
            assert "redis_gap" in stopped.output()
            assert not tells_gap(stopped)


def has_lost(client: Client, count: int) -> bool:
    return len(client.removed) == count


async def join_all(everybody: Crowd, node: RelayProcess, users: dict[str, list[str]]) -> None:
    """A client for each of the users of each room, some at a time."""
    gate = asyncio.Semaphore(50)

    async def join(room: str, user: str) -> None:
        async with gate:
            client = await everybody.connect(node)
            await client.join(room, user)

    await asyncio.gather(*(join(room, user) for room, here in users.items() for user in here))


async def until_users(everybody: Crowd, node: RelayProcess, users: set[str], room: str = ROOM) -> None:
    """Ask for the members of a room until they are these."""
    deadline = time.monotonic() + 20
    while (known := await everybody.users(node, room)) != users:
        assert time.monotonic() < deadline, f"{known} are there, not {users}"
        await asyncio.sleep(0.05)
