"""Tells back ends what happens in channels (D): filtered, in order, in batches, again after a failure.

One queue and one worker a target: its events arrive in the order in which they happened, at least once, unless the target
fails for five minutes or there is no room for it; what is dropped then is counted and logged. Room is kept for each app
and cause by itself: what strangers make happen never displaces what was authorised. Must not know connections.
"""

import asyncio
import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
import structlog

from relay.apps import App, Webhook
from relay.happenings import Observers, WebhookFailed
from relay.metrics import ANYBODY, CHANNELS, MEMBERS, WebhookStats
from relay.protocol.webhooks import WebhookEvent, body_of, headers_of

log = structlog.get_logger()

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Pace:
    """Times in seconds, and counts of events. The defaults are those of a running relay.

    `grace`: D: a page that reloads leaves and comes back; within this time nobody is told. `miss_interval`: several clients
    that miss the same cached event at once are told of once in this time. `batch`: events of one request; `queue`: events
    of one cause that may wait for one target. `leaving`: events of one cause that may wait for the grace in one app, more
    are told at once; `missed`: channels of one app whose last miss is remembered, of others each miss is told. `timeout`: one
    attempt; `first_pause` after a failure doubles up to `longest_pause`; `budget`: all attempts for one batch. `flush`: how
    long a graceful stop may take to hand over the rest.
    """

    grace: float = 3.0
    miss_interval: float = 3.0
    batch: int = 100
    queue: int = 10_000
    leaving: int = 10_000
    missed: int = 10_000
    timeout: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    budget: float = 300.0
    flush: float = 5.0


# Channels that only who was let in by a signature makes happen anything in.
_AUTHORISED: Final = ("private-", "presence-", "#server-to-user-")
_OF_MEMBERS: Final = frozenset({"member_added", "member_removed", "client_event"})


def cause_of(event: WebhookEvent) -> str:
    """Who can make such an event happen: ANYBODY; or somebody who was let in, by joining and leaving CHANNELS or as one of
    their MEMBERS."""
    if event.name in _OF_MEMBERS:
        return MEMBERS
    return CHANNELS if event.channel.startswith(_AUTHORISED) else ANYBODY


class Webhooks(Protocol):
    """What the node tells. Every call returns at once."""

    def happened(self, app: App, event: WebhookEvent) -> None:
        """Tell of an event."""

    def came(self, app: App, event: WebhookEvent) -> None:
        """Tell of a channel that got occupied or a member that was added, unless it was gone for a moment only."""

    def left(self, app: App, event: WebhookEvent, came_name: str) -> None:
        """Tell of a channel that was vacated or a member that was removed, if it does not come back within the grace."""


