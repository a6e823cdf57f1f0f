"""One to three nodes over a real Redis, whose links are cut, whose leases end, whose data are lost."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from typing import Any

import msgspec
import pytest

from relay.cluster.bus import Accepted, Unavailable
from relay.cluster.redis.cluster import Options
from relay.cluster.redis.heal import Heal
from relay.cluster.redis.link import Link
from relay.cluster.redis.topology import Topology
from relay.wire.frames import text_frame
from tests.helpers.proxy import Proxy
from tests.helpers.redis import RedisServer
from tests.relay.cluster.redis.nodes import QUICK, TestNode, until, wait

Logged = list[MutableMapping[str, Any]]


class Nodes:
    """Nodes of one test, each behind a proxy of its own."""

    def __init__(self, redis: RedisServer, stack: AsyncExitStack) -> None:
        self.redis = redis
        self.all: list[TestNode] = []
        self.proxies: list[Proxy] = []
        self._stack = stack

    async def start(self, options: Options = QUICK) -> TestNode:
        proxy = await self._stack.enter_async_context(Proxy(str(self.redis.path)).running())
        node = TestNode(f"redis://127.0.0.1:{proxy.port}", options)
        self.all.append(node)
        self.proxies.append(proxy)
        return await node.start()

    def log(self) -> list[bytes]:
        """The messages of the log, oldest first."""
        entries = self.redis.ask("XRANGE", "pd:{0}:log", "-", "+")
        return [fields[b"m"] for _, fields in entries if fields[b"m"]]

    def number(self, field: str) -> int:
        """A field of what is known of the beats."""
        return int(self.redis.ask("HGET", "pd:{0}:beat", field) or 0)

    async def cut_off(self, node: TestNode) -> None:
        """Cut the node's link, and let none be made until `rejoin`."""
        proxy = self.proxies[self.all.index(node)]
        proxy.hold()
        proxy.cut()
        await until(lambda: not is_up(node), "the link is lost")

    def rejoin(self, node: TestNode) -> None:
        """Let links be made again."""
        self.proxies[self.all.index(node)].release()


@pytest.fixture
async def nodes(redis: RedisServer) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        made = Nodes(redis, stack)
        yield made
        for node in made.all:
            await node.cluster.stop()


def frame(text: str) -> bytes:
    return text_frame(b'{"data":"%b"}' % text.encode())


def is_up(node: TestNode) -> bool:
    return node.cluster.state().is_up


