"""What a node reports, when, and what becomes of it when nodes die or Redis loses everything."""

from collections.abc import AsyncIterator

import pytest

from relay.cluster.bus import Unavailable
from relay.cluster.redis.cluster import Options
from relay.cluster.redis.roster.reaping import REAPERS
from relay.cluster.redis.scripts import Times
from relay.cluster.roster import ChannelInfo, Entered
from tests.helpers.fake_node import APP, FakeNode
from tests.helpers.redis import RedisServer
from tests.relay.cluster.contract import ROOM, until
from tests.relay.cluster.redis.clusters import RedisNodes

# A fifth of the real times: a busy machine must not end a lease.
QUICK = Options(times=Times(lease=1.2, beat=0.3, outage=0.6, rebuilding=1.0))


@pytest.fixture
async def nodes(own_redis: RedisServer) -> AsyncIterator[RedisNodes]:
    """Quick nodes over a Redis that may be killed."""
    nodes = RedisNodes(own_redis.unix_url, QUICK)
    yield nodes
    await nodes.stop()


async def filled(nodes: RedisNodes) -> tuple[FakeNode, FakeNode]:
    """Two nodes that are told of a channel: ann is on the first, bob on both, cid on the second; all are signed in."""
    here, there = await nodes.start(2)
    for node, users in ((here, ["ann", "bob"]), (there, ["bob", "cid"])):
        node.listen(ROOM)
        await nodes.settle()
        for user in users:
            node.enter(ROOM, user, info=b'{"n":1}')
            node.sign_in(user)
        node.count(ROOM, len(users))
        node.watch("ann", "bob", "cid")
    await nodes.settle()
    await nodes.settle()
    here.take()
    there.take()
    return here, there


def scripts_called(redis: RedisServer) -> int:
    info = redis.client.info("commandstats")
    return int(info.get("cmdstat_evalsha", {}).get("calls", 0))


async def members_of(nodes: RedisNodes, node: FakeNode) -> object:
    listed = node.list_members(ROOM)
    await nodes.settle()
    (members,) = listed
    return members if isinstance(members, Unavailable) else sorted(members)


class TestReports:
    async def test_many_changes_of_a_channel_are_reported_as_one(
        self, nodes: RedisNodes, own_redis: RedisServer
    ) -> None:
        here, there = await nodes.start(2)
        for node in (here, there):
            nodes.freeze(node)
        here.count("a", 1)
        await nodes.settle()
        before = scripts_called(own_redis)
        for count in range(2, 1_002):
            here.count("a", count)
        await nodes.settle()
        assert scripts_called(own_redis) - before <= 1
        await until(lambda: scripts_called(own_redis) > before, "the report")
        shown = there.show_channel("a")
        await nodes.settle()
        assert shown == [ChannelInfo("a", 1_001)]
        here.count("a", 0)
        shown = here.show_channel("a")
        await nodes.settle()
        assert shown == [None]

    async def test_what_is_reported_while_redis_is_away_is_reported_later(
        self, nodes: RedisNodes, own_redis: RedisServer
    ) -> None:
        (node,) = await nodes.start(1)
        own_redis.kill()
        cluster = nodes.cluster_of(node)
        await until(lambda: not cluster.state().is_up, "the link is lost")
        heard = node.listen(ROOM)
        entered, withdrawn = node.enter(ROOM, "ann"), node.enter(ROOM, "bob")
        node.leave(ROOM, "bob")
        node.sign_in("ann")
        node.count(ROOM, 1)
        watched = node.watch("ann")
        for asked in (node.list_members(ROOM), node.list_channels(), node.show_channel(ROOM)):
            (answer,) = asked
            assert isinstance(answer, Unavailable)
            assert not answer.is_unknown
        own_redis.start()
        await until(lambda: entered and heard and watched, "all that waited")
        assert isinstance(entered[0], Entered)
        assert (withdrawn, watched) == ([], [frozenset({"ann"})])
        await until(lambda: not cluster._partitions.control.lease.is_rebuilding, "the cluster is rebuilt")
        assert await members_of(nodes, node) == ["ann"]


