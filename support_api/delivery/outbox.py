"""Delivers stored events to the relay: in order, once, without anybody waiting for it.

Promise: an event is removed from the store only after the relay took it, so a crash of either side loses none. It is handed
over again where nobody knows whether the relay took it, and where a crash left a row that was delivered, under the same
idempotency key: for two minutes the relay sends it once; after that, or by another Pusher server, it may come twice, and
receivers drop ids that they know. An event of which the relay itself says that it is at fault is set aside, so that the
others do not wait for it, until somebody brings it back: then it comes after those that have overtaken it. On any other
answer, of the relay, of a proxy or of whatever is at that address, all events wait.

Order: that of their numbers, as far as one request takes them. Where more wait, some requests go out side by side, and the
order is that of each channel (docs/decisions/0035-outbox-pace.md).

Must not know tickets or SQL.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import takewhile
from typing import Any, Final, Protocol, assert_never

import structlog
from msgspec import Struct

from relay.client import Event as RelayEvent
from relay.client import RelayRefused, RelayUnavailable
from support_api.delivery.background import in_background
from support_api.delivery.lease import Always
from support_api.errors import StoreUnavailable
from support_api.models.outbox import Event, EventKind, StoredEvent

# Events in one request: the most that the relay's batch call takes.
BATCH: Final = 10

# Requests under way at the same time, where more events wait than one takes: a desk that is busy answering looks at the
# relay's answers only now and then, and one request after the other would fall behind (bench/, scenario "desk").
LANES: Final = 4

# Events that are read at once: some requests of all lanes.
AHEAD: Final = 100

# Delivered events after which their rows are removed at once. A crash hands those over again whose rows are there: as many,
# and those that are read at once.
DELIVERED: Final = 100

# Events that are set aside one after the other, with none taken in between. At the next one the fault is not in the events
# but in a setting: they wait until somebody mends it, and none is set aside any more.
REFUSED_IN_A_ROW: Final = 3

# Where there is only one process.
ALWAYS: Final = Always()


class LeaseLost(Exception):
    """Another process may deliver by now: what was read is read anew by whoever does."""

    def __str__(self) -> str:
        return "this process was not sure any more that no other delivers"


# What goes wrong when a relay or a database is away, and is no bug.
EXPECTED: Final = (RelayUnavailable, RelayRefused, StoreUnavailable, LeaseLost)

_log = structlog.get_logger("support_api.outbox")


class Queue(Protocol):
    """Where the events wait."""

    async def pending(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        """List the oldest events that were neither delivered nor refused, without those of these numbers."""

    async def next(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        """The same, once events were stored since the last time; what another process stores may be no news."""

    async def forget(self, ids: Collection[int]) -> None:
        """Remove delivered events."""

    async def set_aside(self, event_id: int, refusal: str) -> None:
        """Keep an event that the relay refuses out of the way of the others."""


class Publisher(Protocol):
    """What the outbox needs of `relay.client.PushlerClient`."""

    async def trigger_batch(self, batch: Sequence[RelayEvent]) -> dict[str, Any]:
        """Publish up to ten events in their order."""

    async def unsubscribe_user(self, user_id: str, channel: str | None = None) -> dict[str, Any]:
        """End the user's subscription to a channel, or to all."""

    async def terminate_connections(self, user_id: str) -> dict[str, Any]:
        """Close the user's connections."""


class Holds(Protocol):
    """Says whether this process delivers, or another one."""

    @property
    def is_held(self) -> bool:
        """Whether it is this one, now."""


class Pace(Struct, frozen=True):
    """Times in seconds: the first pause after a failure, the longest one (they double), how often the store is looked
    into without news (another process may have stored events), how long a stop may take to deliver the rest, and how long
    the row of a delivered event may stay."""

    first_pause: float = 0.2
    longest_pause: float = 30.0
    poll: float = 5.0
    deadline: float = 5.0
    removal: float = 0.25


