"""The cluster over Redis: the contracts in one value, their links, and what is due every second.

See relay.cluster.cluster.Cluster. Composes the parts of this folder; must not know nodes.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
from msgspec import Struct

from relay.apps import App
from relay.cluster.bus import Unavailable
from relay.cluster.keys import DEFAULT_PREFIX, LOG_ENTRIES, PARTITIONS_ALONE, PARTITIONS_IN_CLUSTER, Keys, slot_of
from relay.cluster.receiver import Receiver
from relay.cluster.redis.bus import RedisBus
from relay.cluster.redis.calls import ignore
from relay.cluster.redis.catch_up import CatchUp, CaughtUp
from relay.cluster.redis.commands import RedisCommands
from relay.cluster.redis.fleet import Fleet, Guide
from relay.cluster.redis.hooks import RedisHooks
from relay.cluster.redis.loads import Loads
from relay.cluster.redis.memory import RedisMemory
from relay.cluster.redis.partition import Gap, Partition, Topic
from relay.cluster.redis.partitions import Partitions
from relay.cluster.redis.pushes import Meanings
from relay.cluster.redis.reports import Assertion
from relay.cluster.redis.roster.counts import Later
from relay.cluster.redis.roster.roster import RedisRoster
from relay.cluster.redis.scripts import Times, load
from relay.cluster.redis.topology import Topology, parse_url
from relay.cluster.redis.witness import RedisWitness
from relay.protocol.channels import InvalidChannelName, rules_for
from relay.watch.stats import ClusterStats

log = structlog.get_logger()

# Of what is written to Redis: nodes of another one cannot join.
FORMAT: Final = 1

# Seconds: until a start without any Redis is given up; until a node that lost its Redis takes no new clients; until what was
# sent before a stop is given up.
START_TIMEOUT: Final = 10.0
READY_TIMEOUT: Final = 3.0
STOP_TIMEOUT: Final = 2.0
_POLL: Final = 0.01


class Options(Struct, frozen=True):
    """What all nodes of a cluster have to agree on."""

    prefix: str = DEFAULT_PREFIX
    partitions: int = PARTITIONS_ALONE
    log_entries: int = LOG_ENTRIES
    times: Times = Times()


class RedisCluster:
    """See Cluster. `guide` finds the primaries, of a Redis Cluster if `is_sharded`; `clock` is the loop's time."""

    def __init__(self, guide: Guide, options: Options, clock: Callable[[], float], *, is_sharded: bool = False) -> None:
        self._times = options.times
        self._clock = clock
        scripts = load(options.log_entries, options.times, is_sharded=is_sharded)
        keys = Keys(options.prefix, options.partitions)
        topics: dict[bytes, Topic] = {}

        def make(number: int) -> Partition:
            base, slot = keys.key(number, "").encode(), slot_of(keys.tags[number])
            shape = f"{FORMAT}:{options.partitions}" if number == keys.control_partition else ""
            return Partition(base, slot, scripts, topics, self, clock, is_sharded=is_sharded, shape=shape)

        self._partitions = Partitions(keys, [make(number) for number in range(options.partitions)], topics)
        self.bus = RedisBus(self._partitions, is_sharded=is_sharded)
        self.roster = RedisRoster(self._partitions)
        self.memory = RedisMemory(self._partitions)
        self.commands = RedisCommands(self._partitions, is_sharded=is_sharded)
        self.witness = RedisWitness(self._partitions, self._app)
        self.hooks = RedisHooks(self._partitions, clock)
        self._fleet = Fleet(guide, self._partitions.all, topics, scripts)
        self._receiver: Receiver
        self._meanings: Meanings
        self._loads: Loads
        self._down_since: float | None = clock()
        self._beat_at = float("-inf")
        self._is_stopped = False

    # --- start and stop

    @property
    def is_alone(self) -> bool:
        """See Cluster."""
        return False

    async def start(self, receiver: Receiver) -> None:
        """See Cluster."""
        self.begin(receiver, asyncio.get_running_loop().call_later)
        deadline = self._clock() + START_TIMEOUT
        while not self._is_ready():
            if self._fleet.is_hopeless or self._clock() >= deadline:
                await self._fleet.stop()
                raise ConnectionError(f"the other nodes cannot be reached: {self._fleet.problem}")
            await asyncio.sleep(_POLL)

    def begin(self, receiver: Receiver, later: Later) -> None:
        """Begin to join the others; `later` is the loop's call_later."""
        self._receiver = receiver
        self._meanings = Meanings(receiver, self.roster)
        self._loads = Loads(self._partitions.control, receiver)
        self.roster.begin(receiver, self._loads, later)
        control = self._partitions.control
        control.listen(self._partitions.keys.control_topic, "k", "", "")
        self._fleet.start()

    async def stop(self) -> None:
        """See Cluster."""
        deadline = self._clock() + STOP_TIMEOUT
        while self._is_busy() and self._clock() < deadline:  # noqa: ASYNC110 - once, at the very end
            await asyncio.sleep(_POLL)
        self._is_stopped = True
        self.hooks.resign()
        for partition in self._partitions.all:
            partition.ask("bye", (partition.lease.node,), ignore)
        while self._fleet.unanswered and self._clock() < deadline:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_POLL)
        await self._fleet.stop()

    def _app(self, app_id: str) -> App | None:
        return self._receiver.app(app_id)

    def _is_ready(self) -> bool:
        return all(partition.is_ready for partition in self._partitions.all)

    def _is_busy(self) -> bool:
        """Whether something is on its way that Redis can still take."""
        if not self._is_ready():
            return False
        return bool(self._fleet.unanswered or any(len(partition.reports) for partition in self._partitions.all))

    # --- every second

    def reload(self) -> None:
        """See Cluster."""

    def tick(self, now: float) -> None:
        """See Cluster."""
        is_ready = self._is_ready()
        if is_ready:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
        # A tick that comes a little early must not put the beat off for another second.
        is_due = now - self._beat_at >= self._times.beat * 0.75
        if is_due:
            self._beat_at = now
            self._loads.report()
        for partition in self._partitions.all:
            partition.tick()
            if is_due:
                partition.beat()
        self.roster.tick()
        self.hooks.tick()

    def why_not_ready(self) -> str | None:
        """See Cluster."""
        if self._down_since is not None and self._clock() - self._down_since >= READY_TIMEOUT:
            return f"the other nodes cannot be reached: {self._fleet.problem}"
        if any(partition.lease.is_rebuilding for partition in self._partitions.all):
            return "the cluster is being rebuilt"
        return None

    def state(self) -> ClusterStats:
        """For the metrics."""
        all_ = self._partitions.all
        figures = [partition.figures for partition in all_]

        def total(name: str) -> int:
            return sum(getattr(each, name) for each in figures)

        return ClusterStats(
            is_up=self._is_ready(),
            problem=self._fleet.problem,
            nodes=max(partition.lease.nodes for partition in all_),
            round_trip=max(partition.round_trip for partition in all_),
            unanswered=self._fleet.unanswered,
            unanswered_reports=sum(len(partition.reports) for partition in all_),
            lease_age=max(self._clock() - partition.lease.renewed_at for partition in all_),
            refused=self.bus.refused,
            **{name: total(name) for name in ("replayed", "recovered", "gaps", "stale", "reaped", "epochs")},
        )

    # --- what a partition says: see relay.cluster.redis.partition.Host

    def heard(self, partition: Partition, topic: Topic, entry_id: bytes, message: bytes, /) -> None:
        """See Host."""
        if topic.kind == "h":
            self.hooks.heard(partition, message)
        elif not self._is_stopped:
            self._meanings.take(partition, topic, entry_id, message)

    def ready(self, partition: Partition, /) -> None:
        """See Host."""
        if self._is_ready():
            self._down_since = None

    def lost_messages(self, partition: Partition, gap: Gap, done: Callable[[], None], /) -> None:
        """See Host. Histories have what the log has not; of what they have not either the node is told."""

        def take(caught_up: CaughtUp) -> None:
            lost = caught_up.lost
            partition.figures.recovered += caught_up.events
            base = partition.base.decode()
            log.warning("redis_gap", partition=base, channels=len(lost), recovered=caught_up.events)
            if lost:
                self._receiver.missed([(topic.app_id, topic.name) for topic in lost])
            done()

        CatchUp(partition, gap, self._has_history, take).begin()

    def _has_history(self, topic: Topic) -> bool:
        app = self._receiver.app(topic.app_id)
        return app is not None and app.history_of(topic.name) is not None

    def compare(self, partition: Partition, /) -> None:
        """See Host."""
        # What an emptied Redis has by now is not yet what is the case: see `rebuilt`.
        if not partition.lease.is_rebuilding:
            self._read_members(partition)
            self.roster.refresh(partition)

    def rebuilt(self, partition: Partition, /) -> None:
        """See Host."""
        self._read_members(partition)
        self.roster.refresh(partition)

    def _read_members(self, partition: Partition) -> None:
        """Have the members of all presence channels compared with those that clients know of."""
        for topic in partition.topics():
            if topic.kind == "t" and _is_presence(topic.name):
                key = partition.base + f"mem:{topic.app_id}:{topic.name}".encode()
                partition.command(("HGETALL", key), self._take_members(topic))

    def _take_members(self, topic: Topic) -> Callable[[Any], None]:
        def take(answer: Any) -> None:
            # After another loss of the link they are read again.
            if not isinstance(answer, Unavailable):
                members = {user.decode(): info for user, info in answer.items()}
                self.roster.members.members_are(topic.app_id, topic.name, members)

        return take

    def holdings(self, partition: Partition, /) -> Iterator[Assertion]:
        """See Host."""
        return self.roster.holdings(partition)

    def unlike(self, partition: Partition, reason: str, /) -> None:
        """See Host."""
        self._fleet.give_up(f"{reason}; here it is {FORMAT}:{len(self._partitions.all)} (format:partitions)")

    def misplaced(self, partition: Partition, reason: str, /) -> None:
        """See Host."""
        self._fleet.look_again(partition, reason)


def over_redis(url: str, prefix: str, partitions: int, log_entries: int, clock: Callable[[], float]) -> RedisCluster:
    """The cluster over the Redis of a URL, not started yet. `partitions`: 0 for what suits it. Raises BadUrl, and OSError if
    the URL's file of certificates cannot be read."""
    place = parse_url(url)
    options = Options(prefix, partitions or partitions_for(url), log_entries)
    return RedisCluster(Topology(place), options, clock, is_sharded=place.kind == "cluster")


def partitions_for(url: str) -> int:
    """How many partitions suit the Redis of a URL."""
    return PARTITIONS_IN_CLUSTER if parse_url(url).kind == "cluster" else PARTITIONS_ALONE


def _is_presence(channel: str) -> bool:
    try:
        return rules_for(channel).is_presence
    except InvalidChannelName:
        return False
