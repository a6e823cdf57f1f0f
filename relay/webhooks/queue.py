"""Where a target's events wait: in memory, or in the stream of a cluster (relay/cluster/hooks.py).

Must not know how they are told.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from relay.apps import Webhook
from relay.cluster.bus import Unavailable
from relay.cluster.hooks import HookStream, Queued, Read
from relay.protocol.webhooks import WebhookEvent, cause_of

T = TypeVar("T")

# Seconds until a stream that did not answer is asked again.
RETRY: Final = 1.0


class Batch(Struct, frozen=True):
    """Events of one request, the oldest first, and in a cluster what each is known by."""

    events: Sequence[WebhookEvent]
    ids: Sequence[str] = ()


# Told of events that found no room: their cause, and how many.
Lose = Callable[[str, int], None]


class Queue(Protocol):
    """The events of one target, oldest first. Whoever makes one says who is told of what found no room in it."""

    def __len__(self) -> int:
        """How many wait."""

    async def next(self, most: int) -> Batch | None:
        """The next events, as soon as there are some, the same again until `finish`; None when there will be no more."""

    async def finish(self, batch: Batch) -> None:
        """These were told, or never will be."""

    def close(self) -> None:
        """There will be no more than what can still be told by this process."""

    def abandon(self) -> Sequence[WebhookEvent]:
        """What is lost when nothing of it is told any more."""


class MemoryQueue:
    """See Queue. Room for `room` events of each cause."""

    def __init__(self, room: int, lose: Lose) -> None:
        self._room = room
        self._lose = lose
        self._events: deque[WebhookEvent] = deque()
        # How many of these have which cause.
        self._waiting: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: WebhookEvent) -> None:
        """Queue the event, if there is room for it."""
        cause = cause_of(event)
        if self._waiting[cause] >= self._room:
            self._lose(cause, 1)
            return
        self._waiting[cause] += 1
        self._events.append(event)
        self._news.set()

    async def next(self, most: int) -> Batch | None:
        """See Queue."""
        while not self._events:
            if self._is_closed:
                return None
            self._news.clear()
            await self._news.wait()
        return Batch(list(islice(self._events, most)))

    async def finish(self, batch: Batch) -> None:
        """See Queue."""
        for event in batch.events:
            self._events.popleft()
            self._waiting[cause_of(event)] -= 1

    def close(self) -> None:
        """See Queue."""
        self._is_closed = True
        self._news.set()

    def abandon(self) -> Sequence[WebhookEvent]:
        """See Queue."""
        left, self._events = list(self._events), deque()
        return left


class StreamQueue:
    """See Queue: what waits in a partition that this node leads, for the target of this name of an app."""

    def __init__(self, stream: HookStream, app_id: str, hook: Webhook, name: str, lose: Lose) -> None:
        self._lose = lose
        self._stream = stream
        self._app_id = app_id
        self._hook = hook
        self._name = name
        self._waiting = 0
        self._news = asyncio.Event()
        self._is_closed = False
        # Read, and not to be told: finished together with what is.
        self._passed: dict[int, list[Queued]] = {}

    def __len__(self) -> int:
        return self._waiting

    def wake(self) -> None:
        """There may be something new."""
        self._news.set()

    async def next(self, most: int) -> Batch | None:
        """See Queue."""
        while not self._is_closed:
            self._news.clear()
            read = await self._read(most)
            if read is None or not self._stream.is_led():
                await self._pause()
            elif not read.events:
                await self._news.wait()
            elif (batch := self._wanted(read.events)) is not None:
                return batch
            else:
                await self._finish(read.events)
        return None

    async def finish(self, batch: Batch) -> None:
        """See Queue."""
        events = self._passed.pop(id(batch))
        self._waiting = max(0, self._waiting - len(events))
        await self._finish(events)

    def close(self) -> None:
        """See Queue: what waits is told by whoever leads next."""
        self._is_closed = True
        self._news.set()

    def abandon(self) -> Sequence[WebhookEvent]:
        """See Queue."""
        return ()

    def _wanted(self, events: Sequence[Queued]) -> Batch | None:
        wanted = [queued for queued in events if self._hook.wants(queued.event)]
        if not wanted:
            return None
        batch = Batch([queued.event for queued in wanted], [queued.id for queued in wanted])
        self._passed[id(batch)] = list(events)
        return batch

    async def _read(self, most: int) -> Read | None:
        answer: asyncio.Future[Read | Unavailable] = asyncio.get_running_loop().create_future()
        self._stream.read(self._app_id, self._name, most, partial(_settle, answer))
        read = await answer
        if isinstance(read, Unavailable):
            return None
        self._waiting = read.waiting
        for cause, count in read.lost.items():
            self._lose(cause, count)
        return read

    async def _finish(self, events: Sequence[Queued]) -> None:
        """Repeated while the cluster is away: else they would be told once more."""
        while True:
            is_done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._stream.finish(self._app_id, self._name, events, partial(_settle, is_done))
            if await is_done or not self._stream.is_led():
                return
            await asyncio.sleep(RETRY)

    async def _pause(self) -> None:
        if self._is_closed:
            return
        try:
            async with asyncio.timeout(RETRY):
                await self._news.wait()
        except TimeoutError:
            return


def _settle(future: "asyncio.Future[T]", value: T) -> None:
    """Nobody may wait for it any more."""
    if not future.done():
        future.set_result(value)
