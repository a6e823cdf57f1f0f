"""A node behind a gap in the log: what it gets from the histories of its channels, whatever happens meanwhile."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from relay.apps import App, ChannelHistory
from relay.cluster.bus import Accepted, History, Kept, Unavailable
from relay.cluster.redis.calls import Calls
from relay.cluster.redis.catch_up import CHANNELS
from relay.protocol.events import with_id
from relay.wire.frames import text_frame
from tests.helpers.redis import RedisServer
from tests.relay.cluster.redis.nodes import TestNode, until, wait
from tests.relay.cluster.redis.test_faults import Nodes, is_up

Logged = list[MutableMapping[str, Any]]
KEPT = Kept(history=History(size=1_000, ttl=60))
APP = App("3", "key-3", "secret", history=(ChannelHistory("kept-"),))


@pytest.fixture
async def nodes(redis: RedisServer) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        made = Nodes(redis, stack)
        yield made
        for node in made.all:
            await node.cluster.stop()


async def start_two(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> tuple[TestNode, TestNode]:
    """Two nodes of an app with histories."""
    both = await nodes.start(), await nodes.start()
    for node in both:
        monkeypatch.setattr(node.receiver, "app", lambda _app_id: APP)
    return both


def forget_log(nodes: Nodes) -> None:
    """The log has nothing but its newest entry."""
    nodes.redis.ask("XTRIM", "pd:{0}:log", "MAXLEN", 1)


async def publish(node: TestNode, channel: str, first: int, last: int) -> list[bytes]:
    """The frames of numbers that are published to a channel with a history."""
    frames = []
    for text in map(str, range(first, last)):
        outcome = await node.publish(text, channel, KEPT)
        assert isinstance(outcome, Accepted)
        frames.append(text_frame(with_id(b'{"data":"%b"}' % text.encode(), outcome.id)))
    return frames


def missed(node: TestNode) -> list[Any]:
    return [call[1] for call in node.receiver.told if call[0] == "missed"]


async def test_a_catch_up_that_is_cut_itself_goes_on_where_it_was(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one channel, in the middle of another, while the log goes on and is trimmed again."""
    one, other = await start_two(nodes, monkeypatch)
    channels = ["kept-a", "kept-b"]
    await one.listen(*channels)
    await nodes.cut_off(one)
    sent = {channel: await publish(other, channel, 0, 30) for channel in channels}
    forget_log(nodes)
    partition = one.cluster._partitions.control
    partition._page = 20
    catch_up, delivered = partition.catch_up, []

    def deliver_and_cut(*what: Any) -> None:
        catch_up(*what)
        delivered.append(what)
        if len(delivered) in {35, 50}:
            assert partition.link is not None
            partition.link.abort("cut again")

    monkeypatch.setattr(partition, "catch_up", deliver_and_cut)
    nodes.rejoin(one)
    await until(lambda: len(delivered) >= 35)
    for channel in channels:
        sent[channel] += await publish(other, channel, 30, 32)
    forget_log(nodes)
    await until(lambda: one.cluster.state().gaps == 1, "it is over")
    await until(lambda: {channel: one.receiver.frames(channel) for channel in channels} == sent)
    assert missed(one) == []


