"""Tells back ends what happens in a cluster (D): of the partitions that this node leads, from what waits there.

The grace, the order and the room are the cluster's (relay/cluster/hooks.py); here are the targets of the apps, and who is
told by this node at the moment. Must not know connections, or how a target is told: see targets.py.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha1

import aiohttp
from msgspec import json

from relay.apps import App, Webhook
from relay.cluster.hooks import Hooks, HookStream
from relay.watch.happenings import Observers
from relay.watch.stats import WebhookStats
from relay.webhooks.pace import Pace
from relay.webhooks.queue import StreamQueue
from relay.webhooks.targets import Target

_Targets = dict[str, list[Target[StreamQueue]]]


class StreamWebhooks:
    """See relay.cluster.hooks.HookReader. `clock` gives unix time; `observers` are told which deliveries failed."""

    def __init__(
        self,
        hooks: Hooks,
        apps: Iterable[App],
        clock: Callable[[], float] = time.time,
        pace: Pace | None = None,
        observers: Observers | None = None,
    ) -> None:
        self._hooks = hooks
        self._apps = list(apps)
        self._clock = clock
        self._pace = pace or Pace()
        self._observers = Observers() if observers is None else observers
        # Of each partition that is led, by app.
        self._led: dict[HookStream, _Targets] = {}
        self._ending: set[asyncio.Task[None]] = set()
        # Of all apps that ever had a target.
        self._stats: dict[str, WebhookStats] = {}
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Tell what nobody else does."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._pace.timeout))
        self._hooks.begin(self)

    def reload(self, apps: Iterable[App]) -> None:
        """Tell the targets of `apps` from now on; what waits for one that is gone is not told."""
        self._apps = list(apps)
        for stream in self._led:
            self._serve(stream)

    async def hand_over(self) -> None:
        """Finish what is being told; the rest is told by the next leader."""
        for stream in list(self._led):
            self.end(stream)
        if self._ending:
            await asyncio.wait(self._ending)
        self._hooks.resign()

    async def stop(self) -> None:
        """End."""
        await self.hand_over()
        if self._session is not None:
            await self._session.close()

    def stats(self) -> dict[str, tuple[WebhookStats, int]]:
        """What was done since the start, and how many events wait where this node leads, by app."""
        waiting = dict.fromkeys(self._stats, 0)
        for targets in self._led.values():
            for app_id, each in targets.items():
                waiting[app_id] += sum(len(target.queue) for target in each)
        return {app_id: (stats, waiting[app_id]) for app_id, stats in self._stats.items()}

    def tick(self, now: float) -> None:
        """Look for news that nobody was told of."""
        for targets in self._led.values():
            for each in targets.values():
                for target in each:
                    target.queue.wake()

    def lead(self, stream: HookStream, /) -> None:
        """See HookReader."""
        self._led.setdefault(stream, {})
        self._serve(stream)

    def end(self, stream: HookStream, /) -> None:
        """See HookReader."""
        for targets in self._led.pop(stream, {}).values():
            for target in targets:
                self._end(target, self._pace.flush if stream.is_led() else 0.0)

    def wake(self, stream: HookStream, app_id: str, /) -> None:
        """See HookReader."""
        for target in self._led.get(stream, {}).get(app_id, ()):
            target.queue.wake()

    def _serve(self, stream: HookStream) -> None:
        """Have a task for each target of the apps in a partition, and none for others."""
        earlier, self._led[stream] = self._led[stream], {}
        for app in self._apps:
            kept = {target.hook: target for target in earlier.pop(app.id, ())}
            if app.webhooks or kept:
                stream.keep(app.id, [name_of(hook) for hook in app.webhooks])
            targets = [kept.pop(hook) if hook in kept else self._target(stream, app, hook) for hook in app.webhooks]
            for target in targets:
                target.app = app
            if targets:
                self._led[stream][app.id] = targets
            for target in kept.values():
                self._end(target, 0.0)
        for app_id, targets in earlier.items():
            stream.keep(app_id, ())
            for target in targets:
                self._end(target, 0.0)

    def _target(self, stream: HookStream, app: App, hook: Webhook) -> Target[StreamQueue]:
        if self._session is None:
            raise RuntimeError("the webhooks are not started")
        stats = self._stats.setdefault(app.id, WebhookStats())
        make_queue = partial(StreamQueue, stream, app.id, hook, name_of(hook))
        return Target(app, hook, make_queue, self._session, self._clock, self._pace, stats, self._observers)

    def _end(self, target: Target[StreamQueue], flush: float) -> None:
        task = asyncio.create_task(target.stop(flush))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def name_of(hook: Webhook) -> str:
    """What a target is known by in the cluster: another one when anything of it is changed."""
    return sha1(json.encode(hook), usedforsecurity=False).hexdigest()[:12]
