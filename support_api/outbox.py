"""Delivers stored events to the relay: in order, at least once, without anybody waiting for it.

Promise: an event is removed from the store only after the relay took it, so a crash of either side loses none; it may come
twice, and receivers drop ids that they know. An event that the relay refuses for good is kept aside and does not block the
others. Must not know tickets or SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol, assert_never

import structlog

from relay.client import Event as RelayEvent
from relay.client import RelayRefused, RelayUnavailable
from support_api.errors import StoreUnavailable
from support_api.models import Event, EventKind, StoredEvent

BATCH = 10
"""Events in one request: the most that the relay's batch call takes."""

FAULTY_EVENT = frozenset({400, 413, 422})
"""Refusals that are about the event. Any other (a wrong key, a clock that is off, a quota) hits all events alike, so the
events wait until somebody mends it."""

_log = structlog.get_logger("support_api.outbox")


class Queue(Protocol):
    """Where the events wait."""

    async def pending(self, limit: int) -> list[StoredEvent]:
        """The oldest events that were neither delivered nor refused."""

    async def forget(self, ids: Sequence[int]) -> None:
        """Removes delivered events."""

    async def set_aside(self, event_id: int, refusal: str) -> None:
        """Keeps an event that will never be taken out of the way of the others."""


class Relay(Protocol):
    """What the outbox needs of `relay.client.PushlerClient`."""

    async def trigger_batch(self, batch: Sequence[RelayEvent]) -> dict[str, Any]:
        """Publishes up to ten events in their order."""

    async def unsubscribe_user(self, user_id: str, channel: str | None = None) -> dict[str, Any]:
        """Ends the user's subscription to a channel, or to all."""

    async def terminate_connections(self, user_id: str) -> dict[str, Any]:
        """Closes the user's connections."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds: the first pause after a failure, the longest one (they double), how often the store is looked
    into without news (another process may have stored events), and how long a stop may take to deliver the rest."""

    first_pause: float = 0.1
    longest_pause: float = 5.0
    poll: float = 1.0
    deadline: float = 5.0


class Outbox:
    """The one task that delivers. `news` is set by whoever stores events; without `extensions` the relay is another Pusher
    server, which cannot end a subscription, and nothing of that kind is asked of it."""

    def __init__(
        self, queue: Queue, relay: Relay, news: asyncio.Event, pace: Pace | None = None, *, extensions: bool = True
    ) -> None:
        self._extensions = extensions
        self._queue = queue
        self._relay = relay
        self._news = news
        self._pace = pace or Pace()
        self._stop = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers while the block runs; at its end delivers the rest, within the deadline."""
        task = asyncio.create_task(self._run(), name="outbox")
        try:
            yield
        finally:
            self._stop.set()
            self._news.set()
            await asyncio.wait([task], timeout=self._pace.deadline)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        pause = self._pace.first_pause
        while True:
            self._news.clear()
            try:
                found = await self._deliver_some()
            except (RelayUnavailable, RelayRefused, StoreUnavailable) as error:
                _log.warning("events wait", reason=str(error), next_try_in_s=pause)
                found = None
            except Exception:
                _log.exception("the outbox has a bug", next_try_in_s=pause)
                found = None
            if not found and self._stop.is_set():
                return
            if found is None:
                await _first_of(self._stop, pause)
                pause = min(pause * 2, self._pace.longest_pause)
                continue
            pause = self._pace.first_pause
            if not found:
                await _first_of(self._news, self._pace.poll)

    async def _deliver_some(self) -> int:
        stored = one_request(await self._queue.pending(BATCH))
        if not stored:
            return 0
        try:
            await self._hand_over(stored)
        except RelayRefused as refused:
            ensure_about_event(refused)
            await self._deliver_singly(stored)
        else:
            await self._queue.forget([one.id for one in stored])
        return len(stored)

    async def _hand_over(self, stored: Sequence[StoredEvent]) -> None:
        """Makes one request of what `one_request` put together. Raises `RelayUnavailable` or `RelayRefused`."""
        first = stored[0].event
        match first.kind:
            case EventKind.EVENT:
                await self._relay.trigger_batch([_for_relay(one.event) for one in stored])
            case EventKind.UNSUBSCRIBE if not self._extensions:
                return
            case EventKind.UNSUBSCRIBE:
                await self._relay.unsubscribe_user(_user_of(first), first.channel or None)
            case EventKind.TERMINATE:
                await self._relay.terminate_connections(_user_of(first))
            case _:
                assert_never(first.kind)

    async def _deliver_singly(self, stored: Sequence[StoredEvent]) -> None:
        for one in stored:
            try:
                await self._hand_over([one])
            except RelayRefused as refused:
                ensure_about_event(refused)
                _log.error(
                    "event refused",
                    event_id=one.id,
                    channel=one.event.channel,
                    name=one.event.name,
                    reason=str(refused),
                )
                await self._queue.set_aside(one.id, str(refused))
            else:
                await self._queue.forget([one.id])


def one_request(stored: Sequence[StoredEvent]) -> list[StoredEvent]:
    """As many of the oldest as go to the relay together: a run of events, or one call of another kind."""
    events = list(takewhile(lambda one: one.event.kind is EventKind.EVENT, stored))
    return events or list(stored[:1])


def ensure_about_event(refused: RelayRefused) -> None:
    """Raises the refusal again unless one event's content caused it."""
    if refused.status not in FAULTY_EVENT:
        raise refused


def _user_of(event: Event) -> str:
    return str(event.payload["user_id"])


def _for_relay(event: Event) -> RelayEvent:
    batch_item: RelayEvent = {"channel": event.channel, "name": event.name, "data": event.payload}
    if event.exclude_socket is not None:
        batch_item["socket_id"] = event.exclude_socket
    return batch_item


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
