"""What waits for back ends in Redis: in one order, each for every target, and handed out by one node at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import redis as redis_py
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.cluster.bus import Unavailable
from relay.cluster.hooks import HookStream, Queued, Read
from relay.cluster.redis import hooks as hooks_module
from relay.cluster.redis import scripts
from relay.cluster.redis.scripts import Times
from relay.protocol.webhooks import CAUSES, WebhookEvent, cause_of
from tests.helpers.redis import RedisServer
from tests.relay.cluster.redis.nodes import PATIENCE, TestNode, until, wait
from tests.relay.cluster.redis.partition import APP, Partition

NAMES = ["channel_occupied", "channel_vacated", "member_added", "member_removed", "cache_miss", "subscription_count"]
CHANNELS = ["a", "private-a", "presence-a", "private-cache-a", "cache-a", "#server-to-user-7", "xprivate-a"]
A, B = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


def event(name: str = "client_event", channel: str = "presence-a", text: str = "1") -> WebhookEvent:
    return WebhookEvent(name, channel, "client-a", text, "1.2")  # type: ignore[arg-type] # any of NAMES


class Queue:
    """The scripts of one partition, called as a leader calls them."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        partition.has_nodes("one")
        partition.run("lead", "leader", 10_000)

    def add(self, *events: WebhookEvent) -> None:
        for each in events:
            self.partition.run("hook", APP, cause_of(each), json.dumps(each.fields()))

    def keep(self, *targets: str) -> None:
        self.partition.run("hooks_keep", APP, *targets)

    def read(self, target: str = A, most: int = 100) -> tuple[int, dict[str, int], list[tuple[int, str, str, int]]]:
        """How many wait, what is lost, and number, data, cause and place of each."""
        waiting, lost, found = self.partition.run("hooks_read", APP, target, most)
        events = [
            (found[at], json.loads(found[at + 1])["data"], found[at + 2].decode(), found[at + 3])
            for at in range(0, len(found), 5)
        ]
        return waiting, {lost[at].decode(): lost[at + 1] for at in range(0, len(lost), 2)}, events

    def texts(self, target: str = A, most: int = 100) -> list[str]:
        return [text for _, text, _, _ in self.read(target, most)[2]]

    def finish(
        self, events: Sequence[tuple[int, str, str, int]], target: str = A, leader: str = "leader", epoch: str = "epoch"
    ) -> Any:
        newest = {cause: place for _, _, cause, place in events}
        arguments = [value for pair in newest.items() for value in pair]
        return self.partition.run("hooks_done", leader, APP, target, epoch, events[-1][0], *arguments)

    def length(self) -> int:
        return sum(self.partition.redis.xlen(f"pd:{{0}}:hooks:{APP}:{cause}") for cause in CAUSES)


@pytest.fixture
def queue(redis: RedisServer) -> Queue:
    return Queue(Partition(redis))