class Publisher:
    """Publishes numbers on a node, one after the other, and writes down what became of them."""

    def __init__(self, node: TestNode, numbers: "count[int]") -> None:
        self._node = node
        self._numbers = numbers
        self._is_over = False
        self.accepted: set[bytes] = set()
        self.unknown: set[bytes] = set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End when what is on its way has been answered."""
        self._is_over = True
        await self._task

    async def _run(self) -> None:
        while not self._is_over:
            text = str(next(self._numbers))
            outcome = await self._node.publish(text)
            if isinstance(outcome, Accepted):
                self.accepted.add(frame(text))
                continue
            if outcome.is_unknown:
                self.unknown.add(frame(text))
            await asyncio.sleep(0.001)


async def test_nodes_whose_links_are_cut_deliver_exactly_the_log_in_its_order(nodes: Nodes) -> None:
    three = [await nodes.start() for _ in range(3)]
    for node in three:
        await node.listen("a")
    numbers = count()
    publishers = [Publisher(node, numbers) for node in three]
    for turn in range(15):
        await asyncio.sleep(0.03)
        nodes.proxies[turn % 3].cut()
    for publisher in publishers:
        await publisher.stop()
    await until(lambda: all(map(is_up, three)), "all are back")
    log = [message.split(b"\0", 1)[1] for message in nodes.log()]
    await until(lambda: all(len(node.receiver.frames()) >= len(log) for node in three), "all is delivered")
    assert [node.receiver.frames() == log for node in three] == [True] * 3
    assert len(log) == len(set(log)) > 100
    accepted = set[bytes]().union(*(publisher.accepted for publisher in publishers))
    unknown = set[bytes]().union(*(publisher.unknown for publisher in publishers))
    assert accepted <= set(log) <= accepted | unknown
    assert sum(node.cluster.state().replayed for node in three) > 0
    assert all(node.cluster.state().gaps == 0 for node in three)


@pytest.mark.parametrize("step", range(12))
async def test_a_heal_that_is_cut_itself_loses_nothing_and_doubles_nothing(nodes: Nodes, step: int) -> None:
    """At a place of its bytes that depends on `step`."""
    one, other = await nodes.start(), await nodes.start()
    await one.listen("a", "b")
    await nodes.cut_off(one)
    sent = await asyncio.gather(*(other.publish(str(number)) for number in range(1_200)))
    assert set(sent) == {Accepted()}
    proxy = nodes.proxies[0]
    proxy.cut_after = proxy.passed["down"] + 200 + step * 11_000
    proxy.release()
    await until(lambda: len(one.receiver.frames()) == len(sent), "all is delivered")
    assert one.receiver.frames() == [frame(str(number)) for number in range(1_200)]


async def test_what_is_published_while_a_heal_reads_its_pages_comes_once_and_in_order(nodes: Nodes) -> None:
    """Entries are pushed between the pages: they are in the pages, and to be dropped as pushes."""
    one, other = await nodes.start(), await nodes.start()
    await one.listen("a")
    await nodes.cut_off(one)
    await asyncio.gather(*(other.publish(str(number)) for number in range(2_000)))
    nodes.rejoin(one)
    number = 2_000
    while not is_up(one):
        await other.publish(str(number))
        number += 1
    await other.publish(str(number))
    assert number > 2_000
    await until(lambda: len(one.receiver.frames()) > number, "all is delivered")
    assert one.receiver.frames() == [frame(str(each)) for each in range(number + 1)]


async def test_a_page_that_is_more_than_redis_sends_to_a_subscriber_is_read_in_smaller_ones(nodes: Nodes) -> None:
    one, two = await nodes.start(), await nodes.start()
    await one.listen("a")
    await nodes.cut_off(one)
    texts = [f"{number}{'x' * 9_000}" for number in range(200)]
    for text in texts:
        assert isinstance(await two.publish(text), Accepted)
    nodes.redis.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 500kb 0 0")
    try:
        nodes.rejoin(one)
        await until(lambda: is_up(one), "it has read all")
    finally:
        nodes.redis.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")
    assert one.receiver.frames() == [frame(text) for text in texts]


async def test_a_client_event_is_delivered_at_once_also_while_the_log_is_read(nodes: Nodes) -> None:
    one, other = await nodes.start(), await nodes.start()
    await one.listen("a")
    assert other.cluster.bus.say("3", "a", frame("typing"), "1.1") is None
    await until(lambda: one.receiver.told)
    assert one.receiver.told == [("deliver", "3", "a", frame("typing"), "1.1")]
    assert nodes.log() == []


async def test_without_a_link_everything_is_unavailable_at_once_and_listening_waits(nodes: Nodes) -> None:
    node = await nodes.start()
    await nodes.cut_off(node)
    refusal = node.publish("lost").result()
    assert isinstance(refusal, Unavailable)
    assert not refusal.is_unknown
    assert isinstance(node.cluster.bus.say("3", "a", frame("lost"), None), Unavailable)
    answers: list[object] = []
    node.cluster.memory.last("3", "a", answers.append)
    node.cluster.memory.take("3", 1, answers.append)
    node.cluster.commands.reload(answers.append)
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    confirmed: list[bool] = []
    node.cluster.bus.listen("3", "a", lambda: confirmed.append(True))
    node.cluster.bus.listen("3", "b", lambda: confirmed.append(False))
    node.cluster.bus.ignore("3", "b")
    nodes.rejoin(node)
    await until(lambda: confirmed)
    assert await node.publish("heard") == Accepted()
    await until(node.receiver.frames)
    assert node.receiver.frames() == [frame("heard")]
    assert confirmed == [True]
    assert node.cluster.state().refused == 1


async def test_an_answer_that_does_not_come_in_time_is_unknown(nodes: Nodes) -> None:
    node = await nodes.start()
    nodes.proxies[0].swallow("down")
    outcome = await node.publish("perhaps")
    assert isinstance(outcome, Unavailable)
    assert outcome.is_unknown
    assert nodes.log() == [b"e\0" + frame("perhaps")]


async def test_a_node_that_missed_more_than_the_log_holds_is_told_of_a_gap(nodes: Nodes) -> None:
    small = msgspec.structs.replace(QUICK, log_entries=100)
    one, other = await nodes.start(small), await nodes.start(small)
    await one.listen("a", "presence-b")
    nodes.redis.client.hset("pd:{0}:mem:3:presence-b", "ann", b'{"name":"Ann"}')
    await nodes.cut_off(one)
    await asyncio.gather(*(other.publish(str(number)) for number in range(500)))
    nodes.rejoin(one)
    await until(lambda: one.cluster.state().gaps == 1)
    await until(lambda: one.receiver.told[-1][0] == "members_are")
    # Told before what is behind it: who can resume has not heard more than they know of.
    missed, *delivered, members = one.receiver.told
    assert missed == ("missed", [("3", "a"), ("3", "presence-b")])
    assert members == ("members_are", "presence-b", {"ann": b'{"name":"Ann"}'})
    frames = [call[3] for call in delivered]
    assert 100 <= len(frames) < 500
    assert frames == [frame(str(number)) for number in range(500 - len(frames), 500)]
    assert other.cluster.state().gaps == 0


async def test_a_gap_is_told_also_when_the_link_is_cut_again_before_all_behind_it_is_read(nodes: Nodes) -> None:
    small = msgspec.structs.replace(QUICK, log_entries=1_200)
    one, other = await nodes.start(small), await nodes.start(small)
    await one.listen("presence-b")
    nodes.redis.client.hset("pd:{0}:mem:3:presence-b", "ann", b'{"name":"Ann"}')
    await nodes.cut_off(one)
    for number in range(3_000):
        await other.publish(str(number))
    partition = one.cluster._partitions.control
    take_page, pages = partition._take_page, []

    def take_and_cut(link: Link, heal: Heal, page: list[Any]) -> None:
        pages.append(heal)
        take_page(link, heal, page)
        if len(pages) == 1:
            link.abort("cut again")

    partition._take_page = take_and_cut  # type: ignore[method-assign]
    nodes.rejoin(one)
    await until(lambda: ("members_are", "presence-b", {"ann": b'{"name":"Ann"}'}) in one.receiver.told)
    assert len(set(map(id, pages))) == 2


async def test_a_node_with_quiet_channels_has_no_gap_though_the_log_went_round(nodes: Nodes) -> None:
    """Each beat says how far the log is, and what came before was pushed before."""
    small = msgspec.structs.replace(QUICK, log_entries=100)
    one, other = await nodes.start(small), await nodes.start(small)
    await one.listen("quiet")
    await asyncio.gather(*(other.publish(str(number)) for number in range(500)))
    before = one.cluster.state().lease_age
    one.tick()
    await until(lambda: one.cluster.state().lease_age < before)
    await nodes.cut_off(one)
    nodes.rejoin(one)
    await until(lambda: is_up(one))
    assert one.cluster.state().gaps == 0
    assert one.receiver.told == []


async def test_a_node_that_was_taken_for_dead_comes_back_under_another_name_and_asserts_what_it_holds(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await nodes.start()
    name = node.cluster._partitions.control.lease.node
    holdings = [("load", ("3", number)) for number in range(1_200)]
    monkeypatch.setattr(node.cluster, "holdings", lambda partition: iter(holdings))
    nodes.redis.client.zrem("pd:{0}:nodes", name)
    node.tick()
    await until(lambda: node.cluster.state().stale == 1)
    await until(lambda: nodes.redis.client.hget("pd:{0}:load:3", "") == b"1199", "all is asserted")
    assert node.cluster._partitions.control.lease.node != name
    assert nodes.redis.client.zscore("pd:{0}:nodes", node.cluster._partitions.control.lease.node)
    assert nodes.redis.client.zscore("pd:{0}:nodes", name) is None


async def test_a_report_that_finds_the_node_dead_is_repeated_under_its_new_name(nodes: Nodes) -> None:
    node = await nodes.start()
    partition = node.cluster._partitions.control
    name = partition.lease.node
    nodes.redis.client.zrem("pd:{0}:nodes", name)
    assert await wait(lambda done: partition.reports.report("key", "load", ("3", 7), done)) == [7]
    assert nodes.redis.client.hgetall("pd:{0}:load:3") == {b"": b"7", partition.lease.node.encode(): b"7"}
    assert partition.lease.node != name
    assert node.cluster.state().stale == 1


async def test_reports_are_kept_while_there_is_no_link_and_only_the_last_of_a_key_is_sent(nodes: Nodes) -> None:
    node = await nodes.start()
    partition = node.cluster._partitions.control
    await nodes.cut_off(node)
    answers: list[object] = []
    for number in range(5):
        partition.reports.report("key", "load", ("3", number), answers.append)
    partition.reports.report("withdrawn", "load", ("4", 1), answers.append)
    partition.reports.withdraw("withdrawn")
    assert node.cluster.state().unanswered_reports == 1
    nodes.rejoin(node)
    await until(lambda: answers)
    assert answers == [[4]]
    assert not nodes.redis.client.exists("pd:{0}:load:4")
    assert node.cluster.state().unanswered_reports == 0


async def test_a_report_that_is_replaced_on_its_way_does_not_answer(nodes: Nodes) -> None:
    node = await nodes.start()
    partition = node.cluster._partitions.control
    answers: list[object] = []
    partition.reports.report("key", "load", ("3", 1), lambda _: answers.append("replaced"))
    partition.reports.report("key", "load", ("3", 2), answers.append)
    await until(lambda: answers)
    assert answers == [[2]]


async def test_a_report_that_redis_refuses_is_repeated_at_the_next_tick(nodes: Nodes, logged: Logged) -> None:
    node = await nodes.start()
    partition = node.cluster._partitions.control
    nodes.redis.client.config_set("maxmemory", 1)
    try:
        answers: list[object] = []
        partition.reports.report("key", "load", ("3", 1), answers.append)
        outcome = await node.publish("too much")
    finally:
        nodes.redis.client.config_set("maxmemory", 0)
    assert {entry["event"] for entry in logged if entry["log_level"] == "error"} == {"redis_refused"}
    logged.clear()
    # Nothing of it was executed: a script is refused as a whole.
    assert outcome == Unavailable(outcome.reason, is_unknown=False)  # type: ignore[union-attr]
    assert nodes.log() == []
    assert answers == []
    node.tick()
    await until(lambda: answers)
    assert answers == [[1]]


async def test_scripts_that_redis_forgot_are_loaded_again_and_the_order_stays(nodes: Nodes) -> None:
    node = await nodes.start()
    await node.listen("a")
    nodes.redis.client.script_flush()
    outcomes = await asyncio.gather(*(node.publish(str(number)) for number in range(50)))
    assert set(outcomes) == {Accepted()}
    await until(lambda: len(node.receiver.frames()) == 50)
    assert node.receiver.frames() == [frame(str(number)) for number in range(50)]


async def test_an_emptied_redis_is_told_everything_and_then_members_are_read_anew(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await nodes.start()
    await node.listen("a", "presence-b")
    monkeypatch.setattr(node.cluster, "holdings", lambda partition: iter([("load", ("3", 9))]))
    epoch = node.cluster._partitions.control.lease.epoch
    nodes.redis.client.flushall()
    node.tick()
    await until(lambda: node.cluster._partitions.control.lease.epoch != epoch)
    await until(lambda: nodes.redis.client.hget("pd:{0}:load:3", "") == b"9")
    assert node.cluster.why_not_ready() == "the cluster is being rebuilt"
    assert node.receiver.told == []

    def is_over() -> bool:
        node.tick()
        return bool(node.receiver.told)

    await until(is_over)
    # Nothing was lost on the way: the link was there throughout.
    assert node.receiver.told == [("members_are", "presence-b", {})]
    assert node.cluster.why_not_ready() is None
    assert await node.publish("on") == Accepted()
    await until(node.receiver.frames)


async def test_a_redis_that_was_restarted_empty_is_a_gap_and_gets_everything_anew(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await TestNode(own_redis.unix_url).start()
    try:
        monkeypatch.setattr(node.cluster, "holdings", lambda partition: iter([("load", ("3", 9))]))
        await node.listen("a")
        own_redis.restart()
        await until(lambda: own_redis.client.hget("pd:{0}:load:3", "") == b"9")
        assert node.receiver.told == [("missed", [("3", "a")])]
        state = node.cluster.state()
        assert (state.epochs, state.gaps, state.is_up) == (1, 1, True)
        assert await node.publish("on") == Accepted()
        await until(node.receiver.frames)
    finally:
        await node.cluster.stop()


async def test_the_first_start_on_an_empty_redis_is_no_rebuild(nodes: Nodes) -> None:
    node = await nodes.start()
    assert node.cluster.why_not_ready() is None


async def test_a_node_is_not_ready_when_redis_was_away_for_some_seconds(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.cluster.redis.cluster.READY_TIMEOUT", 0.2)
    node = await nodes.start()
    await nodes.cut_off(node)
    node.tick()
    assert node.cluster.why_not_ready() is None
    await until(lambda: node.cluster.why_not_ready() is not None)
    assert "cannot be reached" in str(node.cluster.why_not_ready())
    nodes.rejoin(node)
    await until(lambda: node.cluster.why_not_ready() is None)


async def test_nobody_is_taken_for_dead_after_an_outage_until_a_lease_is_over(nodes: Nodes) -> None:
    """`quiet_until`: the first beat after nobody beat for a while."""
    node = await nodes.start()
    beat = "pd:{0}:beat"
    nodes.redis.client.hdel(beat, "quiet_until")
    node.tick()
    await until(lambda: node.cluster.state().lease_age < 0.1)
    assert nodes.redis.client.hget(beat, "quiet_until") is None
    nodes.redis.client.hset(beat, "last", nodes.number("last") - 400)
    await asyncio.sleep(QUICK.times.beat)
    node.tick()
    await until(lambda: nodes.redis.client.hget(beat, "quiet_until"))
    seconds, micros = nodes.redis.client.time()
    left = nodes.number("quiet_until") - seconds * 1_000 - micros // 1_000
    assert 0 < left <= 600


async def test_a_node_of_another_number_of_partitions_does_not_start(nodes: Nodes) -> None:
    await nodes.start()
    other = TestNode(nodes.redis.unix_url, msgspec.structs.replace(QUICK, partitions=2))
    with pytest.raises(ConnectionError, match=r"this Redis holds 1:1; here it is 1:2"):
        await other.start()


async def test_a_start_without_redis_says_why_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.cluster.redis.cluster.START_TIMEOUT", 0.2)
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1"):
        await TestNode("redis://127.0.0.1:1").start()


async def test_a_node_that_stops_hands_over_what_was_published_and_gives_up_its_lease(nodes: Nodes) -> None:
    one, other = await nodes.start(), await nodes.start()
    await other.listen("a")
    outcome = one.publish("last words")
    name = one.cluster._partitions.control.lease.node
    await one.cluster.stop()
    assert outcome.result() == Accepted()
    await until(other.receiver.frames)
    seconds, _ = nodes.redis.client.time()
    score = nodes.redis.client.zscore("pd:{0}:nodes", name)
    assert score is not None
    assert score <= seconds * 1_000 + 1_000


async def test_connections_are_summed_over_the_nodes(nodes: Nodes) -> None:
    one, other = await nodes.start(), await nodes.start()
    one.receiver.connections, other.receiver.connections = {"3": 5, "4": 1}, {"3": 2}
    one.tick()
    await until(lambda: nodes.redis.client.hget("pd:{0}:load:3", "") == b"5")
    other.tick()
    await until(lambda: other.cluster.roster.connections("3") == 7)
    assert other.cluster.roster.connections("4") == 0
    other.receiver.connections["3"] = 3
    assert other.cluster.roster.connections("3") == 8


@pytest.mark.parametrize("room", [10, 11])
async def test_topics_that_were_too_many_at_once_are_subscribed_to_at_the_next_tick(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Each takes two commands: of the last one there may have been room for the first only."""
    node = await nodes.start()
    monkeypatch.setattr("relay.cluster.redis.link.MAX_UNANSWERED_COMMANDS", room)
    heard: list[str] = []
    for number in range(30):
        node.cluster.bus.listen("3", f"a{number}", partial(heard.append, str(number)))
    # Each is two commands.
    await until(lambda: len(heard) == 5)
    node.tick()
    await until(lambda: len(heard) == 30)
    assert await node.publish("hi", "a29") == Accepted()
    await until(lambda: node.receiver.frames("a29"))


