"""Nodes over a real Redis, each with a receiver that writes down what it is told."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from relay.cluster.bus import SENT_ONLY, Kept, Outcome
from relay.cluster.redis.cluster import Options, RedisCluster
from relay.cluster.redis.scripts import Times
from relay.cluster.redis.topology import Topology, parse_url
from tests.helpers.fake_node import Recorder

# Seconds until a test gives up waiting for something that has to come.
PATIENCE = 10.0

# A cluster whose times are a tenth of the real ones.
QUICK = Options(times=Times(lease=0.6, beat=0.2, outage=0.3, rebuilding=0.6))


class TestNode:
    """One node: its cluster, and what it was told."""

    __test__ = False

    def __init__(self, url: str, options: Options = QUICK) -> None:
        self.clock = asyncio.get_running_loop().time
        where = parse_url(url)
        self.cluster = RedisCluster(Topology(where), options, self.clock, is_sharded=where.kind == "cluster")
        self.receiver = Recorder()

    async def start(self) -> "TestNode":
        await self.cluster.start(self.receiver)
        return self

    def tick(self) -> None:
        self.cluster.tick(self.clock())

    async def listen(self, *channels: str) -> None:
        """Listen to channels of app 3, until all are confirmed."""
        for channel in channels:
            await wait(partial(self.cluster.bus.listen, "3", channel))

    def publish(self, text: str, channel: str = "a", kept: Kept = SENT_ONLY) -> "asyncio.Future[Outcome]":
        """Publish JSON of this text; the future gets what became of it."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        message = b'{"data":"%b"}' % text.encode()
        self.cluster.bus.publish("3", channel, message, None, kept, future.set_result)
        return future


async def wait(start: Callable[[Callable[..., None]], None]) -> Any:
    """What the callback that `start` is given gets."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    start(lambda *values: future.set_result(*values or (None,)))
    async with asyncio.timeout(PATIENCE):
        return await future


async def until(is_so: Callable[[], object], what: str = "it") -> None:
    """Wait until it is so."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not is_so():
        assert asyncio.get_running_loop().time() < deadline, f"never: {what}"
        await asyncio.sleep(0.005)
