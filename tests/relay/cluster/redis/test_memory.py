"""What Redis remembers, where the contract says less: how positions go on when events are forgotten."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from relay.cluster.bus import Accepted, History, Kept
from relay.cluster.memory import Recovered
from relay.protocol.events import with_id
from relay.wire.frames import text_frame
from tests.helpers.redis import RedisServer
from tests.relay.cluster.redis.nodes import TestNode, wait

HISTORY = History(size=3, ttl=60)
HIST, POS = "pd:{0}:hist:3:a", "pd:{0}:pos:3:a"


@pytest.fixture
async def node(redis: RedisServer) -> AsyncIterator[TestNode]:
    made = await TestNode(redis.unix_url).start()
    yield made
    await made.cluster.stop()


async def publish(node: TestNode, *texts: str) -> list[str]:
    """The ids of events with a history."""
    outcomes = [await node.publish(text, kept=Kept(history=HISTORY)) for text in texts]
    return [outcome.id for outcome in outcomes if isinstance(outcome, Accepted)]


async def since(node: TestNode, position: str) -> Recovered:
    found: Recovered = await wait(partial(node.cluster.memory.since, "3", "a", position, HISTORY))
    return found


def frame(text: str, event_id: str) -> bytes:
    return text_frame(with_id(b'{"data":"%b"}' % text.encode(), event_id))


async def test_a_client_of_before_the_first_event_gets_all_while_none_had_to_make_room(node: TestNode) -> None:
    start = (await since(node, "")).position
    assert start.endswith(".0-0")
    ids = await publish(node, "1", "2", "3")
    recovered = await since(node, start)
    assert recovered == Recovered(
        ids[-1], is_complete=True, frames=[frame(text, event_id) for text, event_id in zip("123", ids, strict=True)]
    )
    await publish(node, "4")
    assert not (await since(node, start)).is_complete


async def test_an_event_that_just_made_room_is_a_position_after_which_nothing_is_missing(node: TestNode) -> None:
    ids = await publish(node, *"12345")
    assert await since(node, ids[1]) == Recovered(
        ids[-1], is_complete=True, frames=[frame(text, ids[int(text) - 1]) for text in "345"]
    )
    assert await since(node, ids[0]) == Recovered(ids[-1], is_complete=False)


async def test_when_all_events_are_forgotten_only_the_newest_is_a_position(node: TestNode, redis: RedisServer) -> None:
    ids = await publish(node, "1", "2")
    assert redis.client.ttl(HIST) in {59, 60}
    assert redis.client.ttl(POS) in {86_399, 86_400}
    redis.client.delete(HIST)
    assert await since(node, ids[1]) == Recovered(ids[1], is_complete=True, frames=[])
    assert await since(node, ids[0]) == Recovered(ids[1], is_complete=False)
    ids += await publish(node, "3")
    assert await since(node, ids[1]) == Recovered(ids[2], is_complete=True, frames=[frame("3", ids[2])])
    assert await since(node, ids[0]) == Recovered(ids[2], is_complete=False)


async def test_a_position_older_than_all_that_is_known_of_the_channel_is_not_complete(
    node: TestNode, redis: RedisServer
) -> None:
    (old,) = await publish(node, "1")
    redis.client.delete(HIST, POS)
    assert await since(node, old) == Recovered(old[:9] + "0-0", is_complete=False)


async def test_a_position_that_a_primary_took_along_when_it_ended_is_not_complete(node: TestNode) -> None:
    (newest,) = await publish(node, "1")
    milliseconds, number = newest[9:].split("-")
    for later in (f"{newest[:9]}{int(milliseconds) + 60_000}-0", f"{newest[:9]}{milliseconds}-{int(number) + 1}"):
        assert await since(node, later) == Recovered(newest, is_complete=False)


async def test_a_position_of_another_epoch_or_none_at_all_is_not_complete(node: TestNode) -> None:
    (newest,) = await publish(node, "1")
    for position in (f"zzzzzzzz.{newest[9:]}", "nonsense", f"{newest}0-0", newest[9:]):
        assert await since(node, position) == Recovered(newest, is_complete=False)


async def test_requests_are_let_through_at_their_rate_and_as_many_at_once(node: TestNode, redis: RedisServer) -> None:
    async def take(rate: int) -> bool:
        answer: bool = await wait(partial(node.cluster.memory.take, "3", rate))
        return answer

    answers = [await take(5) for _ in range(8)]
    assert answers[:5] == [True] * 5
    assert not all(answers)
    # A second later.
    due = float(redis.ask("GET", "pd:{0}:rate:3"))
    redis.client.set("pd:{0}:rate:3", f"{due - 1_000_000:.0f}")
    assert [await take(5) for _ in range(4)] == [True] * 4


async def test_a_clock_that_was_set_back_does_not_refuse_requests_for_long(node: TestNode, redis: RedisServer) -> None:
    redis.client.set("pd:{0}:rate:3", str(2**52))
    assert await wait(partial(node.cluster.memory.take, "3", 5))
