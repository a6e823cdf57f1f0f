"""Delivery of stored events to the relay."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from relay.apps import App
from relay.client import Event as RelayEvent
from relay.client import PushlerClient, RelayRefused
from support_api.database.tables import outbox
from support_api.delivery.outbox import REFUSED_IN_A_ROW, Outbox, Pace, place_of_fault
from support_api.listeners.realtime import lost_all_channels, lost_channel, lost_connections
from support_api.models.outbox import Event, StoredEvent
from support_api.services import Services
from tests.helpers.relay import RunningRelay, running_relay
from tests.support_api.helpers import RecordingRelay, SteadyClock, announced

QUICK = Pace(first_pause=0.01, longest_pause=0.02, poll=0.02, deadline=1.0)


async def announce(services: Services, *names: str, socket_id: str | None = None) -> None:
    await announced(services, [Event("private-ticket-1", name, {"name": name}, socket_id) for name in names])


@pytest.fixture
async def client(relay: RecordingRelay) -> Any:
    async with PushlerClient("app-key", "app-secret", app_id="1", url=relay.url) as client:
        yield client


def outbox_of(services: Services, client: PushlerClient) -> Outbox:
    return Outbox(services.outbox, client, QUICK)


async def test_events_arrive_in_order_and_are_forgotten(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    names = [f"e{number}" for number in range(25)]
    await announce(services, *names, socket_id="1.2")
    async with outbox_of(services, client).running():
        heard = await relay.events(25)
    assert [one.name for one in heard] == names
    assert heard[0].data == {"name": "e0"}
    assert heard[0].socket_id == "1.2"
    assert relay.requests == 3
    assert await services.outbox.counts() == (0, 0)


async def test_what_ends_access_goes_out_between_the_events_before_and_after_it(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    before, after = Event("private-ticket-1", "before", {}), Event("private-ticket-1", "after", {})
    await announced(
        services, [before, before, lost_channel(5, 1), after, lost_all_channels(5), lost_connections(6), after]
    )
    async with outbox_of(services, client).running():
        heard = await relay.events(7)
    assert [(one.name, one.channel, one.data.get("user_id")) for one in heard] == [
        ("before", "private-ticket-1", None),
        ("before", "private-ticket-1", None),
        ("unsubscribe", "private-ticket-1", "operator-5"),
        ("after", "private-ticket-1", None),
        ("unsubscribe", "", "operator-5"),
        ("terminate", "", "operator-6"),
        ("after", "private-ticket-1", None),
    ]
    assert relay.requests == 6
    assert await services.outbox.counts() == (0, 0)


async def test_another_pusher_server_is_not_asked_to_end_subscriptions(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    await announced(services, [lost_channel(5, 1), lost_connections(6), Event("private-ticket-1", "after", {})])
    async with Outbox(services.outbox, client, QUICK, extensions=False).running():
        heard = await relay.events(2)
    assert [one.name for one in heard] == ["terminate", "after"]
    assert await services.outbox.counts() == (0, 0)


async def test_what_ends_access_waits_like_an_event_while_the_relay_is_away(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    relay.status = 503
    await announced(services, [lost_channel(5, 1), Event("private-ticket-1", "after", {})])
    async with outbox_of(services, client).running():
        await relay.wait_for(lambda: relay.requests >= 3)
        assert await services.outbox.counts() == (2, 0)
        relay.status = 200
        await relay.events(2)
    assert [one.name for one in relay.heard] == ["unsubscribe", "after"]


async def test_a_new_event_wakes_the_outbox_at_once(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    slow = Pace(first_pause=60, longest_pause=60, poll=60, deadline=1.0)
    async with Outbox(services.outbox, client, slow).running():
        for number in range(1, 4):
            await announce(services, f"e{number}")
            await relay.events(number)
    assert [one.name for one in relay.heard] == ["e1", "e2", "e3"]


class Deaf:
    """A queue that is told of nothing, as another process stores it."""

    def __init__(self, services: Services) -> None:
        self.pending = services.outbox.pending
        self.forget = services.outbox.forget
        self.set_aside = services.outbox.set_aside

    async def next(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        await asyncio.Event().wait()
        raise AssertionError(limit, but_not)


async def test_an_event_stored_by_another_process_is_found_without_news(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    async with Outbox(Deaf(services), client, QUICK).running():
        await announce(services, "e1")
        await relay.events(1)
    assert relay.heard[0].name == "e1"


@pytest.mark.parametrize("status", [500, 503, 401, 403, 404, 429])
async def test_nothing_is_lost_while_the_relay_does_not_take_events(
    services: Services, client: PushlerClient, relay: RecordingRelay, status: int
) -> None:
    relay.status = status
    async with outbox_of(services, client).running():
        await announce(services, "e1", "e2")
        await relay.wait_for(lambda: relay.requests >= 3)
        assert await services.outbox.counts() == (2, 0)
        relay.status = 200
        heard = await relay.events(2)
    assert [one.name for one in heard] == ["e1", "e2"]
    assert await services.outbox.counts() == (0, 0)


async def test_nothing_is_lost_when_no_relay_is_there_at_all(services: Services, relay: RecordingRelay) -> None:
    await announce(services, "e1")
    nowhere = PushlerClient("app-key", "app-secret", url="http://127.0.0.1:1")
    async with nowhere, outbox_of(services, nowhere).running():
        await asyncio.sleep(0.05)
    assert await services.outbox.counts() == (1, 0)
    client = PushlerClient("app-key", "app-secret", app_id="1", url=relay.url)
    async with client, outbox_of(services, client).running():
        await relay.events(1)
    assert await services.outbox.counts() == (0, 0)


async def test_a_refused_event_is_set_aside_and_the_others_arrive(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    relay.refuses = lambda event: event.name == "bad"
    with structlog.testing.capture_logs() as lines:
        async with outbox_of(services, client).running():
            await announce(services, "e1", "bad", "e2")
            await relay.events(2)
    assert [one.name for one in relay.heard] == ["e1", "e2"]
    assert await services.outbox.counts() == (0, 1)
    (line,) = lines
    assert (line["event"], line["name"], line["log_level"]) == ("event_set_aside", "bad", "error")
    (aside,) = await services.outbox.refused()
    assert (aside.name, aside.channel, aside.size) == ("bad", "private-ticket-1", len('{"name":"bad"}'))
    assert "I do not like it" in aside.reason


async def test_refused_events_among_others_are_all_set_aside(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    relay.refuses = lambda event: event.name == "bad"
    async with outbox_of(services, client).running():
        await announce(services, *["bad", "good"] * (REFUSED_IN_A_ROW + 2))
        await relay.events(REFUSED_IN_A_ROW + 2)
    assert await services.outbox.counts() == (0, REFUSED_IN_A_ROW + 2)


async def test_a_relay_that_refuses_one_after_the_other_gets_no_more_until_it_is_mended(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    relay.refuses = lambda _event: True
    names = [f"e{number}" for number in range(8)]
    with structlog.testing.capture_logs() as lines:
        async with outbox_of(services, client).running():
            await announce(services, *names)
            await relay.wait_for(lambda: relay.requests >= REFUSED_IN_A_ROW + 4)
            assert await services.outbox.counts() == (8 - REFUSED_IN_A_ROW, REFUSED_IN_A_ROW)
            relay.refuses = lambda _event: False
            await relay.events(8 - REFUSED_IN_A_ROW)
            assert await services.outbox.retry() == [1, 2, 3]
            await relay.events(8)
    assert [one.name for one in relay.heard] == names[REFUSED_IN_A_ROW:] + names[:REFUSED_IN_A_ROW]
    assert await services.outbox.counts() == (0, 0)
    assert [line["event"] for line in lines] == [
        *["event_set_aside"] * REFUSED_IN_A_ROW,
        "events_wait_as_all_are_refused",
        "events_go_out_again",
    ]


FOREIGN = [
    ("text/html", b"<html><h1>400 Bad Request</h1></html>"),
    ("text/html", b""),
    ("application/json", b'{"error": "no such route", "code": 400}'),
    ("application/json", b'{"error": "no", "code": 401, "event": 0}'),
    ("application/json", b'{"error": "no", "event": 0}'),
    ("application/json", b'{"error": "no", "code": %d, "event": true}'),
    ("application/json", b'{"error": "no", "code": %d, "event": 1}'),
    ("application/json", b'{"error": "no", "code": %d, "event": -1}'),
    ("application/json", b"[0]"),
]


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("answer", FOREIGN)
async def test_the_refusals_of_a_proxy_or_of_another_server_set_nothing_aside(
    services: Services, status: int, answer: tuple[str, bytes]
) -> None:
    kind, body = answer
    requests = 0

    async def refuse(_request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.Response(status=status, content_type=kind, body=body.replace(b"%d", str(status).encode()))

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    await announce(services, "e1")
    with structlog.testing.capture_logs() as lines:
        async with (
            TestServer(app) as server,
            PushlerClient("k", "s", url=str(server.make_url(""))) as client,
            outbox_of(services, client).running(),
            asyncio.timeout(10),
        ):
            while requests < REFUSED_IN_A_ROW + 3:  # noqa: ASYNC110 - of another server's handler
                await asyncio.sleep(0.005)
    assert await services.outbox.counts() == (1, 0)
    assert [(line["event"], line["log_level"]) for line in lines] == [("events_wait", "warning")]


async def test_a_real_relay_names_the_place_of_fault_of_a_batch(services: Services) -> None:
    app = App(id="1", key="app-key", secret="app-secret")
    async with running_relay(app) as relay, PushlerClient(app.key, app.secret, app_id=app.id, url=relay.url) as client:
        listener = await relay.connect()
        await listener.subscribe("ticket-1")
        great, good = {"text": "x" * app.limits.event_data_bytes}, {"text": "Hello"}
        await announced(services, [Event("ticket-1", "great", great), Event("ticket-1", "good", good)])
        async with outbox_of(services, client).running():
            assert (await listener.receive())["event"] == "good"
        (aside,) = await services.outbox.refused()
    assert (aside.name, aside.reason[:10]) == ("great", '{"error":"')
    assert "10240 bytes" in aside.reason
    assert "xxx" not in aside.reason


@asynccontextmanager
async def losing_first_answer(relay: RunningRelay) -> AsyncIterator[str]:
    """A way to the relay on which the first answer is lost, after the relay has made it."""
    is_first = True

    async def forward(request: web.Request) -> web.Response:
        nonlocal is_first
        answer = await relay.request(request.method, request.raw_path, await request.read())
        if is_first:
            is_first = False
            assert answer.status == 200
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status, text=answer.text)

    app = web.Application()
    app.router.add_post("/{path:.*}", forward)
    async with TestServer(app) as server:
        yield str(server.make_url(""))


async def test_events_whose_answer_was_lost_are_delivered_once(services: Services) -> None:
    app = App(id="1", key="app-key", secret="app-secret")
    async with running_relay(app) as relay, losing_first_answer(relay) as url:
        listener = await relay.connect()
        for channel in ("ticket-1", "ticket-2"):
            await listener.subscribe(channel)
        await announced(
            services, [Event("ticket-1", "e1", {}), Event("ticket-2", "e2", {}), Event("ticket-1", "e3", {})]
        )
        client = PushlerClient(app.key, app.secret, app_id=app.id, url=url)
        async with client, outbox_of(services, client).running():
            await until_delivered(services)
        assert [event["event"] for event in await listener.told()] == ["e1", "e2", "e3"]


async def until_delivered(services: Services) -> None:
    async with asyncio.timeout(10):
        while await services.outbox.counts() != (0, 0):  # noqa: ASYNC110 - what another task changes in the store
            await asyncio.sleep(0.005)


async def test_each_event_goes_out_under_a_key_of_its_own(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    await announce(services, "e1", "e2")
    keys = [one.key for one in await services.outbox.pending(10)]
    async with outbox_of(services, client).running():
        await relay.events(2)
    assert [one.key for one in relay.heard] == keys
    assert len({*keys}) == 2
    assert all(len(key) <= 128 for key in keys)


async def test_the_same_number_in_a_new_database_makes_another_key(services: Services, clock: SteadyClock) -> None:
    await announce(services, "e1")
    (before,) = await services.outbox.pending(10)
    later = update(outbox).values(created_at=clock.now + timedelta(seconds=1))
    await services.database.writing(lambda tx: tx.conn.execute(later).rowcount)
    (after,) = await services.outbox.pending(10)
    assert (before.id == after.id, before.key == after.key) == (True, False)


async def test_another_pusher_server_is_sent_no_keys(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    await announce(services, "e1")
    async with Outbox(services.outbox, client, QUICK, extensions=False).running():
        await relay.events(1)
    assert relay.heard[0].key is None


def test_only_an_event_can_be_at_fault() -> None:
    stored = [StoredEvent(1, Event("c", "e", {}), "k1"), StoredEvent(2, lost_channel(5, 1), "k2")]
    assert place_of_fault(RelayRefused(400, "no", 0), stored) == 0
    assert place_of_fault(RelayRefused(400, "no", 1), stored) is None
    assert place_of_fault(RelayRefused(400, "no", 2), stored) is None
    assert place_of_fault(RelayRefused(400, "no"), stored) is None


async def test_a_stop_delivers_what_is_left(services: Services, client: PushlerClient, relay: RecordingRelay) -> None:
    async with outbox_of(services, client).running():
        await announce(services, *(f"e{number}" for number in range(30)))
    assert len(relay.heard) == 30


async def test_a_stop_does_not_wait_for_a_relay_that_is_away(
    services: Services, client: PushlerClient, relay: RecordingRelay
) -> None:
    relay.status = 503
    slow = Pace(first_pause=60, longest_pause=60, poll=60, deadline=60)
    await announce(services, "e1")
    async with asyncio.timeout(5):
        async with Outbox(services.outbox, client, slow).running():
            await relay.wait_for(lambda: relay.requests >= 1)
    assert await services.outbox.counts() == (1, 0)


class Hanging:
    """A relay that never answers."""

    async def trigger_batch(self, batch: Sequence[RelayEvent]) -> dict[str, Any]:
        assert batch
        await asyncio.Event().wait()
        return {}

    async def unsubscribe_user(self, user_id: str, channel: str | None = None) -> dict[str, Any]:
        raise AssertionError(user_id, channel)

    async def terminate_connections(self, user_id: str) -> dict[str, Any]:
        raise AssertionError(user_id)


async def test_a_stop_ends_at_the_deadline_when_the_relay_hangs(services: Services) -> None:
    await announce(services, "e1")
    async with asyncio.timeout(5):
        async with Outbox(services.outbox, Hanging(), Pace(deadline=0.05)).running():
            await asyncio.sleep(0)
    assert await services.outbox.counts() == (1, 0)


class Broken:
    """A queue with a bug, once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.calls = 0

    async def pending(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("a bug")
        return await self._services.outbox.pending(limit, but_not)

    async def next(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        return await self._services.outbox.next(limit, but_not)

    async def forget(self, ids: Collection[int]) -> None:
        await self._services.outbox.forget(ids)

    async def set_aside(self, event_id: int, refusal: str) -> None:
        await self._services.outbox.set_aside(event_id, refusal)


async def test_a_bug_is_logged_and_the_delivery_goes_on(
    services: Services, client: PushlerClient, relay: RecordingRelay, capsys: pytest.CaptureFixture[str]
) -> None:
    await announce(services, "e1")
    async with Outbox(Broken(services), client, QUICK).running():
        await relay.events(1)
    said = capsys.readouterr()
    assert "outbox_has_a_bug" in said.out + said.err