class _Target:
    """One URL of one app: a bounded queue and the task that empties it."""

    def __init__(
        self,
        app: App,
        hook: Webhook,
        session: aiohttp.ClientSession,
        clock: Callable[[], float],
        pace: Pace,
        stats: WebhookStats,
        observers: Observers,
    ) -> None:
        self.app = app
        self.hook = hook
        self._pace = pace
        self._session = session
        self._clock = clock
        self._queue: deque[WebhookEvent] = deque()
        # How many of these have which cause, and events that found no room: told in one line when there is some again.
        self._waiting: Counter[str] = Counter()
        self._overflow: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stats = stats
        self._observers = observers
        # Without what may be a secret: a password, a query.
        parts = urlsplit(hook.url)
        self._shown_url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._task = asyncio.create_task(self._run(), name=f"webhook of {app.id}")

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._queue)

    def add(self, event: WebhookEvent) -> None:
        """Queue the event, if this target wants it."""
        if not self.hook.wants(event):
            return
        cause = cause_of(event)
        if self._waiting[cause] >= self._pace.queue:
            self._overflow[cause] += 1
            self._stats.events_dropped[cause] += 1
            return
        self._waiting[cause] += 1
        self._queue.append(event)
        self._news.set()

    async def stop(self) -> None:
        """Send what waits, within the pace's `flush`."""
        self._stopping.set()
        self._news.set()
        await asyncio.wait([self._task], timeout=self._pace.flush)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        self._tell_overflow()
        if self._queue:
            self._drop(self._queue, "the relay stops")
            self._queue.clear()

    async def _run(self) -> None:
        while True:
            self._news.clear()
            if self._queue:
                batch = [self._queue[at] for at in range(min(self._pace.batch, len(self._queue)))]
                await self._deliver(batch)
                for event in batch:
                    self._queue.popleft()
                    self._waiting[cause_of(event)] -= 1
                self._tell_overflow()
            elif self._stopping.is_set():
                return
            else:
                await self._news.wait()

    async def _deliver(self, batch: list[WebhookEvent]) -> None:
        started, pause = time.monotonic(), self._pace.first_pause
        while (failure := await self._timed_attempt(batch)) is not None:
            if time.monotonic() - started + pause > self._pace.budget:
                self._drop(batch, failure)
                return
            log.info("webhook_waits", app=self.app.id, url=self._shown_url, reason=failure, seconds=pause)
            if self._observers:
                self._observers.tell(self.app.id, WebhookFailed(self._shown_url, failure, len(batch)))
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                pause = min(pause * 2, self._pace.longest_pause)
            else:
                # No longer pauses: the stop has a deadline of its own.
                await asyncio.sleep(self._pace.first_pause)

    async def _timed_attempt(self, batch: list[WebhookEvent]) -> str | None:
        """`_attempt`, counted."""
        started = time.monotonic()
        failure = await self._attempt(batch)
        self._stats.attempts.add(time.monotonic() - started)
        if failure is None:
            self._stats.events_delivered += len(batch)
        else:
            self._stats.attempts_failed += 1
        return failure

    async def _attempt(self, batch: list[WebhookEvent]) -> str | None:
        """Send the batch, with a fresh time and signature; None when it was taken, else the reason."""
        body = body_of(batch, self._clock())
        headers = headers_of(self.app.key, self.app.secret, body)
        try:
            async with self._session.post(self.hook.url, data=body, headers=headers, allow_redirects=False) as response:
                return None if 200 <= response.status < 300 else f"it answered {response.status}"
        except TimeoutError:
            return f"no answer within {self._pace.timeout:.0f} s"
        except aiohttp.ClientError as error:
            return str(error) or type(error).__name__

    def _drop(self, events: Iterable[WebhookEvent], reason: str) -> None:
        dropped = Counter(map(cause_of, events))
        for cause, count in dropped.items():
            self._stats.events_dropped[cause] += count
        self._tell_dropped(dropped, reason)

    def _tell_overflow(self) -> None:
        overflow, self._overflow = self._overflow, Counter()
        if overflow:
            self._tell_dropped(overflow, "the queue is full")

    def _tell_dropped(self, dropped: Mapping[str, int], reason: str) -> None:
        count = sum(dropped.values())
        log.error(
            "webhooks_dropped", app=self.app.id, url=self._shown_url, count=count, reason=reason, causes=dict(dropped)
        )
        if self._observers:
            self._observers.tell(self.app.id, WebhookFailed(self._shown_url, reason, count, is_given_up=True))


class _Leaving:
    """Channels and members of one app that are gone, and perhaps for a moment only."""

    def __init__(self) -> None:
        # What would undo it (that event's name, channel, user) → when it is told, and what; the next one due comes first.
        self._events: dict[tuple[str, str, str | None], tuple[float, WebhookEvent]] = {}
        self._count: Counter[str] = Counter()

    def add(self, event: WebhookEvent, came_name: str, due: float, most: int) -> bool:
        """Wait with it until `due`; False when `most` of the same cause wait already."""
        cause = cause_of(event)
        if self._count[cause] >= most:
            return False
        self._events[came_name, event.channel, event.user_id] = due, event
        self._count[cause] += 1
        return True

    def undo(self, event: WebhookEvent) -> bool:
        """Whether somebody is back of whom nobody has heard that they were gone."""
        if self._events.pop((event.name, event.channel, event.user_id), None) is None:
            return False
        self._count[cause_of(event)] -= 1
        return True

    def take_due(self, now: float) -> list[WebhookEvent]:
        """Those of whom it is to be told at `now`, in the order in which they left."""
        keys = _due(self._events, lambda one: one[0] <= now)
        events = [self._events.pop(key)[1] for key in keys]
        self._count.subtract(map(cause_of, events))
        return events


