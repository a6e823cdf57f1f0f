"""What back ends are told: against a real receiver on loopback."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pusher  # type: ignore[import-untyped] # it has none
import pytest
from msgspec.structs import replace

from relay.apps import App, Webhook
from relay.client import PushlerClient
from relay.protocol.webhooks import WebhookEvent
from relay.watch.stats import WebhookStats
from relay.webhooks.delivery import HttpWebhooks
from relay.webhooks.pace import Pace
from tests.helpers.clients import APP, member
from tests.helpers.node import Clock, Relay
from tests.helpers.relay import PATIENCE, running_relay
from tests.relay.webhooks.receiver import Receiver

QUICK = Pace(first_pause=0.001, longest_pause=0.002, timeout=PATIENCE, budget=PATIENCE, flush=PATIENCE)
OCCUPIED = WebhookEvent("channel_occupied", "a")
VACATED = WebhookEvent("channel_vacated", "a")


def app_of(receiver: Receiver, **filters: Any) -> App:
    return replace(APP, webhooks=(Webhook(receiver.url, **filters),))


class Running:
    """Webhooks at work, on a clock that a test moves."""

    def __init__(self, app: App, pace: Pace) -> None:
        self.app = app
        self.clock = Clock()
        self.unix = Clock(1_700_000_000.0)
        self.webhooks = HttpWebhooks([app], self.clock, self.unix, pace)

    def happened(self, *events: WebhookEvent) -> None:
        for event in events:
            self.webhooks.happened(self.app.id, event)

    @property
    def stats(self) -> WebhookStats:
        return self.webhooks.stats()[self.app.id][0]

    @property
    def waiting(self) -> int:
        return self.webhooks.stats()[self.app.id][1]

    @property
    def dropped(self) -> int:
        return sum(self.stats.events_dropped.values())

    async def lost(self) -> None:
        """Wait until something was given up."""
        async with asyncio.timeout(PATIENCE):
            while not self.dropped:  # noqa: ASYNC110 - a count is no event
                await asyncio.sleep(0)

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.webhooks.tick(self.clock.now)


@asynccontextmanager
async def at_work(app: App, pace: Pace = QUICK) -> AsyncIterator[Running]:
    running = Running(app, pace)
    await running.webhooks.start()
    try:
        yield running
    finally:
        await running.webhooks.stop()


def client_event(number: int) -> WebhookEvent:
    return WebhookEvent("client_event", "private-a", f"client-{number}", "1", "1.2")


class TestDelivering:
    async def test_a_request_is_signed_and_both_clients_take_it(self, receiver: Receiver) -> None:
        async with at_work(app_of(receiver)) as running:
            running.unix.now = time.time()
            running.happened(WebhookEvent("member_added", "presence-a", user_id="7"))
            headers, body = await receiver.request()
        assert headers["Content-Type"] == "application/json"
        told = [{"name": "member_added", "channel": "presence-a", "user_id": "7"}]
        assert PushlerClient(APP.key, APP.secret).verify_webhook(headers, body) == told
        official = pusher.Pusher("3", APP.key, APP.secret)
        checked = official.validate_webhook(headers["X-Pusher-Key"], headers["X-Pusher-Signature"], body.decode())
        assert checked is not None
        assert checked["events"] == told
        assert official.validate_webhook(APP.key, headers["X-Pusher-Signature"], body.decode() + " ") is None

    async def test_events_that_wait_go_together_and_in_their_order(self, receiver: Receiver) -> None:
        pace = Pace(batch=3, flush=PATIENCE)
        receiver.gate.clear()
        async with at_work(app_of(receiver), pace) as running:
            running.happened(client_event(0))
            assert [event["event"] for event in await receiver.events()] == ["client-0"]
            running.happened(*[client_event(number) for number in range(1, 6)])
            receiver.gate.set()
            assert [event["event"] for event in await receiver.events()] == ["client-1", "client-2", "client-3"]
            assert [event["event"] for event in await receiver.events()] == ["client-4", "client-5"]

    @pytest.mark.parametrize("status", [500, 503, 404, 301])
    async def test_what_is_not_taken_comes_again_with_a_fresh_time_and_signature(
        self, receiver: Receiver, status: int
    ) -> None:
        receiver.statuses = [status, status]
        async with at_work(app_of(receiver)) as running:
            running.happened(OCCUPIED)
            requests = []
            for _ in range(3):
                requests.append(await receiver.request())
                running.unix.now += 400
        bodies = [json.loads(body) for _, body in requests]
        assert [body["events"] for body in bodies] == [[{"name": "channel_occupied", "channel": "a"}]] * 3
        assert bodies[0]["time_ms"] == 1_700_000_000_000
        assert len({body["time_ms"] for body in bodies}) > 1
        signed = PushlerClient(APP.key, APP.secret)
        assert all(signed.verify_webhook(headers, body) for headers, body in requests)
        assert running.dropped == 0

    async def test_later_events_wait_for_the_ones_that_failed(self, receiver: Receiver) -> None:
        receiver.statuses = [500]
        async with at_work(app_of(receiver), replace(QUICK, batch=1)) as running:
            running.happened(*[client_event(number) for number in range(3)])
            seen = [(await receiver.events())[0]["event"] for _ in range(4)]
        assert seen == ["client-0", "client-0", "client-1", "client-2"]

    async def test_a_target_that_is_not_there_is_tried_until_the_budget_is_spent_and_the_loss_counted(
        self, receiver: Receiver, logged: list[MutableMapping[str, Any]]
    ) -> None:
        receiver.statuses = [500] * 100
        # Whoever reads the log learns no password and no token of the target.
        secret = replace(APP, webhooks=(Webhook(receiver.url.replace("//", "//user:hush@") + "?token=hush"),))
        async with at_work(secret, replace(QUICK, budget=0.0, first_pause=1.0)) as running:
            running.happened(OCCUPIED)
            await receiver.request()
            await running.lost()
        assert running.dropped == 1
        (entry,) = [entry for entry in logged if entry["log_level"] == "error"]
        assert (entry["event"], entry["count"], entry["reason"]) == ("webhooks_dropped", 1, "it answered 500")
        assert entry["url"] == receiver.url
        assert all("hush" not in str(line) for line in logged)
        logged.clear()

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://nobody.invalid/"])
    async def test_a_target_that_cannot_be_reached_is_given_up_too(
        self, url: str, logged: list[MutableMapping[str, Any]]
    ) -> None:
        app = replace(APP, webhooks=(Webhook(url),))
        async with at_work(app, replace(QUICK, budget=0.0, first_pause=1.0)) as running:
            running.happened(OCCUPIED)
            await running.lost()
        assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["webhooks_dropped"]
        logged.clear()

    async def test_an_answer_that_does_not_come_counts_as_a_failure(
        self, receiver: Receiver, logged: list[MutableMapping[str, Any]]
    ) -> None:
        receiver.gate.clear()
        async with at_work(app_of(receiver), replace(QUICK, timeout=0.01, budget=0.0, first_pause=1.0)) as running:
            running.happened(OCCUPIED)
            await running.lost()
        assert logged[-1]["reason"] == "no answer within 0 s"
        receiver.gate.set()
        logged.clear()

    async def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
        self, receiver: Receiver, logged: list[MutableMapping[str, Any]]
    ) -> None:
        receiver.gate.clear()
        async with at_work(app_of(receiver), replace(QUICK, queue=2)) as running:
            running.happened(*[client_event(number) for number in range(5)])
            assert running.dropped == 3
            receiver.gate.set()
            assert [event["event"] for event in await receiver.events()] == ["client-0", "client-1"]
        (entry,) = [entry for entry in logged if entry["log_level"] == "error"]
        assert (entry["event"], entry["count"], entry["reason"]) == ("webhooks_dropped", 3, "the queue is full")
        logged.clear()


class TestRoom:
    async def test_what_strangers_make_happen_displaces_nothing_that_was_authorised(
        self, receiver: Receiver, logged: list[MutableMapping[str, Any]]
    ) -> None:
        receiver.gate.clear()
        async with at_work(app_of(receiver), replace(QUICK, queue=3)) as running:
            for number in range(20):
                name = f"a-{number}"
                running.happened(
                    WebhookEvent("channel_occupied", name),
                    WebhookEvent("subscription_count", name, subscription_count=1),
                    WebhookEvent("cache_miss", f"cache-{number}"),
                    WebhookEvent("channel_vacated", name),
                )
            running.happened(
                client_event(1),
                WebhookEvent("channel_occupied", "private-a"),
                WebhookEvent("member_added", "presence-a", user_id="7"),
            )
            receiver.gate.set()
            told = await receiver.names(6)
        assert told[3:] == ["client_event", "channel_occupied", "member_added"]
        assert running.stats.events_dropped == {"anybody": 77, "channels": 0, "members": 0}
        assert [line["causes"] for line in logged if line["event"] == "webhooks_dropped"] == [{"anybody": 77}]
        logged.clear()

    async def test_room_that_was_taken_is_free_again_when_it_is_told(self, receiver: Receiver) -> None:
        async with at_work(app_of(receiver), replace(QUICK, queue=2)) as running:
            for _ in range(5):
                running.happened(client_event(1), client_event(2))
                assert await receiver.names(2) == ["client_event", "client_event"]
                async with asyncio.timeout(PATIENCE):
                    while running.waiting:  # noqa: ASYNC110 - a count is no event
                        await asyncio.sleep(0)
        assert running.dropped == 0

    async def test_more_than_may_wait_for_the_grace_is_told_at_once(self, receiver: Receiver) -> None:
        app = app_of(receiver)
        async with at_work(app, replace(QUICK, leaving=2)) as running:
            for number in range(3):
                running.webhooks.left(app.id, WebhookEvent("channel_vacated", f"a-{number}"), "channel_occupied")
            assert [event["channel"] for event in await receiver.events()] == ["a-2"]
            member_left = WebhookEvent("member_removed", "presence-a", user_id="7")
            running.webhooks.left(app.id, member_left, "member_added")
            running.webhooks.came(app.id, WebhookEvent("channel_occupied", "a-0"))
            running.webhooks.left(app.id, WebhookEvent("channel_vacated", "a-3"), "channel_occupied")
            assert receiver.requests.empty()
            running.wait(3)
            assert [event["channel"] for event in await receiver.events()] == ["a-1", "presence-a", "a-3"]

    async def test_misses_of_more_channels_than_are_remembered_are_all_told(self, receiver: Receiver) -> None:
        async with at_work(app_of(receiver), replace(QUICK, missed=1)) as running:
            one, two = WebhookEvent("cache_miss", "cache-1"), WebhookEvent("cache_miss", "cache-2")
            running.happened(one, two, one, two)
            assert [event["channel"] for event in await receiver.events()] == ["cache-1", "cache-2", "cache-2"]


class TestCounting:
    async def test_what_waits_was_taken_or_failed_is_counted(self, receiver: Receiver) -> None:
        receiver.gate.clear()
        receiver.statuses = [500]
        async with at_work(app_of(receiver), replace(QUICK, batch=2)) as running:
            running.happened(*[client_event(number) for number in range(3)])
            await receiver.request()
            assert (running.waiting, running.stats.events_delivered, running.stats.attempts_failed) == (3, 0, 0)
            receiver.gate.set()
        assert (running.waiting, running.stats.events_delivered, running.stats.attempts_failed) == (0, 3, 1)
        *_, (bound, attempts) = running.stats.attempts.cumulative()
        assert (bound, attempts) == ("+Inf", 3)
        assert 0 < running.stats.attempts.sum < PATIENCE

    async def test_an_app_with_a_target_has_figures_from_the_start_and_keeps_them_without_one(
        self, receiver: Receiver
    ) -> None:
        async with at_work(app_of(receiver)) as running:
            assert (running.waiting, running.stats.events_delivered) == (0, 0)
            running.happened(OCCUPIED)
            await receiver.request()
            running.webhooks.reload([APP])
        assert (running.waiting, running.stats.events_delivered) == (0, 1)

    async def test_what_a_target_that_ends_still_has_to_tell_waits_too(self, receiver: Receiver) -> None:
        receiver.gate.clear()
        async with at_work(app_of(receiver)) as running:
            running.happened(OCCUPIED)
            await receiver.request()
            running.webhooks.reload([APP])
            assert running.waiting == 1
            receiver.gate.set()
        assert running.waiting == 0


class TestFilters:
    async def test_a_target_is_told_of_the_events_that_it_names(self, receiver: Receiver) -> None:
        async with at_work(app_of(receiver, events=("member_added", "client_event"))) as running:
            running.happened(OCCUPIED, WebhookEvent("member_added", "presence-a", user_id="7"), client_event(1))
            assert await receiver.names(2) == ["member_added", "client_event"]
        assert receiver.requests.empty()

    async def test_a_target_is_told_of_channels_with_its_prefix_only(self, receiver: Receiver) -> None:
        async with at_work(app_of(receiver, channel_prefix="private-")) as running:
            running.happened(OCCUPIED, WebhookEvent("channel_occupied", "private-b"), WebhookEvent("cache_miss", "x"))
            assert await receiver.events() == [{"name": "channel_occupied", "channel": "private-b"}]
        assert receiver.requests.empty()

    async def test_a_target_is_not_told_of_channels_with_the_prefix_that_it_excludes(self, receiver: Receiver) -> None:
        app = app_of(receiver, channel_prefix="private-", exclude_prefix="private-encrypted-")
        async with at_work(app) as running:
            channels = ("private-encrypted-a", "encrypted", "private-b")
            running.happened(*(WebhookEvent("channel_occupied", channel) for channel in channels))
            assert await receiver.events() == [{"name": "channel_occupied", "channel": "private-b"}]
        assert receiver.requests.empty()

    async def test_each_target_of_an_app_is_told_by_its_own_filter(self, receiver: Receiver) -> None:
        hooks = tuple(Webhook(receiver.url, channel_prefix=prefix) for prefix in ("a", "b"))
        async with at_work(replace(APP, webhooks=hooks)) as running:
            running.happened(OCCUPIED, WebhookEvent("channel_occupied", "b"), WebhookEvent("channel_occupied", "c"))
            told = [await receiver.events(), await receiver.events()]
        assert sorted(events[0]["channel"] for events in told) == ["a", "b"]

    async def test_an_app_without_webhooks_costs_nothing(self) -> None:
        async with at_work(APP) as running:
            running.happened(OCCUPIED)
            running.webhooks.came(APP.id, OCCUPIED)
            running.webhooks.left(APP.id, VACATED, "channel_occupied")
            running.wait(10)
        assert running.webhooks.stats() == {}


class TestGrace:
    async def test_who_comes_back_within_three_seconds_was_never_away(self, receiver: Receiver) -> None:
        app = app_of(receiver)
        async with at_work(app) as running:
            running.webhooks.came(app.id, OCCUPIED)
            assert await receiver.names(1) == ["channel_occupied"]
            running.webhooks.left(app.id, VACATED, "channel_occupied")
            running.wait(2.9)
            running.webhooks.came(app.id, OCCUPIED)
            running.wait(10)
            running.happened(client_event(1))
            assert await receiver.names(1) == ["client_event"]

    async def test_who_does_not_is_told_of_after_that(self, receiver: Receiver) -> None:
        app = app_of(receiver)
        async with at_work(app) as running:
            running.webhooks.left(app.id, VACATED, "channel_occupied")
            running.wait(2.9)
            assert receiver.requests.empty()
            running.wait(0.1)
            assert await receiver.names(1) == ["channel_vacated"]
            running.webhooks.came(app.id, OCCUPIED)
            assert await receiver.names(1) == ["channel_occupied"]

    async def test_another_user_or_channel_that_comes_undoes_nothing(self, receiver: Receiver) -> None:
        app = app_of(receiver)
        async with at_work(app) as running:
            running.webhooks.left(app.id, WebhookEvent("member_removed", "presence-a", user_id="7"), "member_added")
            running.webhooks.came(app.id, WebhookEvent("member_added", "presence-a", user_id="8"))
            running.webhooks.came(app.id, WebhookEvent("member_added", "presence-b", user_id="7"))
            running.wait(3)
            assert await receiver.names(3) == ["member_added", "member_added", "member_removed"]

    async def test_several_who_miss_the_same_event_at_once_are_told_of_once(self, receiver: Receiver) -> None:
        missed = WebhookEvent("cache_miss", "cache-a")
        async with at_work(app_of(receiver)) as running:
            running.happened(missed, missed, WebhookEvent("cache_miss", "cache-b"))
            running.wait(2.9)
            running.happened(missed)
            running.wait(0.1)
            running.happened(missed)
            channels: list[str] = []
            while len(channels) < 3:
                channels += [event["channel"] for event in await receiver.events()]
        assert channels == ["cache-a", "cache-b", "cache-a"]
        assert receiver.requests.empty()


class TestStopping:
    async def test_what_waits_and_what_would_wait_for_the_grace_is_told_before_the_end(
        self, receiver: Receiver
    ) -> None:
        app = app_of(receiver)
        receiver.statuses = [500]
        async with at_work(app) as running:
            running.happened(OCCUPIED)
            await receiver.request()
            running.webhooks.left(app.id, VACATED, "channel_occupied")
        told = []
        while not receiver.requests.empty():
            told += await receiver.names(1)
        assert told == ["channel_occupied", "channel_vacated"]

    async def test_what_cannot_be_told_in_time_is_counted(
        self, receiver: Receiver, logged: list[MutableMapping[str, Any]]
    ) -> None:
        receiver.gate.clear()
        async with at_work(app_of(receiver), replace(QUICK, flush=0.0)) as running:
            running.happened(OCCUPIED, VACATED)
            await receiver.request()
        assert running.dropped == 2
        assert logged[-1]["reason"] == "the relay stops"
        assert running.waiting == 0
        receiver.gate.set()
        logged.clear()

    async def test_webhooks_that_were_never_started_stop(self) -> None:
        webhooks = HttpWebhooks([APP], Clock())
        with pytest.raises(RuntimeError, match="not started"):
            webhooks.reload([APP])
        await webhooks.stop()
        assert webhooks.stats() == {}


class TestReloading:
    async def test_a_new_target_is_told_and_one_that_is_gone_gets_what_was_waiting(self, receiver: Receiver) -> None:
        old = app_of(receiver, channel_prefix="a")
        new = app_of(receiver, channel_prefix="b")
        async with at_work(old) as running:
            running.happened(OCCUPIED)
            running.webhooks.reload([new])
            running.happened(WebhookEvent("channel_occupied", "a2"), WebhookEvent("channel_occupied", "b"))
            told = [await receiver.events(), await receiver.events()]
        assert sorted(event["channel"] for events in told for event in events) == ["a", "b"]

    async def test_a_target_that_stays_keeps_its_queue_and_signs_with_the_new_key(self, receiver: Receiver) -> None:
        app = app_of(receiver)
        rotated = replace(app, key="new-key", secret="new-secret")
        receiver.gate.clear()
        async with at_work(app) as running:
            running.happened(client_event(0))
            await receiver.request()
            running.happened(client_event(1))
            running.webhooks.reload([rotated])
            receiver.gate.set()
            headers, body = await receiver.request()
        (event,) = PushlerClient("new-key", "new-secret").verify_webhook(headers, body)
        assert event["event"] == "client-1"

    async def test_an_app_that_is_gone_is_told_of_no_more(self, receiver: Receiver) -> None:
        async with at_work(app_of(receiver)) as running:
            running.webhooks.reload([])
            running.happened(OCCUPIED)
        assert receiver.requests.empty()

    async def test_an_app_that_goes_is_told_at_once_who_left_last_and_nothing_twice_when_it_comes_back(
        self, receiver: Receiver
    ) -> None:
        app = app_of(receiver)
        async with at_work(app) as running:
            running.webhooks.came(app.id, OCCUPIED)
            running.webhooks.left(app.id, VACATED, "channel_occupied")
            running.webhooks.reload([])
            assert await receiver.names(2) == ["channel_occupied", "channel_vacated"]
            running.webhooks.reload([app])
            running.webhooks.came(app.id, OCCUPIED)
            assert await receiver.names(1) == ["channel_occupied"]
            running.wait(10.0)
        assert receiver.requests.empty()


class TestTheNodesWord:
    def test_a_member_leaves_before_its_channel_is_vacated(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe("presence-a", member(7))
        client.drop()
        assert relay.webhooks.take() == [
            ("came", {"name": "channel_occupied", "channel": "presence-a"}),
            ("came", {"name": "member_added", "channel": "presence-a", "user_id": "7"}),
            (
                "left, undone by member_added",
                {"name": "member_removed", "channel": "presence-a", "user_id": "7"},
            ),
            ("left, undone by channel_occupied", {"name": "channel_vacated", "channel": "presence-a"}),
        ]

    def test_only_the_first_connection_of_a_user_and_of_a_channel_is_told(self) -> None:
        relay = Relay()
        tabs = [relay.client(), relay.client()]
        for tab in tabs:
            tab.subscribe("presence-a", member(7))
            tab.subscribe("b")
        relay.webhooks.take()
        tabs[0].drop()
        assert relay.webhooks.take() == []

    @pytest.mark.parametrize(
        ("data", "text"),
        [('"te\\"xt"', 'te"xt'), ('{"a":[1]}', '{"a":[1]}'), ("7", "7"), ("null", "null"), ('"7"', "7")],
    )
    def test_the_data_of_a_client_event_is_told_as_text(self, data: str, text: str) -> None:
        app = replace(APP, webhooks=(Webhook("http://x/"),))
        relay = Relay(app)
        client = relay.client(app)
        client.subscribe("presence-a", member(7))
        relay.webhooks.take()
        client.send(f'{{"event":"client-x","channel":"presence-a","data":{data}}}'.encode())
        assert relay.webhooks.take() == [
            (
                "happened",
                {
                    "name": "client_event",
                    "channel": "presence-a",
                    "event": "client-x",
                    "data": text,
                    "socket_id": client.socket_id,
                    "user_id": "7",
                },
            )
        ]

    def test_a_client_event_that_was_refused_is_not_told(self) -> None:
        app = replace(APP, client_messages=False, webhooks=(Webhook("http://x/"),))
        relay = Relay(app)
        client = relay.client(app)
        client.subscribe("private-a")
        relay.webhooks.take()
        assert client.send(b'{"event":"client-x","channel":"private-a","data":1}')[0]["event"] == "pusher:error"
        assert relay.webhooks.take() == []


async def test_a_real_relay_tells_of_a_whole_visit_when_it_stops(receiver: Receiver) -> None:
    async with running_relay(app_of(receiver)) as relay:
        client = await relay.connect()
        await client.subscribe("presence-a", member("7"))
        assert await receiver.names(2) == ["channel_occupied", "member_added"]
        await client.websocket.close()
        again = await relay.connect()
        await again.subscribe("presence-a", member("7"))
        await again.send("client-x", {"a": 1}, "presence-a")
        assert await receiver.names(1) == ["client_event"]
        await relay.stop()
    assert await receiver.names(2) == ["member_removed", "channel_vacated"]
