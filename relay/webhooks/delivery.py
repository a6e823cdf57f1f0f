"""Tells back ends what happens in channels (D): for each app its targets, and the grace of those who may come back.

Must not know connections, or how a target is told: see targets.py.
"""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from functools import partial
from itertools import chain

import aiohttp

from relay.apps import App
from relay.protocol.webhooks import WebhookEvent
from relay.watch.happenings import Observers
from relay.watch.stats import WebhookStats
from relay.webhooks.grace import Leaving, due_of
from relay.webhooks.pace import Pace
from relay.webhooks.queue import MemoryQueue
from relay.webhooks.targets import Target


class HttpWebhooks:
    """See relay.cluster.receiver.Witness.

    `monotonic` gives seconds for delays, `clock` unix time for bodies; call `tick` once a second. `observers` are told which
    deliveries failed.
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
        self._targets: dict[str, list[Target[MemoryQueue]]] = {}
        self._ending: dict[asyncio.Task[None], Target[MemoryQueue]] = {}
        # Of all apps that ever had a target.
        self._stats: dict[str, WebhookStats] = {}
        self._session: aiohttp.ClientSession | None = None
        # App id → who left.
        self._leaving: defaultdict[str, Leaving] = defaultdict(Leaving)
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
                    make_queue = partial(MemoryQueue, self._pace.queue)
                    target = Target(
                        app, hook, make_queue, self._session, self._clock, self._pace, stats, self._observers
                    )
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

    def _end(self, targets: Iterable[Target[MemoryQueue]]) -> None:
        for target in targets:
            task = asyncio.create_task(target.stop(self._pace.flush))
            self._ending[task] = target
            task.add_done_callback(self._ending.pop)

    async def hand_over(self) -> None:
        """There is nobody else to tell what waits."""

    async def stop(self) -> None:
        """Tell what is still waiting, then end."""
        self._tell_leaving(self._targets.keys())
        targets = [target for targets in self._targets.values() for target in targets]
        await asyncio.gather(*self._ending, *(target.stop(self._pace.flush) for target in targets))
        if self._session is not None:
            await self._session.close()

    def stats(self) -> dict[str, tuple[WebhookStats, int]]:
        """What was done since the start, and how many events wait in the queues, by app."""
        waiting = dict.fromkeys(self._stats, 0)
        for target in (*chain.from_iterable(self._targets.values()), *self._ending.values()):
            waiting[target.app.id] += len(target.queue)
        return {app_id: (stats, waiting[app_id]) for app_id, stats in self._stats.items()}

    def happened(self, app_id: str, event: WebhookEvent) -> None:
        """See Witness."""
        if app_id not in self._targets or (event.name == "cache_miss" and self._was_missed(app_id, event)):
            return
        self._queue(app_id, event)

    def came(self, app_id: str, event: WebhookEvent) -> None:
        """See Witness."""
        if app_id not in self._targets:
            return
        # Back within the grace: nobody has heard that it was gone.
        if not self._leaving[app_id].undo(event):
            self._queue(app_id, event)

    def left(self, app_id: str, event: WebhookEvent, came_name: str) -> None:
        """See Witness."""
        if app_id not in self._targets:
            return
        due = self._monotonic() + self._pace.grace
        if not self._leaving[app_id].add(event, came_name, due, self._pace.leaving):
            self._queue(app_id, event)

    def tick(self, now: float) -> None:
        """Tell of those that have not come back."""
        for app_id, leaving in self._leaving.items():
            for event in leaving.take_due(now):
                self._queue(app_id, event)
        for missed in self._missed.values():
            for channel in due_of(missed, lambda at: now - at >= self._pace.miss_interval):
                del missed[channel]

    def _was_missed(self, app_id: str, event: WebhookEvent) -> bool:
        missed = self._missed[app_id]
        if event.channel in missed:
            return True
        if len(missed) < self._pace.missed:
            missed[event.channel] = self._monotonic()
        return False

    def _queue(self, app_id: str, event: WebhookEvent) -> None:
        for target in self._targets.get(app_id, ()):
            if target.hook.wants(event):
                target.queue.add(event)