@pytest.mark.parametrize("verb", ["SUBSCRIBE", "XRANGE"])
async def test_a_heal_that_is_refused_a_step_begins_anew(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """As it is while too much is unanswered."""
    node, other = await nodes.start(), await nodes.start()
    await node.listen("a")
    await nodes.cut_off(node)
    assert await other.publish("hi") == Accepted()
    refused: list[object] = []
    name = "subscribe" if verb == "SUBSCRIBE" else "command"
    real = getattr(Link, name)

    def refuse(link: Link, arguments: Any, *rest: Any) -> None:
        if not refused and verb in (arguments, arguments[0]):
            refused.append(arguments)
            rest[-1](Unavailable("too much is unanswered", is_unknown=False))
        else:
            real(link, arguments, *rest)

    monkeypatch.setattr(Link, name, refuse)
    nodes.rejoin(node)
    await until(node.receiver.frames)
    assert node.receiver.frames() == [frame("hi")]
    assert refused


async def test_a_bug_in_connecting_does_not_end_all_attempts(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    node = await nodes.start()
    await nodes.cut_off(node)
    real = Topology.find
    failures: list[Topology] = []

    async def fail(topology: Topology) -> Any:
        if failures:
            return await real(topology)
        failures.append(topology)
        raise RuntimeError

    monkeypatch.setattr(Topology, "find", fail)
    nodes.rejoin(node)
    await until(lambda: is_up(node))
    assert failures
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["redis_connect_failed"]
    logged.clear()


async def test_a_client_event_that_finds_no_room_is_refused_and_one_that_may_not_be_sent_is_logged(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    node = await nodes.start()
    with monkeypatch.context() as patched:
        patched.setattr("relay.cluster.redis.link.MAX_UNANSWERED_COMMANDS", 0)
        assert node.cluster.bus.say("3", "a", frame("x"), None) == Unavailable("too much is unanswered")
    nodes.redis.ask("ACL", "SETUSER", "default", "resetchannels", "&nothing")
    try:
        assert node.cluster.bus.say("3", "a", frame("x"), None) is None
        await until(lambda: logged and logged[-1]["event"] == "redis_refused")
    finally:
        nodes.redis.ask("ACL", "SETUSER", "default", "allchannels")
    assert "NOPERM" in str(logged[-1]["error"])
    logged.clear()


async def test_holdings_that_redis_refuses_are_asserted_again_with_the_next_beat(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    node = await nodes.start()
    asserted: list[int] = []

    def holdings(_partition: object) -> Any:
        asserted.append(1)
        return iter([("load", ("3", 9))])

    monkeypatch.setattr(node.cluster, "holdings", holdings)
    partition = node.cluster._partitions.control
    partition.lease.must_assert = True
    nodes.redis.client.config_set("maxmemory", 1)
    try:
        partition.beat()
        await until(lambda: partition.lease.must_assert and asserted)
    finally:
        nodes.redis.client.config_set("maxmemory", 0)
    assert not nodes.redis.client.exists("pd:{0}:load:3")
    partition.beat()
    await until(lambda: nodes.redis.client.hget("pd:{0}:load:3", "") == b"9")
    assert not partition.lease.must_assert
    assert len(asserted) == 2
    logged.clear()


async def test_an_entry_that_nobody_can_take_does_not_keep_a_node_from_healing(nodes: Nodes, logged: Logged) -> None:
    node, other = await nodes.start(), await nodes.start()
    await node.listen("a")
    await nodes.cut_off(node)
    nodes.redis.ask("XADD", "pd:{0}:log", "*", "t", "pd:{0}:t:3:a", "m", "not a message")
    assert await other.publish("hi") == Accepted()
    nodes.rejoin(node)
    await until(node.receiver.frames)
    assert node.receiver.frames() == [frame("hi")]
    assert is_up(node)
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["redis_entry_not_taken"]
    logged.clear()


async def test_the_last_subscription_of_a_channel_ends_also_while_redis_takes_nothing_new(nodes: Nodes) -> None:
    """Else what is there no more would take the memory that is missing."""
    node = await nodes.start()
    node.cluster.roster.count("3", "a", 1, False)
    await until(lambda: nodes.redis.client.exists("pd:{0}:chan:3:a"))
    nodes.redis.client.config_set("maxmemory", 1)
    try:
        node.cluster.roster.count("3", "a", 0, False)
        await until(lambda: nodes.redis.client.zscore("pd:{0}:occ:3", "a") is None)
    finally:
        nodes.redis.client.config_set("maxmemory", 0)