class TestQueue:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
    @given(name=st.sampled_from(NAMES), channel=st.sampled_from(CHANNELS))
    def test_scripts_know_the_causes_as_the_protocol_does(self, redis: RedisServer, name: str, channel: str) -> None:
        loaded = scripts.load(100, Times(), is_sharded=False)["hook"].text.decode()
        text = (
            loaded[: loaded.index("-- An event for back ends")] + "return cause_of({name = ARGV[1], channel = ARGV[2]})"
        )
        assert redis.ask("EVAL", text, 1, "pd:{0}:", name, channel).decode() == cause_of(event(name, channel))

    def test_events_of_all_causes_are_read_in_the_order_in_which_they_happened(self, queue: Queue) -> None:
        channels = ["a", "presence-a", "private-a", "a", "a", "presence-a", "private-a"]
        names = ["channel_occupied" if name != "presence-a" else "client_event" for name in channels]
        queue.add(*[event(*pair, str(at)) for at, pair in enumerate(zip(names, channels, strict=True))])
        queue.keep(A)
        assert queue.texts() == list("0123456")
        assert queue.texts(most=3) == list("012")

    def test_each_target_is_told_everything_whatever_the_other_was_told(self, queue: Queue) -> None:
        queue.keep(A, B)
        queue.add(*[event(text=str(number)) for number in range(5)])
        _, _, events = queue.read(A, 3)
        assert queue.finish(events) == 1
        assert (queue.texts(A), queue.texts(B)) == (list("34"), list("01234"))
        assert (queue.read(A)[0], queue.read(B)[0], queue.length()) == (2, 5, 5)
        queue.finish(queue.read(B)[2], B)
        assert (queue.read(B)[0], queue.length()) == (0, 2), "what all were told is forgotten"

    def test_a_new_target_is_told_what_happens_from_then_on(self, queue: Queue) -> None:
        queue.keep(A)
        queue.add(event(text="before"))
        queue.keep(A, B)
        queue.add(event(text="after"))
        assert (queue.texts(A), queue.texts(B)) == (["before", "after"], ["after"])
        assert queue.read(B)[:2] == (1, {})

    def test_the_first_target_of_an_app_is_told_what_waits_already(self, queue: Queue) -> None:
        queue.add(event(text="before"))
        queue.keep(A)
        assert queue.texts() == ["before"]

    def test_what_waits_for_a_target_that_is_gone_is_forgotten(self, queue: Queue) -> None:
        queue.keep(A, B)
        queue.add(event())
        queue.keep(A)
        queue.finish(queue.read(A)[2])
        assert queue.length() == 0

    def test_nothing_is_kept_for_an_app_without_targets_and_its_next_one_is_told_what_happens_from_then_on(
        self, queue: Queue
    ) -> None:
        queue.keep(A)
        queue.add(event(text="before"))
        queue.keep()
        assert queue.length() == 0
        queue.add(event(text="between"))
        queue.keep(B)
        queue.add(event(text="after"))
        assert queue.read(B)[:2] == (1, {})
        queue.finish(queue.read(B)[2], B)
        assert queue.length() == 0

    def test_what_was_told_of_data_that_are_lost_is_not_taken_for_what_came_after(self, queue: Queue) -> None:
        queue.keep(A, B)
        queue.add(*[event(text=f"before {number}") for number in range(3)])
        told = queue.read(A)[2]
        queue.partition.redis.flushall()
        Queue(queue.partition).keep(A, B)
        queue.add(event(text="after"))
        # A replica that is behind has the epoch, but not the events.
        assert (queue.finish(told, epoch="another"), queue.finish(told)) == (1, 1)
        assert (queue.texts(A), queue.texts(B)) == (["after"], ["after"])

    def test_a_full_redis_is_emptied_by_telling_what_waits(self, redis: RedisServer, queue: Queue) -> None:
        queue.keep(A)
        queue.add(event())
        redis.ask("CONFIG", "SET", "maxmemory", 1)
        try:
            with pytest.raises(redis_py.OutOfMemoryError):
                queue.add(event())
            assert queue.partition.run("lead", "leader", 10_000) == 1
            assert queue.finish(queue.read(A)[2]) == 1
        finally:
            redis.ask("CONFIG", "SET", "maxmemory", 0)
        assert queue.length() == 0

    def test_only_who_leads_says_what_was_told(self, queue: Queue) -> None:
        queue.keep(A)
        queue.add(event())
        assert queue.finish(queue.read(A)[2], leader="another") == 0
        assert queue.texts() == ["1"]

    def test_strangers_displace_only_what_strangers_did_and_what_is_lost_is_counted_once(
        self, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scripts, "HOOK_ROOM", 100)
        queue = Queue(Partition(redis))
        queue.keep(A)
        queue.add(event(text="a member's"))
        queue.add(*[event("channel_occupied", "a", str(number)) for number in range(500)])
        waiting, lost, events = queue.read(A, 10)
        assert next(text for _, text, _, _ in events) == "a member's"
        # Redis drops whole nodes of a stream, of about a hundred entries.
        kept = 500 - lost["anybody"]
        assert (100 <= kept <= 300, waiting, list(lost)) == (True, kept + 1, ["anybody"])
        assert queue.read(A, 10)[:2] == (waiting, {})

    def test_several_clients_that_miss_an_event_at_once_are_told_of_once(self, queue: Queue) -> None:
        queue.keep(A)
        missed = event("cache_miss", "cache-a")
        for _ in range(3):
            queue.partition.run("hook", APP, cause_of(missed), json.dumps(missed.fields()), "miss:cache-a", 3_000)
        assert queue.read(A)[0] == 1


