"""How much the outbox does at once, when it looks, and what a crash at any point leaves."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import structs

from relay.client import Event as RelayEvent
from relay.client import RelayRefused, RelayUnavailable
from support_api.delivery.outbox import AHEAD, BATCH, DELIVERED, LANES, Outbox, Pace
from support_api.models.outbox import Event, EventKind, StoredEvent

# Nothing happens by the clock.
STILL = Pace(first_pause=0.0, longest_pause=0.0, poll=3600.0, deadline=10.0, removal=3600.0)
# The same, but rows of delivered events stay for a moment only.
STILL_BUT_REMOVAL = structs.replace(STILL, removal=0.02)


class Crash(BaseException):
    """The process is gone."""


class Memory:
    """A queue in memory, and a relay that knows idempotency keys. Each call may be the last before or after its effect."""

    def __init__(self) -> None:
        self.stored: list[StoredEvent] = []
        self.news = asyncio.Event()
        self.calls: list[str] = []
        self.sent: list[StoredEvent] = []
        self.arrived: list[str] = []
        self.ended: list[str] = []
        self.most_rows_delivered = 0
        self.crash_at = -1
        self.before: Callable[[Sequence[RelayEvent]], None] = lambda _batch: None
        self.gates: dict[str, asyncio.Event] = {}

    def announce(self, *channels: str, kind: EventKind = EventKind.EVENT) -> None:
        for channel in channels:
            number = len(self.sent) + 1
            stored = StoredEvent(number, Event(channel, "e", {"user_id": "5", "n": number}, kind=kind), f"k{number}")
            self.stored.append(stored)
            self.sent.append(stored)
        self.news.set()

    async def pending(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        with self._step("pending"):
            self.most_rows_delivered = max(self.most_rows_delivered, len(but_not))
            return [one for one in self.stored if one.id not in but_not][:limit]

    async def next(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        await self.news.wait()
        self.news.clear()
        return await self.pending(limit, but_not)

    async def forget(self, ids: Collection[int]) -> None:
        with self._step("forget"):
            self.stored = [one for one in self.stored if one.id not in set(ids)]

    async def set_aside(self, event_id: int, refusal: str) -> None:
        assert refusal
        with self._step("set_aside"):
            self.stored = [one for one in self.stored if one.id != event_id]

    async def trigger_batch(self, batch: Sequence[RelayEvent]) -> dict[str, Any]:
        assert 0 < len(batch) <= BATCH
        gate = self.gates.get(batch[0]["channel"])
        if gate is not None:
            await gate.wait()
        self.before(batch)
        with self._step("trigger"):
            keys = [one["idempotency_key"] for one in batch]
            self.arrived += [key for key in keys if key not in self.arrived]
        return {}

    async def unsubscribe_user(self, user_id: str, channel: str | None = None) -> dict[str, Any]:
        assert user_id == "5"
        with self._step("unsubscribe"):
            self.ended.append(channel or "")
        return {}

    async def terminate_connections(self, user_id: str) -> dict[str, Any]:
        raise AssertionError(user_id)

    @property
    def numbers(self) -> list[int]:
        """Of what arrived, in that order."""
        return [int(key[1:]) for key in self.arrived]

    def of_channel(self, channel: str) -> list[int]:
        """The same of one channel."""
        mine = {one.id for one in self.sent if one.event.channel == channel}
        return [number for number in self.numbers if number in mine]

    @asynccontextmanager
    async def delivering(self, pace: Pace = STILL) -> AsyncIterator[None]:
        async with asyncio.timeout(10), Outbox(self, self, pace).running():
            yield

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - of what another task does
                await asyncio.sleep(0)

    def _step(self, name: str) -> "Step":
        return Step(self, name)


class Step:
    """One call; two moments at which it may be the last."""

    def __init__(self, memory: Memory, name: str) -> None:
        self._memory = memory
        self._name = name

    def __enter__(self) -> None:
        self._count(f"{self._name}…")

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        if kind is None:
            self._count(self._name)

    def _count(self, moment: str) -> None:
        memory = self._memory
        memory.calls.append(moment)
        if 0 <= memory.crash_at < len(memory.calls):
            raise Crash


async def test_one_look_at_the_store_finds_an_event_and_none_follows_without_news() -> None:
    memory = Memory()
    async with memory.delivering():
        await memory.until(lambda: memory.calls.count("pending") == 1)
        for number in range(1, 4):
            memory.announce("a")
            await memory.until(lambda: memory.numbers == list(range(1, number + 1)))  # noqa: B023
            for _ in range(20):
                await asyncio.sleep(0)
            assert memory.calls.count("pending") == 1 + number
    assert memory.stored == []


async def test_rows_of_delivered_events_are_removed_together() -> None:
    memory = Memory()
    async with memory.delivering(Pace(poll=3600, removal=0.05)):
        for number in range(1, 6):
            memory.announce("a")
            await memory.until(lambda: len(memory.arrived) == number)  # noqa: B023
        await memory.until(lambda: not memory.stored)
    assert memory.calls.count("forget") < 5
    assert memory.numbers == [1, 2, 3, 4, 5]


async def test_no_more_rows_of_delivered_events_stay_than_a_crash_may_hand_over_again() -> None:
    memory = Memory()
    memory.announce(*["a", "b", "c"] * AHEAD)
    async with memory.delivering():
        await memory.until(lambda: len(memory.arrived) == 3 * AHEAD)
    assert memory.most_rows_delivered <= DELIVERED + AHEAD
    assert memory.stored == []


async def test_what_was_read_completely_at_once_is_read_again_without_news() -> None:
    memory = Memory()
    memory.announce(*["a"] * (AHEAD + 1))
    async with memory.delivering():
        await memory.until(lambda: len(memory.arrived) == AHEAD + 1)
    assert memory.numbers == list(range(1, AHEAD + 2))


async def test_what_one_request_takes_goes_out_in_the_order_of_all_channels() -> None:
    memory = Memory()
    memory.announce(*"abcdeabcde")
    async with memory.delivering():
        await memory.until(lambda: len(memory.arrived) == BATCH)
    assert memory.numbers == list(range(1, BATCH + 1))
    assert memory.calls.count("trigger") == 1


async def test_a_channel_that_is_slow_holds_up_only_its_lane() -> None:
    memory = Memory()
    channels = [f"c{number}" for number in range(10 * LANES)]
    memory.announce(*channels, *channels)
    slow = memory.gates[channels[0]] = asyncio.Event()
    async with memory.delivering():
        await memory.until(lambda: len(memory.arrived) >= len(channels))
        assert memory.of_channel(channels[0]) == []
        slow.set()
        await memory.until(lambda: len(memory.arrived) == 2 * len(channels))
    assert all(memory.of_channel(one) == sorted(memory.of_channel(one)) for one in channels)


async def test_what_ends_access_waits_for_all_lanes_and_its_row_is_gone_before_anything_follows() -> None:
    memory = Memory()
    channels = [f"c{number}" for number in range(10 * LANES)]
    memory.announce(*channels)
    memory.announce("c1", kind=EventKind.UNSUBSCRIBE)
    memory.announce("c1")
    async with memory.delivering():
        await memory.until(lambda: len(memory.arrived) == len(channels) + 1)
    ended = memory.calls.index("unsubscribe")
    assert memory.calls[:ended].count("trigger") >= LANES
    assert memory.calls[ended + 1 :][:2] == ["forget…", "forget"]
    assert memory.ended == ["c1"]
    assert memory.numbers[-1] == len(channels) + 2


async def test_a_lane_that_fails_repeats_nothing_of_the_others() -> None:
    memory, failures = Memory(), 1
    memory.announce(*[f"c{number}" for number in range(20 * LANES)])
    requests: list[RelayEvent] = []

    def fail_once(batch: Sequence[RelayEvent]) -> None:
        nonlocal failures
        requests.extend(batch)
        if failures:
            failures -= 1
            raise RelayUnavailable("http://relay", "not now")

    memory.before = fail_once
    async with memory.delivering():
        await memory.until(lambda: len(memory.arrived) == 20 * LANES)
    assert len(requests) <= 20 * LANES + BATCH
    assert memory.stored == []


@pytest.mark.parametrize("seed", range(20))
async def test_each_channel_keeps_its_order_whatever_the_relay_refuses_and_misses(seed: int) -> None:
    dice, memory = random.Random(seed), Memory()  # noqa: S311 - no secret
    channels = [dice.choice("abcdefg") for _ in range(150)]
    memory.announce(*channels)
    faulty = set(dice.sample(range(1, 151), 10))
    aside: list[int] = []

    def trouble(batch: Sequence[RelayEvent]) -> None:
        if dice.random() < 0.2:
            raise RelayUnavailable("http://relay", "not now")
        for place, one in enumerate(batch):
            number = int(one["idempotency_key"][1:])
            if number in faulty:
                aside.append(number)
                raise RelayRefused(400, "no", place)

    memory.before = trouble
    async with memory.delivering():
        await memory.until(lambda: not memory.stored or len(memory.arrived) == 140)
    assert set(memory.numbers) == set(range(1, 151)) - faulty
    for channel in "abcdefg":
        assert memory.of_channel(channel) == sorted(memory.of_channel(channel))


def a_mixed_memory(crash_at: int = -1) -> Memory:
    """Events of three channels, and among them what ends access."""
    memory = Memory()
    memory.announce(*"abc" * 9)
    memory.announce("a", kind=EventKind.UNSUBSCRIBE)
    memory.announce(*"abc" * 9)
    memory.crash_at = crash_at
    return memory


async def moments_of_a_delivery() -> int:
    """At how many moments a crash may come."""
    memory = a_mixed_memory()
    async with memory.delivering():
        await memory.until(lambda: len(memory.arrived) == 54)
    return len(memory.calls)


async def test_a_crash_at_any_moment_loses_nothing_and_doubles_nothing() -> None:
    moments = await moments_of_a_delivery()
    assert moments > 15
    for moment in range(moments):
        memory = a_mixed_memory(crash_at=moment)
        with pytest.raises(Crash):
            async with memory.delivering():
                await memory.until(lambda: len(memory.calls) > moment or len(memory.arrived) == 54)  # noqa: B023
        memory.crash_at = -1
        memory.news.set()
        async with memory.delivering():
            await memory.until(lambda: len(memory.arrived) == 54 and bool(memory.ended))  # noqa: B023
        assert memory.stored == []
        assert sorted(memory.numbers) == [one.id for one in memory.sent if one.event.kind is EventKind.EVENT]
        assert all(memory.of_channel(channel) == sorted(memory.of_channel(channel)) for channel in "abc")


async def test_a_stop_removes_the_rows_of_what_was_delivered_though_the_relay_hangs_with_the_rest() -> None:
    memory = Memory()
    memory.announce("a")
    async with memory.delivering(Pace(poll=3600, removal=3600, deadline=0.05)):
        await memory.until(lambda: memory.numbers == [1])
        memory.gates["b"] = asyncio.Event()
        memory.announce("b")
        for _ in range(20):
            await asyncio.sleep(0)
    assert [one.event.channel for one in memory.stored] == ["b"]


async def test_it_may_be_woken_again_while_it_is_just_waking_up() -> None:
    memory = Memory()
    outbox = Outbox(memory, memory, STILL)
    async with asyncio.timeout(10), outbox.running():
        await memory.until(lambda: outbox._patience is not None)
        for _ in range(5):
            outbox.wake()
            await asyncio.sleep(0)


async def test_rows_of_delivered_events_go_in_time_also_while_the_relay_is_away() -> None:
    memory = Memory()
    is_away = False

    def refuse(_batch: Sequence[RelayEvent]) -> None:
        if is_away:
            raise RelayUnavailable("http://relay", "not now")

    memory.before = refuse
    async with memory.delivering(STILL_BUT_REMOVAL):
        memory.announce("a")
        await memory.until(lambda: memory.numbers == [1])
        is_away = True
        memory.announce("a")
        await memory.until(lambda: [one.id for one in memory.stored] == [2])
        is_away = False
    assert memory.numbers == [1, 2]
