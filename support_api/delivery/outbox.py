"""Delivers stored events to the relay: in order, once, without anybody waiting for it.

Promise: an event is removed from the store only after the relay took it, so a crash of either side loses none. It is handed
over again where nobody knows whether the relay took it, under the same idempotency key: for two minutes the relay sends it
once; after that, or by another Pusher server, it may come twice, and receivers drop ids that they know. An event of which the
relay itself says that it is at fault is set aside, so that the others do not wait for it, until somebody brings it back: then
it comes after those that have overtaken it. On any other answer, of the relay, of a proxy or of whatever is at that address,
all events wait, in their order.

Must not know tickets or SQL.
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
from support_api.delivery.background import in_background
from support_api.errors import StoreUnavailable
from support_api.models.outbox import Event, EventKind, StoredEvent

BATCH = 10
"""Events in one request: the most that the relay's batch call takes."""

REFUSED_IN_A_ROW = 3
"""Events that are set aside one after the other, with none taken in between. At the next one the fault is not in the events
but in a setting: they wait until somebody mends it, and none is set aside any more."""

_log = structlog.get_logger("support_api.outbox")


class Queue(Protocol):
    """Where the events wait."""

    async def pending(self, limit: int) -> list[StoredEvent]:
        """The oldest events that were neither delivered nor refused."""

    async def forget(self, ids: Sequence[int]) -> None:
        """Removes delivered events."""

    async def set_aside(self, event_id: int, refusal: str) -> None:
        """Keeps an event that the relay refuses out of the way of the others."""


class Publisher(Protocol):
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
    server, which knows no idempotency keys and cannot end a subscription, and nothing of that kind is asked of it."""

    def __init__(
        self, queue: Queue, relay: Publisher, news: asyncio.Event, pace: Pace | None = None, *, extensions: bool = True
    ) -> None:
        self._extensions = extensions
        self._queue = queue
        self._relay = relay
        self._news = news
        self._pace = pace or Pace()
        self._stop = asyncio.Event()
        # Set aside since an event was last taken; and why events wait, as far as it was said.
        self._refused_in_a_row = 0
        self._waits_because: str | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers while the block runs; at its end delivers the rest, within the deadline."""
        async with in_background(self._run(), "outbox") as task:
            try:
                yield
            finally:
                self._stop.set()
                self._news.set()
                await asyncio.wait([task], timeout=self._pace.deadline)

    async def _run(self) -> None:
        pause = self._pace.first_pause
        while True:
            self._news.clear()
            try:
                found = await self._deliver_some()
            except (RelayUnavailable, RelayRefused, StoreUnavailable) as error:
                self._say_that_events_wait(error)
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
            await self._deliver(stored)
        except RelayRefused as refused:
            at = place_of_fault(refused, stored)
            if at is None:
                raise
            if at > 0:
                await self._deliver(stored[:at])
            if self._refused_in_a_row >= REFUSED_IN_A_ROW:
                raise
            await self._set_aside(stored[at], refused)
        return len(stored)

    async def _deliver(self, stored: Sequence[StoredEvent]) -> None:
        await self._hand_over(stored)
        await self._queue.forget([one.id for one in stored])
        self._refused_in_a_row = 0
        self._say_that_events_go_out()

    async def _hand_over(self, stored: Sequence[StoredEvent]) -> None:
        """Makes one request of what `one_request` put together. Raises `RelayUnavailable` or `RelayRefused`."""
        first = stored[0].event
        match first.kind:
            case EventKind.EVENT:
                await self._relay.trigger_batch([self._for_relay(one) for one in stored])
            case EventKind.UNSUBSCRIBE if not self._extensions:
                return
            case EventKind.UNSUBSCRIBE:
                await self._relay.unsubscribe_user(_user_of(first), first.channel or None)
            case EventKind.TERMINATE:
                await self._relay.terminate_connections(_user_of(first))
            case _:
                assert_never(first.kind)

    def _for_relay(self, stored: StoredEvent) -> RelayEvent:
        event = stored.event
        batch_item: RelayEvent = {"channel": event.channel, "name": event.name, "data": event.payload}
        if event.exclude_socket is not None:
            batch_item["socket_id"] = event.exclude_socket
        if self._extensions:
            batch_item["idempotency_key"] = stored.key
        return batch_item

    async def _set_aside(self, faulty: StoredEvent, refused: RelayRefused) -> None:
        await self._queue.set_aside(faulty.id, refused.text)
        self._refused_in_a_row += 1
        event = faulty.event
        _log.error("event set aside", event_id=faulty.id, channel=event.channel, name=event.name, reason=refused.text)

    def _say_that_events_wait(self, error: Exception) -> None:
        """One line for each reason, however long it lasts."""
        reason = str(error)
        if reason == self._waits_because:
            return
        self._waits_because = reason
        if self._refused_in_a_row >= REFUSED_IN_A_ROW and isinstance(error, RelayRefused):
            hint = "is a limit or a setting of the relay wrong? See: python -m support_api outbox list"
            _log.error("events wait: one after the other was refused", reason=reason, hint=hint)
        else:
            _log.warning("events wait", reason=reason)

    def _say_that_events_go_out(self) -> None:
        if self._waits_because is not None:
            _log.info("events go out again")
            self._waits_because = None


def one_request(stored: Sequence[StoredEvent]) -> list[StoredEvent]:
    """As many of the oldest as go to the relay together: a run of events, or one call of another kind."""
    events = list(takewhile(lambda one: one.event.kind is EventKind.EVENT, stored))
    return events or list(stored[:1])


def place_of_fault(refused: RelayRefused, stored: Sequence[StoredEvent]) -> int | None:
    """Which of the events in a request, from 0, the relay found at fault; None where the refusal is about something else."""
    at = refused.event
    is_one = at is not None and 0 <= at < len(stored) and stored[at].event.kind is EventKind.EVENT
    return at if is_one else None


def _user_of(event: Event) -> str:
    return str(event.payload["user_id"])


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
