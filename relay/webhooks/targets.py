"""One URL that is told: its queue, and its attempts, in order, in batches, again after a failure.

At least once, unless the target fails for five minutes or there is no room in the queue; what is dropped then is counted and
logged. Room is kept for each cause by itself: what strangers make happen never displaces what was authorised.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

import aiohttp
import structlog

from relay.apps import App, Webhook
from relay.protocol.webhooks import WebhookEvent, body_of, headers_of
from relay.watch.happenings import Observers, WebhookFailed
from relay.watch.stats import WebhookStats
from relay.webhooks.base import Pace, cause_of

log = structlog.get_logger()


class Target:
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