class Outbox:
    """Delivers what is stored. Without `extensions` the relay is another Pusher server, which knows no idempotency keys and
    cannot end a subscription, and nothing of that kind is asked of it. `lease`: of several processes one delivers, or there
    would be no order."""

    def __init__(
        self,
        queue: Queue,
        relay: Publisher,
        pace: Pace | None = None,
        *,
        extensions: bool = True,
        lease: Holds = ALWAYS,
    ) -> None:
        self._extensions = extensions
        self._lease = lease
        self._queue = queue
        self._relay = relay
        self._pace = pace or Pace()
        self._stop = asyncio.Event()
        # What ends a wait for events early: the wait's time-out, or that somebody says so.
        self._patience: asyncio.Timeout | None = None
        self._woken = asyncio.Event()
        # What was read and not delivered; and when the store is looked into without news, by the event loop's clock.
        self._ahead: list[StoredEvent] = []
        self._look_at = 0.0
        # Delivered events whose rows are still stored; and when they are removed.
        self._delivered: set[int] = set()
        self._remove_at = 0.0
        # Set aside since an event was last taken; and why events wait, as far as it was said.
        self._refused_in_a_row = 0
        self._waits_because: str | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the block runs; at its end deliver the rest, within the deadline."""
        async with in_background(self._run(), "outbox") as task:
            try:
                yield
            finally:
                self._stop.set()
                self.wake()
                await asyncio.wait([task], timeout=self._pace.deadline)
        with suppress(StoreUnavailable):  # what stays is delivered again, under its key
            await self._remove()

    def wake(self) -> None:
        """Look into the store at once: this process is now the one that delivers, or there is not much time left."""
        self._look_at = 0.0
        self._woken.set()
        # One that is over takes no other moment: who waited looks anyway.
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(0.0)

    async def _run(self) -> None:
        pause = self._pace.first_pause
        while True:
            try:
                found = await self._step()
            except EXPECTED as error:
                self._say_that_events_wait(error)
                found = None
            except Exception:
                _log.exception("outbox_has_a_bug", next_try_in_s=pause)
                found = None
            if not found and self._stop.is_set():
                return
            if found is None:
                # It is read again: somebody may have set aside what holds up the others.
                self._ahead, self._look_at = [], 0.0
                await _first_of(self._stop, pause)
                pause = min(pause * 2, self._pace.longest_pause)
                continue
            pause = self._pace.first_pause

    async def _step(self) -> int:
        """Remove what was delivered, when it is time; read events or wait for them, and deliver what goes out together.

        Returns how many went out.
        """
        # First, so that nothing goes out before the row of what ended access is gone, and rows do not stay for as long as the
        # relay is away: after two minutes it would not know them again.
        if self._is_time_to_remove():
            await self._remove()
        if not self._lease.is_held:
            await self._leave_it_to_others()
        elif not self._ahead:
            await self._look()
        together = take(self._ahead)
        await _all_of([self._deliver(lane) for lane in lanes_of(together)])
        self._ahead = self._ahead[len(together) :]
        return len(together)

    def _is_time_to_remove(self) -> bool:
        return len(self._delivered) >= DELIVERED or self._stop.is_set() or _now() >= self._remove_at

    async def _leave_it_to_others(self) -> None:
        """Whoever delivers now reads it for themselves."""
        self._ahead, self._look_at = [], 0.0
        if not self._stop.is_set():
            self._woken.clear()
            await _first_of(self._woken, self._pace.poll)

    async def _look(self) -> None:
        """Wait for news, until it is time to look without any or to remove rows."""
        if not self._is_time_to_look():
            await self._follow()
        if not self._ahead and self._is_time_to_look():
            self._take_in(await self._queue.pending(AHEAD, self._delivered))

    def _is_time_to_look(self) -> bool:
        return self._stop.is_set() or _now() >= self._look_at

    async def _follow(self) -> None:
        until = min(self._look_at, self._remove_at) if self._delivered else self._look_at
        try:
            async with asyncio.timeout_at(until) as self._patience:
                self._take_in(await self._queue.next(AHEAD, self._delivered))
        except TimeoutError:
            pass
        finally:
            self._patience = None

    def _take_in(self, found: list[StoredEvent]) -> None:
        self._ahead = found
        self._look_at = _now() + (0.0 if len(found) == AHEAD else self._pace.poll)

    async def _deliver(self, lane: Sequence[StoredEvent]) -> None:
        """Deliver events one request after the other; what the relay finds at fault is set aside."""
        while lane:
            if not self._lease.is_held:
                raise LeaseLost
            request = lane[:BATCH]
            done = len(request)
            try:
                await self._hand_over(request)
            except RelayRefused as refused:
                at = place_of_fault(refused, request)
                if at is None:
                    raise
                if at > 0:
                    await self._hand_over(request[:at])
                if self._refused_in_a_row >= REFUSED_IN_A_ROW:
                    raise
                await self._set_aside(request[at], refused)
                done = at + 1
            lane = lane[done:]

    async def _hand_over(self, request: Sequence[StoredEvent]) -> None:
        await self._call(request)
        if not self._delivered:
            self._remove_at = _now() + self._pace.removal
        if request[0].event.kind is not EventKind.EVENT:
            # No key stands for it: told again after a crash, it could end an access that was given back meanwhile.
            self._remove_at = 0.0
        self._delivered.update(one.id for one in request)
        self._refused_in_a_row = 0
        self._say_that_events_go_out()

    async def _call(self, request: Sequence[StoredEvent]) -> None:
        """Make one request of what `take` put together. Raises `RelayUnavailable` or `RelayRefused`."""
        first = request[0].event
        match first.kind:
            case EventKind.EVENT:
                await self._relay.trigger_batch([self._for_relay(one) for one in request])
            case EventKind.UNSUBSCRIBE if not self._extensions:
                return
            case EventKind.UNSUBSCRIBE:
                await self._relay.unsubscribe_user(_user_of(first), first.channel or None)
            case EventKind.TERMINATE:
                await self._relay.terminate_connections(_user_of(first))
            case _:
                assert_never(first.kind)

    async def _remove(self) -> None:
        """Remove the rows of what was delivered. Nothing is delivered meanwhile."""
        if self._delivered:
            await self._queue.forget(self._delivered)
            self._delivered = set()

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
        _log.error("event_set_aside", event_id=faulty.id, channel=event.channel, name=event.name, reason=refused.text)

    def _say_that_events_wait(self, error: Exception) -> None:
        """Log one line for each reason, however long it lasts."""
        reason = str(error)
        if reason == self._waits_because:
            return
        self._waits_because = reason
        if self._refused_in_a_row >= REFUSED_IN_A_ROW and isinstance(error, RelayRefused):
            hint = "is a limit or a setting of the relay wrong? See: python -m support_api outbox list"
            _log.error("events_wait_as_all_are_refused", reason=reason, hint=hint)
        else:
            _log.warning("events_wait", reason=reason)

    def _say_that_events_go_out(self) -> None:
        if self._waits_because is not None:
            _log.info("events_go_out_again")
            self._waits_because = None


def take(stored: Sequence[StoredEvent]) -> list[StoredEvent]:
    """As many of the oldest as are delivered before anything else is: a run of events, or one call of another kind, which
    must find all before it delivered and nothing after it."""
    events = list(takewhile(lambda one: one.event.kind is EventKind.EVENT, stored))
    return events or list(stored[:1])


def lanes_of(together: Sequence[StoredEvent]) -> list[list[StoredEvent]]:
    """Part what `take` put together into what goes out side by side: all of a channel in one lane, in its order."""
    if len(together) <= BATCH:
        return [list(together)]
    lanes: list[list[StoredEvent]] = [[] for _ in range(LANES)]
    for one in together:
        lanes[hash(one.event.channel) % LANES].append(one)
    return lanes


def place_of_fault(refused: RelayRefused, stored: Sequence[StoredEvent]) -> int | None:
    """Which of the events in a request, from 0, the relay found at fault; None where the refusal is about something else."""
    at = refused.event
    is_one = at is not None and 0 <= at < len(stored) and stored[at].event.kind is EventKind.EVENT
    return at if is_one else None


def _user_of(event: Event) -> str:
    return str(event.payload["user_id"])


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _all_of(deliveries: Sequence[Coroutine[None, None, None]]) -> None:
    """Wait for all of them, also when one fails; then raise what went wrong, a bug before what was to be expected."""
    if len(deliveries) == 1:
        await deliveries[0]
        return
    outcomes = await asyncio.gather(*deliveries, return_exceptions=True)
    errors = [one for one in outcomes if one is not None]
    if errors:
        raise min(errors, key=lambda one: isinstance(one, EXPECTED))


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