class TestDeath:
    async def test_what_a_dead_node_had_is_taken_back_and_told_once(self, nodes: RedisNodes) -> None:
        here, there = await filled(nodes)
        await nodes.kill(here)
        await until(lambda: len(there.told) == 2, "ann is gone")
        assert sorted(there.take()) == [("member_removed", ROOM, "ann"), ("went_offline", "ann")]
        assert await members_of(nodes, there) == ["bob", "cid"]
        shown = there.show_channel(ROOM)
        await nodes.settle()
        assert shown == [ChannelInfo(ROOM, 2, 2)]

    async def test_a_node_that_goes_is_taken_back_at_once(self, nodes: RedisNodes) -> None:
        here, there = await filled(nodes)
        nodes.freeze(here)
        await here.cluster.stop()
        await until(lambda: ("member_removed", ROOM, "ann") in there.told, "ann is gone")

    async def test_a_node_that_was_taken_for_dead_tells_all_that_it_holds(self, nodes: RedisNodes) -> None:
        here, there = await filled(nodes)
        nodes.freeze(here)
        await until(lambda: len(there.told) == 2, "ann is gone")
        there.take()
        nodes.thaw(here)
        await until(lambda: len(there.told) == 2, "ann is back")
        assert sorted(one[:3] for one in there.take()) == [("member_added", ROOM, "ann"), ("went_online", "ann", None)]
        assert await members_of(nodes, there) == ["ann", "bob", "cid"]
        shown = there.show_channel(ROOM)
        await nodes.settle()
        assert shown == [ChannelInfo(ROOM, 4, 3)]
        # Its own clients have heard nothing of what is their own.
        assert here.take("member_added", "member_removed", "went_online", "went_offline") == []
        assert set(here.replica[APP, ROOM]) == {"ann", "bob", "cid"}

    async def test_while_redis_is_away_nobody_dies(self, nodes: RedisNodes, own_redis: RedisServer) -> None:
        here, there = await filled(nodes)
        own_redis.pause()
        states = [nodes.cluster_of(node).state for node in (here, there)]
        await until(lambda: not any(state().is_up for state in states), "the links are lost")
        own_redis.resume()
        await until(lambda: all(state().is_up for state in states), "the links are back")
        assert await members_of(nodes, there) == ["ann", "bob", "cid"]
        assert here.take("member_removed", "member_added") == []
        assert there.take("member_removed", "member_added") == []


class TestLoss:
    async def test_of_a_redis_that_was_emptied_nobody_hears(self, nodes: RedisNodes, own_redis: RedisServer) -> None:
        here, there = await filled(nodes)
        clusters = [nodes.cluster_of(node) for node in (here, there)]
        own_redis.client.flushall()
        await until(lambda: all(cluster.state().epochs for cluster in clusters), "the nodes notice")
        # One who leaves meanwhile, and one who comes, are real changes.
        there.leave(ROOM, "cid")
        there.sign_out("cid")
        there.enter(ROOM, "dan")
        leases = [cluster._partitions.control.lease for cluster in clusters]
        await until(lambda: not any(lease.is_rebuilding for lease in leases), "the cluster is rebuilt")
        await nodes.settle()
        assert await members_of(nodes, here) == ["ann", "bob", "dan"]
        for node in (here, there):
            assert sorted(one[:3] for one in node.take("member_added", "member_removed")) == [
                ("member_added", ROOM, "dan"),
                ("member_removed", ROOM, "cid"),
            ]
        assert list(here.replica[APP, ROOM]) == list(there.replica[APP, ROOM])

    async def test_of_a_redis_that_comes_back_empty_nobody_hears(
        self, nodes: RedisNodes, own_redis: RedisServer
    ) -> None:
        here, there = await filled(nodes)
        own_redis.restart()
        clusters = [nodes.cluster_of(node) for node in (here, there)]
        await until(lambda: all(cluster.state().epochs for cluster in clusters), "the nodes are back")
        asked = here.list_members(ROOM)
        await nodes.settle()
        (answer,) = asked
        assert isinstance(answer, Unavailable)
        leases = [cluster._partitions.control.lease for cluster in clusters]
        await until(lambda: not any(lease.is_rebuilding for lease in leases), "the cluster is rebuilt")
        await nodes.settle()
        assert await members_of(nodes, here) == ["ann", "bob", "cid"]
        watched = here.watch("ann", "cid")
        await nodes.settle()
        await nodes.settle()
        assert watched == [frozenset({"ann", "cid"})]
        for node in (here, there):
            assert node.take("member_added", "member_removed", "went_online", "went_offline") == []

    async def test_a_member_stays_as_clients_know_them_whoever_asserts_them_first(
        self, nodes: RedisNodes, own_redis: RedisServer
    ) -> None:
        here, there = await nodes.start(2)
        for node, info in ((here, b'{"tab":1}'), (there, b'{"tab":2}')):
            node.listen(ROOM)
            await nodes.settle()
            node.enter(ROOM, "ann", info=info)
            await nodes.settle()
        nodes.freeze(here)
        own_redis.client.flushall()
        clusters = [nodes.cluster_of(node) for node in (here, there)]
        await until(lambda: clusters[1].state().epochs, "one node asserts what it holds")
        await nodes.settle()
        assert own_redis.ask("HGETALL", f"pd:{{0}}:mem:{APP}:{ROOM}") == {b"ann": b'{"tab":1}'}

    async def test_a_user_who_went_meanwhile_is_offline(self, nodes: RedisNodes, own_redis: RedisServer) -> None:
        here, there = await filled(nodes)
        own_redis.kill()
        there.sign_out("cid")
        own_redis.start()
        await until(lambda: ("went_offline", "cid") in here.told, "cid is offline")
        assert here.take("went_online", "went_offline") == [("went_offline", "cid")]


async def test_where_nodes_are_many_some_of_them_see_to_a_partition(
    nodes: RedisNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (node,) = await nodes.start(1)
    roster = nodes.cluster_of(node).roster
    partition = nodes.cluster_of(node)._partitions.control
    partition.lease.nodes = 2_000
    for luck, expected in [(0.0, True), (REAPERS / 2_000 - 1e-9, True), (REAPERS / 2_000, False), (0.99, False)]:
        monkeypatch.setattr("relay.cluster.redis.roster.reaping.random.random", lambda luck=luck: luck)
        assert roster._reaper.sees_to(partition) is expected
