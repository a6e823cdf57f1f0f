from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from relay.cluster.bus import Accepted
from relay.wire.frames import text_frame
from tests.helpers.redis import RedisServer
from tests.relay.cluster.redis.nodes import TestNode, until

Start = Callable[[], Awaitable[TestNode]]


@pytest.fixture
async def start(redis: RedisServer) -> AsyncIterator[Start]:
    nodes: list[TestNode] = []

    async def make() -> TestNode:
        nodes.append(TestNode(redis.unix_url))
        return await nodes[-1].start()

    yield make
    for node in nodes:
        await node.cluster.stop()


def frame(text: str) -> bytes:
    return text_frame(b'{"data":"%b"}' % text.encode())


async def test_what_one_node_publishes_all_listening_nodes_deliver_this_one_too(start: Start) -> None:
    one, other, deaf = await start(), await start(), await start()
    await one.listen("a")
    await other.listen("a")
    assert await one.publish("hi") == Accepted()
    await until(lambda: one.receiver.frames() and other.receiver.frames())
    assert one.receiver.told == other.receiver.told == [("deliver", "3", "a", frame("hi"), None)]
    assert deaf.receiver.told == []


async def test_nothing_is_delivered_here_before_redis_has_it(start: Start) -> None:
    node = await start()
    await node.listen("a")
    outcome = node.publish("hi")
    assert node.receiver.told == []
    await outcome
    await until(lambda: node.receiver.told)


async def test_what_was_published_before_a_channel_was_listened_to_is_not_delivered_after_a_cut(start: Start) -> None:
    node, other = await start(), await start()
    await other.publish("old")
    await node.listen("a")
    link = node.cluster._partitions.control.link
    assert link is not None
    link.abort("cut by the test")
    await until(lambda: node.cluster.state().is_up)
    await other.publish("new")
    await until(node.receiver.frames)
    assert node.receiver.frames() == [frame("new")]
