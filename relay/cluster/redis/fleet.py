"""Links to all primaries, kept up: each partition gets the one to its primary, again and again until there is one.

Must not know what is sent over them.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog
from hiredis import ReplyError

from relay.cluster.redis.calls import ignore
from relay.cluster.redis.link import Access, Endpoint, Greeting, Link, LinkFailed
from relay.cluster.redis.partition import Partition, Topic
from relay.cluster.redis.scripts import Script
from relay.cluster.redis.topology import NotFound, Primary

log = structlog.get_logger()

# Seconds between attempts to connect, from the first to the last step; each is drawn from the upper half.
FIRST_PAUSE: Final = 0.05
LAST_PAUSE: Final = 2.0

# Below it there is no XADD within scripts, SPUBLISH, or script flags.
LEAST_VERSION: Final = (7, 0)

# Errors that are about some keys; others are about a Redis as a whole.
_MOVED: Final = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")


class Guide(Protocol):
    """Knows where the primaries are: relay.cluster.redis.topology.Topology, or a test."""

    access: Access
    interval: float | None
    """Look again after so many seconds even without a sign; None: not."""

    async def find(self) -> Sequence[Primary]:
        """The primaries as they are now. Raises NotFound."""


class Unusable(Exception):
    """A Redis that can never be used as it is; `reason` is for the operator."""

    def __init__(self, endpoint: Endpoint, reason: str) -> None:
        super().__init__(endpoint, reason)
        self.endpoint = endpoint
        self.reason = reason

    def __str__(self) -> str:
        return f"Redis at {self.endpoint}: {self.reason}"


class _Line:
    """A link to one primary, and what is pushed over it."""

    __slots__ = ("_topics", "link", "on_moved", "run_id")

    def __init__(self, topics: Mapping[bytes, Topic], on_moved: Callable[[Partition, str], None]) -> None:
        self._topics = topics
        self.on_moved = on_moved
        self.link: Link
        self.run_id = ""

    def take_push(self, kind: bytes, name: bytes, payload: Any) -> None:
        topic = self._topics.get(name)
        if topic is None:
            return
        if type(payload) is bytes:
            topic.partition.push(self.link, topic, payload)
        elif kind == b"sunsubscribe" and not topic.partition.is_unsubscribing(name):
            # Unasked for, as the topic is still listened to: its slot has moved.
            self.on_moved(topic.partition, "MOVED")


class Fleet:
    """`guide` says who the primaries are; `topics` are those of all partitions."""

    def __init__(
        self,
        guide: Guide,
        partitions: Sequence[Partition],
        topics: Mapping[bytes, Topic],
        scripts: Mapping[str, Script],
    ) -> None:
        self._guide = guide
        self._partitions = partitions
        self._topics = topics
        self._scripts = scripts
        self._lines: dict[Endpoint, _Line] = {}
        # The link that each partition had last.
        self._homes: dict[Partition, Link] = {}
        self._is_wanted = asyncio.Event()
        self._is_wanted.set()
        self._task: asyncio.Task[None] | None = None
        # Why there is no link, for the operator; "" while all are up.
        self.problem = "not connected yet"
        self.is_hopeless = False
        self._is_stopping = False

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End all links."""
        self._is_stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for line in list(self._lines.values()):
            line.link.abort("the relay stops")

    @property
    def unanswered(self) -> int:
        """Commands that wait for an answer, on all links."""
        return sum(line.link.unanswered for line in self._lines.values())

    def look_again(self, partition: Partition, reason: str) -> None:
        """The primary of a partition is another one, or cannot be used just now."""
        link = partition.attached
        if link is None:
            return
        log.info("redis_misplaced", partition=partition.base.decode(), reason=reason)
        if reason.startswith(_MOVED):
            partition.detach()
            self._is_wanted.set()
        else:
            link.abort(reason)

    def give_up(self, reason: str) -> None:
        """This node can never join: a start need not go on."""
        self._note(reason)
        self.is_hopeless = True

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._guide.interval):
                    await self._is_wanted.wait()
            self._is_wanted.clear()
            if not await self._try_to_connect():
                self._is_wanted.set()
            # Even then: a link that ends as soon as it is made must not be made without end.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads attempts, keeps no secret
            pause = min(LAST_PAUSE, pause * 2) if self._is_wanted.is_set() else FIRST_PAUSE

    async def _try_to_connect(self) -> bool:
        try:
            return await self._connect()
        except Exception:
            # A bug must not end all attempts.
            log.exception("redis_connect_failed")
            return False

    async def _connect(self) -> bool:
        """Give every partition a link to its primary; False when one has none."""
        try:
            primaries = await self._guide.find()
        except NotFound as error:
            self._note(str(error))
            return False
        endpoints = {primary.endpoint for primary in primaries}
        made = await asyncio.gather(*(self._join(primary, endpoints) for primary in primaries))
        self._drop_unused(endpoints)
        if not all(made):
            return False
        homeless = [partition for partition in self._partitions if partition.attached is None]
        unserved = sum(not any(primary.has(partition.slot) for primary in primaries) for partition in homeless)
        if unserved:
            self._note(f"{unserved} partitions have no primary")
        elif not homeless:
            self._note("")
        # Else a link was lost again at once, and why was noted then.
        return not homeless

    async def _join(self, primary: Primary, endpoints: Collection[Endpoint]) -> bool:
        endpoint = primary.endpoint
        try:
            line = self._lines.get(endpoint) or await self._open(endpoint)
        except Unusable as error:
            self.give_up(str(error))
            return False
        except LinkFailed as error:
            self._note(str(error))
            return False
        for partition in self._partitions:
            if primary.has(partition.slot) and partition.attached is not line.link and line.link.is_open:
                before = self._homes.get(partition)
                # A slot that moves between two primaries takes everything along; a primary that is replaced may not.
                has_all = before is not None and before.is_open and before.endpoint in endpoints
                self._homes[partition] = line.link
                partition.attach(line.link, line.run_id, has_all=has_all)
        return line.link.is_open

    def _drop_unused(self, endpoints: Collection[Endpoint]) -> None:
        """End the links to what is no primary any more; those who had partitions there have them elsewhere by now."""
        in_use = {partition.attached for partition in self._partitions}
        for line in list(self._lines.values()):
            if line.link.endpoint not in endpoints and line.link not in in_use:
                line.link.abort("it is not a primary any more")

    async def _open(self, endpoint: Endpoint) -> _Line:
        """A new link, with the scripts loaded. Raises LinkFailed and Unusable."""
        line = _Line(self._topics, self.look_again)
        link = line.link = Link(
            endpoint, self._guide.access, line.take_push, lambda reason: self._take_loss(line, reason)
        )
        greeting = await link.connect()
        try:
            _ensure_usable(endpoint, greeting)
            await self._prepare(line)
        except BaseException:
            link.abort("not used")
            raise
        self._lines[endpoint] = line
        log.info("redis_connected", endpoint=str(endpoint), version=greeting.version)
        return line

    async def _prepare(self, line: _Line) -> None:
        """Load the scripts, and find out what is to be known of this Redis. Raises LinkFailed."""
        link = line.link
        for script in self._scripts.values():
            link.command(("SCRIPT", "LOAD", script.text), ignore)
        line.run_id = _field_of(await link.ask("INFO", "server"), "run_id")
        await self._check_policy(link)
        if not link.is_open:
            raise LinkFailed(link.endpoint, "the connection was lost at once")

    async def _check_policy(self, link: Link) -> None:
        """State ends by leases; a Redis that forgets keys when it is full would lose members without a word."""
        answer = await link.ask("CONFIG", "GET", "maxmemory-policy")
        policy = answer.get(b"maxmemory-policy", b"").decode() if isinstance(answer, dict) else ""
        if policy.startswith("allkeys"):
            log.warning("redis_may_forget", endpoint=str(link.endpoint), maxmemory_policy=policy, wanted="noeviction")

    def _take_loss(self, line: _Line, reason: str) -> None:
        link = line.link
        if self._lines.get(link.endpoint) is not line:
            return  # still being made: see _open
        del self._lines[link.endpoint]
        for partition in self._partitions:
            if partition.attached is link:
                partition.detach()
        self._note(f"Redis at {link.endpoint}: {reason}")
        self._is_wanted.set()

    def _note(self, problem: str) -> None:
        if problem and problem != self.problem and not self._is_stopping:
            log.warning("redis_away", problem=problem)
        # What cannot be mended by itself is what the operator has to know.
        if not self.is_hopeless:
            self.problem = problem


def _ensure_usable(endpoint: Endpoint, greeting: Greeting) -> None:
    """Raises Unusable if it never will be, and LinkFailed if it is not now."""
    version = tuple(int(part) for part in greeting.version.split(".")[:2])
    if version < LEAST_VERSION:
        raise Unusable(endpoint, f"version {greeting.version}; 7.0 or newer is needed, or Valkey 7.2")
    if greeting.role == "replica":
        raise LinkFailed(endpoint, "it is a replica")


def _field_of(info: Any, name: str) -> str:
    """A field of what INFO answers; "" where INFO is not allowed."""
    text = (
        info.decode()
        if isinstance(info, bytes)
        else getattr(info, "data", "")
        if not isinstance(info, ReplyError)
        else ""
    )
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return str(value)
    return ""
