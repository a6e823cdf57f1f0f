"""Several nodes over the Redis of this process. What they send waits until Redis takes it, what it sends until it is
delivered: in an order that a test draws, node by node, so that answers and pushes meet in every way in which they can.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from relay.apps import App, Apps
from relay.cluster.redis.cluster import Options, RedisCluster
from relay.cluster.redis.link import Access
from relay.cluster.redis.scripts import load
from relay.cluster.redis.topology import Primary
from relay.node.node import Node
from relay.watch.happenings import Observers
from tests.helpers.fake_redis import FakeLink, FakeRedis

OPTIONS = Options()


class _Guide:
    """Nobody asks it: see Fleet."""

    access = Access()
    interval: float | None = None

    async def find(self) -> tuple[Primary, ...]:
        raise NotImplementedError


class Fleet:
    """See relay.cluster.redis.fleet.Fleet: one link, made anew when the test says so."""

    is_hopeless = False
    problem = ""

    def __init__(self, redis: FakeRedis, cluster: RedisCluster) -> None:
        self._redis = redis
        self._cluster = cluster
        self.link: FakeLink | None = None

    def start(self) -> None:
        self.connect()

    def connect(self) -> None:
        """Make a link, if there is none."""
        if self.link is not None:
            return
        for script in load(OPTIONS.log_entries, OPTIONS.times, is_sharded=False).values():
            self._redis.load(script.text)
        self.link = FakeLink(self._redis, self._take_push, self._take_loss)
        for partition in self._cluster._partitions.all:
            partition.attach(self.link, str(self._redis.run_id))  # type: ignore[arg-type]  # as far as it is used

    def _take_push(self, _kind: bytes, name: bytes, payload: Any) -> None:
        topic = self._cluster._partitions.topics.get(name)
        if topic is not None and self.link is not None:
            topic.partition.push(self.link, topic, payload)  # type: ignore[arg-type]  # likewise

    def _take_loss(self, _reason: str) -> None:
        self.link = None
        for partition in self._cluster._partitions.all:
            partition.detach()

    @property
    def unanswered(self) -> int:
        return 0 if self.link is None else self.link.unanswered


class FakeNode:
    """A node in the sense of the relay, with its link. Frozen, it takes nothing and its time does not pass."""

    def __init__(self, redis: FakeRedis, app: App, clock: Callable[[], float], later: Callable[..., object]) -> None:
        self.is_frozen = False
        self.cluster = RedisCluster(_Guide(), OPTIONS, clock)
        self.fleet = Fleet(redis, self.cluster)
        self.cluster._fleet = self.fleet  # type: ignore[assignment]  # the same, without a loop
        self.node = Node(Apps([app]), self.cluster, 120, clock, lambda _call: None, Observers())
        self.cluster.begin(self.node.arrivals, lambda seconds, call: later(self, seconds, call))

    def cut(self) -> None:
        """Lose the link."""
        if self.fleet.link is not None:
            self.fleet.link.abort("cut by the test")


class FakeCluster:
    """All of them, and their time."""

    def __init__(self, app: App, count: int, redis: FakeRedis) -> None:
        self.redis = redis
        self.now = 1_000.0
        self.app = app
        self._timers: list[tuple[float, int, FakeNode, Callable[[], None]]] = []
        self._number = itertools.count()
        self.nodes: list[FakeNode] = []
        # Redis takes no connections.
        self.is_away = False
        for _ in range(count):
            self.add()
        self.settle(random.Random(0))  # noqa: S311 - a test's

    def add(self) -> FakeNode:
        """One node more."""
        node = FakeNode(self.redis, self.app, lambda: self.now, self._later)
        self.nodes.append(node)
        return node

    def kill(self, node: FakeNode) -> None:
        """End it without a word."""
        node.cut()
        self.nodes.remove(node)

    def _later(self, node: FakeNode, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (self.now + seconds, next(self._number), node, call))

    def settle(self, chance: random.Random, cuts: dict[FakeNode, int] | None = None) -> None:
        """Let everything happen that follows by itself. A node is cut in `cuts` when so many things have happened."""
        cuts = dict(cuts or {})
        for step in itertools.count():
            assert step < 100_000, "it never ends"
            for node in [node for node, at in cuts.items() if at <= step]:
                del cuts[node]
                node.cut()
            moves = self._moves()
            if not moves:
                if not cuts:
                    return
                cuts = dict.fromkeys(cuts, step)
                continue
            chance.choice(moves)()

    def _moves(self) -> list[Callable[[], None]]:
        """What may happen next."""
        moves: list[Callable[[], None]] = []
        for node in self.nodes:
            link = node.fleet.link
            if link is None:
                if not node.is_frozen and not self.is_away:
                    moves.append(node.fleet.connect)
                continue
            if link.out:
                moves.append(link.execute)
            if link.incoming and not node.is_frozen:
                moves.append(lambda node=node, link=link: self._deliver(node, link))  # type: ignore[misc]
        return moves

    def _deliver(self, node: FakeNode, link: FakeLink) -> None:
        link.deliver()
        node.node.flush()

    def pass_a_second(self, chance: random.Random) -> None:
        """In quarters, as some things wait for less; then every node does what is due."""
        for _ in range(4):
            self.now += 0.25
            self.redis.now += 250
            self._run_timers()
            self.settle(chance)
        for node in self.nodes:
            if not node.is_frozen:
                node.node.tick(self.now)
        self.settle(chance)

    def _run_timers(self) -> None:
        kept = []
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)
            _, _, node, call = timer
            if node not in self.nodes:
                continue
            if node.is_frozen:
                kept.append(timer)
                continue
            call()
            node.node.flush()
        for timer in kept:
            heapq.heappush(self._timers, timer)