class Reader:
    """Who hands out what a node leads; keeps it."""

    def __init__(self) -> None:
        self.streams: list[HookStream] = []
        self.leads = 0
        self.woken = asyncio.Event()

    def lead(self, stream: HookStream) -> None:
        self.leads += 1
        if stream not in self.streams:
            self.streams.append(stream)

    def end(self, stream: HookStream) -> None:
        self.streams.remove(stream)

    def wake(self, stream: HookStream, app_id: str) -> None:
        assert app_id == "3"
        self.woken.set()


class Leader:
    def __init__(self, redis: RedisServer) -> None:
        self.node = TestNode(redis.unix_url)
        self.reader = Reader()
        self.node.cluster.hooks.begin(self.reader)

    async def read(self) -> Read:
        read = await wait(lambda done: self.reader.streams[0].read("3", A, 100, done))
        assert not isinstance(read, Unavailable)
        return read  # type: ignore[no-any-return] # by the assertion

    async def finish(self, events: Sequence[Queued]) -> bool:
        return bool(await wait(lambda done: self.reader.streams[0].finish("3", A, events, done)))


@pytest.fixture
async def leaders(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Leader]]:
    for name, seconds in {"LEAD": 1.0, "RENEWED": 0.1, "MARGIN": 0.3}.items():
        monkeypatch.setattr(hooks_module, name, seconds)
    leaders = [Leader(redis) for _ in range(2)]
    for leader in leaders:
        await leader.node.start()
    yield leaders
    for leader in leaders:
        await leader.node.cluster.stop()


async def led(leaders: list[Leader], by: int) -> None:
    """Tick until the stream is led by one of them, and by nobody else."""
    other = leaders[1 - by]
    async with asyncio.timeout(PATIENCE):
        while not leaders[by].reader.streams:
            for leader in leaders:
                leader.node.tick()
            await asyncio.sleep(0.02)
    assert other.reader.streams == [] or not other.reader.streams[0].is_led()


class TestLeading:
    async def test_one_node_leads_hears_of_news_and_another_goes_on_at_once_when_it_stops(
        self, redis: RedisServer, leaders: list[Leader]
    ) -> None:
        one, two = leaders
        one.node.tick()
        await until(lambda: one.reader.streams)
        await led(leaders, by=0)
        one.reader.streams[0].keep("3", [A])
        Partition(redis).run("hook", "3", "members", json.dumps(event(text="\ud83d").fields()))
        async with asyncio.timeout(PATIENCE):
            await one.reader.woken.wait()
        (queued,) = (await one.read()).events
        assert queued.event == event(text="\ud83d")
        one.node.cluster.hooks.resign()
        await led(leaders, by=1)
        assert (await two.read()).events == [queued]
        assert await two.finish([queued])
        assert (await two.read()).events == []

    async def test_a_node_that_cannot_say_that_it_leads_ends_before_another_one_may_begin(
        self, leaders: list[Leader], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = leaders
        one.node.tick()
        await until(lambda: one.reader.streams)
        stream = one.reader.streams[0]
        monkeypatch.setattr(one.node.cluster.hooks, "_renew", lambda *_: None)
        while not two.reader.streams:
            for leader in leaders:
                leader.node.tick()
            await asyncio.sleep(0.02)
        assert (one.reader.streams, stream.is_led()) == ([], False)

    async def test_after_redis_has_lost_everything_its_targets_are_made_known_anew(
        self, redis: RedisServer, leaders: list[Leader]
    ) -> None:
        one, two = leaders
        one.node.tick()
        await until(lambda: one.reader.streams)
        redis.ask("FLUSHALL")
        async with asyncio.timeout(PATIENCE):
            while two.reader.leads + one.reader.leads == 1:
                one.node.tick()
                await asyncio.sleep(0.02)
        assert (one.reader.leads, len(one.reader.streams)) == (2, 1)
