"""Nodes over a real Redis, each with a receiver that writes down what it is told."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from relay.apps import App
from relay.cluster.bus import SENT_ONLY, Kept, Outcome
from relay.cluster.redis.cluster import Options, RedisCluster
from relay.cluster.redis.scripts import Times
from relay.cluster.redis.topology import Topology, parse_url
from relay.protocol.session import Member

# Seconds until a test gives up waiting for something that has to come.
PATIENCE = 10.0

# A cluster whose times are a tenth of the real ones.
QUICK = Options(times=Times(lease=0.6, beat=0.2, outage=0.3, rebuilding=0.6))


class Recorder:
    """A receiver with holdings that a test sets."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.connections: dict[str, int] = {"3": 0}
        self.subscriptions: dict[tuple[str, str], int] = {}
        self.members: dict[tuple[str, str], dict[str, bytes]] = {}
        self.users: dict[str, list[str]] = {}

    def frames(self, channel: str = "a") -> list[bytes]:
        """What was delivered to a channel of app 3."""
        return [call[3] for call in self.told if call[:3] == ("deliver", "3", channel)]

    def deliver(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> None:
        self.told.append(("deliver", app_id, channel, frame, exclude))

    def member_added(self, app_id: str, channel: str, member: Member, exclude: str | None, /) -> None:
        self.told.append(("member_added", app_id, channel, member, exclude))

    def member_removed(self, app_id: str, channel: str, user_id: str, /) -> None:
        self.told.append(("member_removed", app_id, channel, user_id))

    def members_are(self, app_id: str, channel: str, members: Mapping[str, bytes], /) -> None:
        self.told.append(("members_are", app_id, channel, dict(members)))

    def count_told(self, app_id: str, channel: str, count: int, /) -> None:
        self.told.append(("count_told", app_id, channel, count))

    def went_online(self, app_id: str, user_id: str, exclude: str | None, /) -> None:
        self.told.append(("went_online", app_id, user_id, exclude))

    def went_offline(self, app_id: str, user_id: str, /) -> None:
        self.told.append(("went_offline", app_id, user_id))

    def terminated(self, app_id: str, user_id: str, /) -> None:
        self.told.append(("terminated", app_id, user_id))

    def unsubscribed(self, app_id: str, user_id: str, channel: str | None, /) -> None:
        self.told.append(("unsubscribed", app_id, user_id, channel))

    def reloaded(self) -> None:
        self.told.append(("reloaded",))

    def observed(self, app_id: str, viewer: str, seconds: float, /) -> None:
        self.told.append(("observed", app_id, viewer, seconds))

    def shown(self, viewer: str, happening: bytes, /) -> None:
        self.told.append(("shown", viewer, happening))

    def missed(self, channels: Iterable[tuple[str, str]], /) -> None:
        self.told.append(("missed", sorted(channels)))

    def app_ids(self) -> Iterable[str]:
        return self.connections

    def app(self, app_id: str, /) -> App | None:
        return None

    def hit(self, app_id: str, limit: str, /) -> None:
        self.told.append(("hit", app_id, limit))

    def connections_here(self, app_id: str, /) -> int:
        return self.connections.get(app_id, 0)

    def channels_here(self, app_id: str, /) -> Iterable[str]:
        return [channel for app, channel in self.subscriptions if app == app_id]

    def subscriptions_here(self, app_id: str, channel: str, /) -> int:
        return self.subscriptions.get((app_id, channel), 0)

    def members_here(self, app_id: str, channel: str, /) -> Mapping[str, bytes]:
        return self.members.get((app_id, channel), {})

    def users_here(self, app_id: str, /) -> Collection[str]:
        return self.users.get(app_id, [])


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