async def test_each_call_asks_for_a_bounded_part(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = await start_two(nodes, monkeypatch)
    channels = [f"kept-{at}" for at in range(CHANNELS + 5)]
    await one.listen(*channels)
    await nodes.cut_off(one)
    sent = {channel: await publish(other, channel, 0, 3) for channel in channels}
    forget_log(nodes)
    asked: list[tuple[int, int]] = []
    ask = Calls.ask

    def note(calls: Calls, script: str, arguments: Any, done: Any) -> None:
        if script == "missed":

            def take(answer: Any) -> None:
                asked.append((len(arguments[2:]) // 2, sum(len(found) // 2 for found in answer)))
                done(answer)

            ask(calls, script, arguments, take)
        else:
            ask(calls, script, arguments, done)

    partition = one.cluster._partitions.control
    partition.ask = partial(note, partition._calls)
    partition._page = 40
    nodes.rejoin(one)
    await until(lambda: is_up(one))
    assert {channel: one.receiver.frames(channel) for channel in channels} == sent
    assert len(asked) > 5
    assert all(channels <= CHANNELS and events <= 40 for channels, events in asked)
    assert one.cluster.state().recovered == 3 * len(channels) - 1


async def test_what_is_sent_meanwhile_comes_behind_it(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a")
    await nodes.cut_off(one)
    sent = await publish(other, "kept-a", 0, 200)
    forget_log(nodes)
    one.cluster._partitions.control._page = 8
    nodes.rejoin(one)
    number = 200
    while not is_up(one):
        sent += await publish(other, "kept-a", number, number + 1)
        number += 1
    sent += await publish(other, "kept-a", number, number + 1)
    await until(lambda: len(one.receiver.frames("kept-a")) >= len(sent))
    assert one.receiver.frames("kept-a") == sent
    assert missed(one) == []


async def test_whoever_asks_for_what_they_missed_while_the_node_heals_is_answered_afterwards(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the node would deliver once more what was in the answer."""
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a")
    await nodes.cut_off(one)
    sent = await publish(other, "kept-a", 0, 2)
    partition = one.cluster._partitions.control
    answers: list[Any] = []
    take_page = partition._take_page

    def ask_first(*what: Any) -> None:
        one.cluster.memory.since("3", "kept-a", "", History(size=1, ttl=1), answers.append)
        one.cluster.memory.last("3", "kept-a", answers.append)
        take_page(*what)

    monkeypatch.setattr(partition, "_take_page", ask_first)
    nodes.rejoin(one)
    await until(lambda: is_up(one))
    assert [type(answer) for answer in answers] == [Unavailable] * 2
    assert one.receiver.frames("kept-a") == sent
    asked = partial(one.cluster.memory.since, "3", "kept-a", "", History(size=1, ttl=1))
    assert (await wait(asked)).is_complete


async def test_of_another_epoch_nothing_can_be_said(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await TestNode(own_redis.unix_url).start()
    monkeypatch.setattr(node.receiver, "app", lambda _app_id: APP)
    try:
        await node.listen("kept-a")
        own_redis.restart()
        await until(lambda: is_up(node) and node.cluster.state().gaps)
        assert missed(node) == [[("3", "kept-a")]]
    finally:
        await node.cluster.stop()


async def test_a_channel_that_nobody_listens_to_any_more_gets_nothing(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when somebody listens to it again: what was sent before is not for them."""
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a", "kept-b")
    await nodes.cut_off(one)
    for channel in ("kept-a", "kept-b"):
        await publish(other, channel, 0, 5)
    forget_log(nodes)
    partition = one.cluster._partitions.control
    partition._page = 5
    catch_up = partition.catch_up
    heard: list[str] = []

    def ignore_the_other(*what: Any) -> None:
        if not heard:
            one.cluster.bus.ignore("3", "kept-b")
            one.cluster.bus.listen("3", "kept-b", lambda: heard.append("kept-b"))
            heard.append("kept-a")
        catch_up(*what)

    monkeypatch.setattr(partition, "catch_up", ignore_the_other)
    nodes.rejoin(one)
    await until(lambda: len(heard) == 2)
    assert len(one.receiver.frames("kept-a")) == 5
    assert one.receiver.frames("kept-b") == []


async def test_histories_that_redis_does_not_say_are_asked_for_on_a_new_link(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a")
    await nodes.cut_off(one)
    sent = await publish(other, "kept-a", 0, 5)
    forget_log(nodes)
    partition = one.cluster._partitions.control
    ask = partition.ask
    refused: list[str] = []

    def refuse_once(script: str, arguments: Any, done: Any) -> None:
        if script == "missed" and not refused:
            refused.append(script)
            done(Unavailable("too much is unanswered"))
        else:
            ask(script, arguments, done)

    partition.ask = refuse_once
    nodes.rejoin(one)
    await until(lambda: is_up(one))
    assert one.receiver.frames("kept-a") == sent
    assert refused


async def test_an_answer_of_a_link_that_the_partition_has_left_is_nobodys(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot moved in the middle: the link is there, for others."""
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a")
    await nodes.cut_off(one)
    sent = await publish(other, "kept-a", 0, 5)
    forget_log(nodes)
    partition = one.cluster._partitions.control
    ask = partition.ask
    moved: list[str] = []

    def move_once(script: str, arguments: Any, done: Any) -> None:
        ask(script, arguments, done)
        if script == "missed" and not moved:
            moved.append(script)
            one.cluster._fleet.look_again(partition, "MOVED")

    partition.ask = move_once
    nodes.rejoin(one)
    await until(lambda: is_up(one) and moved)
    assert one.receiver.frames("kept-a") == sent


@pytest.mark.parametrize("is_known", [True, False])
async def test_without_a_position_nothing_came_for_a_day(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """If what the node saw is not older than that."""
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a")
    await nodes.cut_off(one)
    partition = one.cluster._partitions.control
    if not is_known:
        partition.last = b"1000-0"
    for text in "123":
        await other.publish(text, "b")
    forget_log(nodes)
    nodes.rejoin(one)
    await until(lambda: is_up(one))
    assert missed(one) == ([] if is_known else [[("3", "kept-a")]])


async def test_a_gap_is_logged_with_what_was_recovered(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a", "b")
    await nodes.cut_off(one)
    await publish(other, "kept-a", 0, 5)
    forget_log(nodes)
    nodes.rejoin(one)
    await until(lambda: is_up(one))
    (entry,) = [entry for entry in logged if entry["event"] == "redis_gap"]
    assert (entry["channels"], entry["recovered"]) == (1, 4)


async def test_a_log_that_is_trimmed_between_two_pages_is_caught_up_with_as_well(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_two(nodes, monkeypatch)
    await one.listen("kept-a")
    await nodes.cut_off(one)
    sent = await publish(other, "kept-a", 0, 30)
    partition = one.cluster._partitions.control
    partition._page = 10
    read, reads = partition._read, []

    def trim_before(*what: Any) -> None:
        reads.append(what)
        if len(reads) == 2:
            forget_log(nodes)
        read(*what)

    monkeypatch.setattr(partition, "_read", trim_before)
    nodes.rejoin(one)
    await until(lambda: is_up(one))
    assert one.receiver.frames("kept-a") == sent
    assert missed(one) == []
