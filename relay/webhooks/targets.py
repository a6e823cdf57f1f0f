"""One URL that is told: its attempts, in order, in batches, again after a failure.

At least once, unless the target fails for five minutes or there is no room in the queue; what is dropped then is counted and
logged.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import aiohttp
import structlog

from relay.apps import App, Webhook
from relay.protocol.webhooks import IDS_HEADER, WebhookEvent, body_of, cause_of, headers_of
from relay.watch.happenings import Observers, WebhookFailed
from relay.watch.stats import WebhookStats
from relay.webhooks.pace import Pace
from relay.webhooks.queue import Batch, Lose, Queue

log = structlog.get_logger()

Q = TypeVar("Q", bound=Queue)


class Target(Generic[Q]):
    """One URL of one app: its queue, and the task that empties it."""

    def __init__(
        self,
        app: App,
        hook: Webhook,
        make_queue: Callable[[Lose], Q],
        session: aiohttp.ClientSession,
        clock: Callable[[], float],
        pace: Pace,
        stats: WebhookStats,
        observers: Observers,
    ) -> None:
        self.app = app
        self.hook = hook
        self.queue = make_queue(self._lose)
        self._pace = pace
        self._session = session
        self._clock = clock
        # Events that found no room: told in one line when there is some again.
        self._overflow: Counter[str] = Counter()
        self._stopping = asyncio.Event()
        self._stats = stats
        self._observers = observers
        # Without what may be a secret: a password, a query.
        parts = urlsplit(hook.url)
        self._shown_url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._task = asyncio.create_task(self._run(), name=f"webhook of {app.id}")

    async def stop(self, flush: float) -> None:
        """Send what this process alone has, within `flush` seconds."""
        self._stopping.set()
        self.queue.close()
        await asyncio.wait([self._task], timeout=flush)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        self._tell_overflow()
        if left := self.queue.abandon():
            self._drop(left, "the relay stops")

    async def _run(self) -> None:
        while (batch := await self.queue.next(self._pace.batch)) is not None:
            await self._deliver(batch)
            await self.queue.finish(batch)
            self._tell_overflow()

    async def _deliver(self, batch: Batch) -> None:
        started, pause = time.monotonic(), self._pace.first_pause
        while (failure := await self._timed_attempt(batch)) is not None:
            if time.monotonic() - started + pause > self._pace.budget:
                self._drop(batch.events, failure)
                return
            log.info("webhook_waits", app=self.app.id, url=self._shown_url, reason=failure, seconds=pause)
            if self._observers:
                self._observers.tell(self.app.id, WebhookFailed(self._shown_url, failure, len(batch.events)))
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                pause = min(pause * 2, self._pace.longest_pause)
            else:
                # No longer pauses: the stop has a deadline of its own.
                await asyncio.sleep(self._pace.first_pause)

    async def _timed_attempt(self, batch: Batch) -> str | None:
        """`_attempt`, counted."""
        started = time.monotonic()
        failure = await self._attempt(batch)
        self._stats.attempts.add(time.monotonic() - started)
        if failure is None:
            self._stats.events_delivered += len(batch.events)
        else:
            self._stats.attempts_failed += 1
        return failure

    async def _attempt(self, batch: Batch) -> str | None:
        """Send the batch, with a fresh time and signature; None when it was taken, else the reason."""
        body = body_of(batch.events, self._clock())
        headers = headers_of(self.app.key, self.app.secret, body)
        if batch.ids:
            headers[IDS_HEADER] = ",".join(batch.ids)
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

    def _lose(self, cause: str, count: int) -> None:
        self._overflow[cause] += count
        self._stats.events_dropped[cause] += count

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