class HttpWebhooks:
    """See Webhooks. `monotonic` gives seconds for delays, `clock` unix time for bodies; call `tick` once a second.

    `observers` are told which deliveries failed.
    """

    def __init__(
        self,
        apps: Iterable[App],
        monotonic: Callable[[], float],
        clock: Callable[[], float] = time.time,
        pace: Pace | None = None,
        observers: Observers | None = None,
    ) -> None:
        self._apps = list(apps)
        self._monotonic = monotonic
        self._clock = clock
        self._pace = pace or Pace()
        self._observers = Observers() if observers is None else observers
        self._targets: dict[str, list[_Target]] = {}
        self._ending: dict[asyncio.Task[None], _Target] = {}
        # Of all apps that ever had a target.
        self._stats: dict[str, WebhookStats] = {}
        self._session: aiohttp.ClientSession | None = None
        # App id → who left.
        self._leaving: defaultdict[str, _Leaving] = defaultdict(_Leaving)
        # App id → channel → when, the one longest ago first.
        self._missed: defaultdict[str, dict[str, float]] = defaultdict(dict)

    async def start(self) -> None:
        """Start a worker for each target."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._pace.timeout))
        self.reload(self._apps)

    def reload(self, apps: Iterable[App]) -> None:
        """Tell the targets of `apps` from now on. One that stays keeps its queue, one that goes still gets what waits."""
        if self._session is None:
            raise RuntimeError("the webhooks are not started")
        apps = list(apps)
        self._tell_leaving(self._targets.keys() - {app.id for app in apps if app.webhooks})
        earlier, self._targets = self._targets, {}
        for app in apps:
            kept = {target.hook: target for target in earlier.pop(app.id, ())}
            targets = []
            for hook in app.webhooks:
                target = kept.pop(hook, None)
                if target is None:
                    stats = self._stats.setdefault(app.id, WebhookStats())
                    target = _Target(app, hook, self._session, self._clock, self._pace, stats, self._observers)
                target.app = app
                targets.append(target)
            if targets:
                self._targets[app.id] = targets
            self._end(kept.values())
        for targets in earlier.values():
            self._end(targets)

    def _tell_leaving(self, app_ids: Container[str]) -> None:
        """Wait no longer for those that left in these apps: nobody can be told of their coming back."""
        for app_id in [app_id for app_id in self._leaving if app_id in app_ids]:
            for event in self._leaving.pop(app_id).take_due(math.inf):
                self._queue(app_id, event)

    def _end(self, targets: Iterable[_Target]) -> None:
        for target in targets:
            task = asyncio.create_task(target.stop())
            self._ending[task] = target
            task.add_done_callback(self._ending.pop)

    async def stop(self) -> None:
        """Tell what is still waiting, then end."""
        self._tell_leaving(self._targets.keys())
        targets = [target for targets in self._targets.values() for target in targets]
        await asyncio.gather(*self._ending, *(target.stop() for target in targets))
        if self._session is not None:
            await self._session.close()

    def stats(self) -> dict[str, tuple[WebhookStats, int]]:
        """What was done since the start, and how many events wait in the queues, by app."""
        waiting = dict.fromkeys(self._stats, 0)
        for target in (*chain.from_iterable(self._targets.values()), *self._ending.values()):
            waiting[target.app.id] += len(target)
        return {app_id: (stats, waiting[app_id]) for app_id, stats in self._stats.items()}

    def happened(self, app: App, event: WebhookEvent) -> None:
        """See Webhooks."""
        if app.id not in self._targets or (event.name == "cache_miss" and self._was_missed(app, event)):
            return
        self._queue(app.id, event)

    def came(self, app: App, event: WebhookEvent) -> None:
        """See Webhooks."""
        if app.id not in self._targets:
            return
        # Back within the grace: nobody has heard that it was gone.
        if not self._leaving[app.id].undo(event):
            self._queue(app.id, event)

    def left(self, app: App, event: WebhookEvent, came_name: str) -> None:
        """See Webhooks."""
        if app.id not in self._targets:
            return
        due = self._monotonic() + self._pace.grace
        if not self._leaving[app.id].add(event, came_name, due, self._pace.leaving):
            self._queue(app.id, event)

    def tick(self, now: float) -> None:
        """Tell of those that have not come back."""
        for app_id, leaving in self._leaving.items():
            for event in leaving.take_due(now):
                self._queue(app_id, event)
        for missed in self._missed.values():
            for channel in _due(missed, lambda at: now - at >= self._pace.miss_interval):
                del missed[channel]

    def _was_missed(self, app: App, event: WebhookEvent) -> bool:
        missed = self._missed[app.id]
        if event.channel in missed:
            return True
        if len(missed) < self._pace.missed:
            missed[event.channel] = self._monotonic()
        return False

    def _queue(self, app_id: str, event: WebhookEvent) -> None:
        for target in self._targets.get(app_id, ()):
            target.add(event)


def _due(waiting: Mapping[K, V], is_due: Callable[[V], bool]) -> list[K]:
    """The keys of the first ones that are due; none after one that is not is looked at."""
    return [key for key, _ in takewhile(lambda item: is_due(item[1]), waiting.items())]
