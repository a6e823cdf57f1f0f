"""Eight nodes let users into one channel and out of it as quickly as they can, while links are cut: a log shows one history.

Never are there more members than may be, a user is added and removed in turn, and who is there in the end is who Redis has
and every node.
"""

import asyncio
import random
from collections.abc import AsyncIterator

import msgspec
import pytest

from relay.cluster.redis.cluster import Options
from relay.cluster.roster import Entered
from tests.helpers.fake_node import APP, FakeNode
from tests.helpers.redis import RedisServer
from tests.relay.cluster.contract import ROOM, until
from tests.relay.cluster.redis.clusters import RedisNodes

WRITERS = 8
LIMIT = 3
USERS = [f"user-{at}" for at in range(8)]


@pytest.fixture
async def nodes(redis: RedisServer) -> AsyncIterator[RedisNodes]:
    nodes = RedisNodes(redis.unix_url, Options(log_entries=1_000_000))
    yield nodes
    await nodes.stop()


async def come_and_go(node: FakeNode, deadline: float, chance: random.Random) -> int:
    """What a busy node does until `deadline`; how often somebody came in."""
    loop, came = asyncio.get_running_loop(), 0
    while loop.time() < deadline:
        here = list(node.members_here(APP, ROOM))
        if here:
            node.leave(ROOM, chance.choice(here))
            await asyncio.sleep(0.001 * chance.random())
        else:
            came += await come(node, chance.choice(USERS), is_withdrawn=chance.random() < 0.1)
    return came


async def come(node: FakeNode, user: str, *, is_withdrawn: bool) -> bool:
    answers = node.enter(ROOM, user, limit=LIMIT)
    if is_withdrawn:
        await asyncio.sleep(0)
        if not answers:
            node.leave(ROOM, user)
            return False
    await until(lambda: answers, "an answer")
    return isinstance(answers[0], Entered)


async def cut_links(nodes: RedisNodes, deadline: float, chance: random.Random) -> None:
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
        link = nodes.cluster_of(chance.choice(nodes.started))._partitions.control.link
        if link is not None:
            link.abort("cut by the test")


def history(redis: RedisServer) -> list[tuple[str, str]]:
    """Who was added and removed, as the log has it."""
    moves = []
    for _, fields in redis.ask("XRANGE", "pd:{0}:log", "-", "+"):
        if fields[b"t"].endswith(f":t:{APP}:{ROOM}".encode()):
            head, body = fields[b"m"].split(b"\0", 1)
            value = msgspec.msgpack.decode(body)
            moves.append((chr(head[0]), value if isinstance(value, str) else value[0]))
    return moves


def replay(moves: list[tuple[str, str]]) -> set[str]:
    """Who is in after these; fails where they cannot have happened."""
    there: set[str] = set()
    for kind, user in moves:
        assert (kind == "a") == (user not in there), f"{user} was told of twice"
        there ^= {user}
        assert len(there) <= LIMIT
    return there


async def run(nodes: RedisNodes, redis: RedisServer, seconds: float, *, is_cut: bool) -> None:
    writers = await nodes.start(WRITERS)
    for node in writers:
        node.listen(ROOM)
    await nodes.settle()
    chance = random.Random(8)  # noqa: S311 - a test's
    deadline = asyncio.get_running_loop().time() + seconds
    tasks = [asyncio.create_task(come_and_go(node, deadline, chance)) for node in writers]
    if is_cut:
        await cut_links(nodes, deadline, chance)
    came = sum(await asyncio.gather(*tasks))
    clusters = [nodes.cluster_of(node) for node in writers]
    await until(lambda: all(cluster.state().is_up for cluster in clusters), "all links are back")
    await until(lambda: not any(cluster.state().unanswered_reports for cluster in clusters), "all is reported")
    await nodes.settle()
    moves = history(redis)
    assert came >= WRITERS
    assert sum(kind == "a" for kind, _ in moves) > LIMIT
    there = replay(moves)
    held = {user for node in writers for user in node.members_here(APP, ROOM)}
    assert there == held == {user.decode() for user in redis.ask("HKEYS", f"pd:{{0}}:mem:{APP}:{ROOM}")}
    for node in writers:
        if node.members_here(APP, ROOM):
            assert node.replica[APP, ROOM].keys() == there


async def test_no_channel_has_ever_more_members_than_may_be(nodes: RedisNodes, redis: RedisServer) -> None:
    await run(nodes, redis, 1.0, is_cut=False)


@pytest.mark.long
async def test_nor_while_links_are_cut(nodes: RedisNodes, redis: RedisServer) -> None:
    await run(nodes, redis, 5.0, is_cut=True)
