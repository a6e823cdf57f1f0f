"""Tells back ends what happens in channels (D): filtered, in order, in batches, again after a failure.

One queue and one worker a target: its events arrive in the order in which they happened, at least once, unless the target
fails for five minutes or its queue is full; what is dropped then is counted and logged. Must not know connections.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import structlog

from relay.apps import App, Webhook
from relay.happenings import Observers, WebhookFailed
from relay.metrics import WebhookStats
from relay.protocol.webhooks import WebhookEvent, body_of, headers_of

log = structlog.get_logger()


@dataclass(frozen=True)
class Pace:
    """Times in seconds, and counts of events. The defaults are those of a running relay.

    `grace`: D: a page that reloads leaves and comes back; within this time nobody is told. `miss_interval`: several clients
    that miss the same cached event at once are told of once in this time. `batch`: events of one request; `queue`: events
    that may wait for one target. `timeout`: one attempt; `first_pause` after a failure doubles up to `longest_pause`;
    `budget`: all attempts for one batch. `flush`: how long a graceful stop may take to hand over the rest.
    """

    grace: float = 3.0
    miss_interval: float = 3.0
    batch: int = 100
    queue: int = 10_000
    timeout: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    budget: float = 300.0
    flush: float = 5.0


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
        # Events that found no room: told in one line when there is some again.
        self._overflow = 0
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
        if event.name not in self.hook.events or not event.channel.startswith(self.hook.channel_prefix):
            return
        if len(self._queue) >= self._pace.queue:
            self._overflow += 1
            self._stats.events_dropped += 1
            return
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
            self._drop(len(self._queue), "the relay stops")
            self._queue.clear()

    async def _run(self) -> None:
        while True:
            self._news.clear()
            if self._queue:
                batch = [self._queue[at] for at in range(min(self._pace.batch, len(self._queue)))]
                await self._deliver(batch)
                for _ in batch:
                    self._queue.popleft()
                self._tell_overflow()
            elif self._stopping.is_set():
                return
            else:
                await self._news.wait()

    async def _deliver(self, batch: list[WebhookEvent]) -> None:
        started, pause = time.monotonic(), self._pace.first_pause
        while (failure := await self._timed_attempt(batch)) is not None:
            if time.monotonic() - started + pause > self._pace.budget:
                self._drop(len(batch), failure)
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

    def _drop(self, count: int, reason: str) -> None:
        self._stats.events_dropped += count
        self._tell_dropped(count, reason)

    def _tell_overflow(self) -> None:
        if self._overflow:
            self._tell_dropped(self._overflow, "the queue is full")
            self._overflow = 0

    def _tell_dropped(self, count: int, reason: str) -> None:
        log.error("webhooks_dropped", app=self.app.id, url=self._shown_url, count=count, reason=reason)
        if self._observers:
            self._observers.tell(self.app.id, WebhookFailed(self._shown_url, reason, count, is_given_up=True))


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
        # (app id, name of what would undo it, channel, user) → when it is told, and what
        self._leaving: dict[tuple[str, str, str, str | None], tuple[float, WebhookEvent]] = {}
        self._missed: dict[tuple[str, str], float] = {}

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
        for key in [key for key in self._leaving if key[0] in app_ids]:
            self._queue(key[0], self._leaving.pop(key)[1])

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
        if self._leaving.pop((app.id, event.name, event.channel, event.user_id), None) is None:
            self._queue(app.id, event)

    def left(self, app: App, event: WebhookEvent, came_name: str) -> None:
        """See Webhooks."""
        if app.id in self._targets:
            key = (app.id, came_name, event.channel, event.user_id)
            self._leaving[key] = (self._monotonic() + self._pace.grace, event)

    def tick(self, now: float) -> None:
        """Tell of those that have not come back."""
        for key in [key for key, (due, _) in self._leaving.items() if due <= now]:
            self._queue(key[0], self._leaving.pop(key)[1])
        for missed in [missed for missed, at in self._missed.items() if now - at >= self._pace.miss_interval]:
            del self._missed[missed]

    def _was_missed(self, app: App, event: WebhookEvent) -> bool:
        key = (app.id, event.channel)
        known = key in self._missed
        self._missed.setdefault(key, self._monotonic())
        return known

    def _queue(self, app_id: str, event: WebhookEvent) -> None:
        for target in self._targets.get(app_id, ()):
            target.add(event)
