"""What is counted, and how it reads."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from relay import ports, server
from relay.apps import ChannelHistory
from relay.config import Settings
from relay.protocol.errors import Rejected
from relay.protocol.limits import Limits
from relay.watch.prometheus import Metrics
from relay.watch.stats import AppStats, ClusterStats, Gauges, WebhookStats
from tests.helpers.clients import APP, app_with, member, message, signature
from tests.helpers.frames import client_frame
from tests.helpers.node import Client, Relay, end_turn
from tests.helpers.processes import ROOT, free_port
from tests.helpers.relay import PATIENCE, RunningRelay, WebSocketClient, running_relay, until

CLUSTER = ClusterStats(
    is_up=True,
    problem="",
    nodes=4,
    round_trip=0.25,
    unanswered=2,
    unanswered_reports=3,
    lease_age=1.5,
    replayed=5,
    recovered=11,
    gaps=6,
    refused=7,
    stale=8,
    reaped=9,
    epochs=10,
)

Samples = dict[str, float]


def samples(text: str) -> Samples:
    """Every value by its name and labels: relay_connections{app=3}."""
    return {
        sample.name
        + "{"
        + ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        + "}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def rendered(relay: Relay) -> Samples:
    end_turn(relay.node)
    metrics = Metrics(relay.node.all_stats, relay.node.gauges, dict)
    return samples(metrics.render().decode())


class TestConversations:
    def test_a_known_conversation_gives_known_figures(self) -> None:
        app = app_with(client_events_per_second=1)
        relay = Relay(app)
        one, two = relay.client(app), relay.client(app)
        for client, user_id in ((one, "1"), (two, "2")):
            client.subscribe("presence-a", member(user_id))
        one.subscribe("b")
        sent = message("client-x", 1, "presence-a")
        for _ in range(2):
            one.send(sent)
        one.send(b"nonsense")
        relay.publish("x", "1", "b", "presence-a", "nobody", app=app)
        found = rendered(relay)
        assert {name: found[f"relay_{name}{{app=3}}"] for name in ("connections", "channels", "subscriptions")} == {
            "connections": 2,
            "channels": 2,
            "subscriptions": 3,
        }
        assert found["relay_connections_opened_total{app=3}"] == 2
        received = {
            "subscribe": 3,
            "client_event": 1,
            "refused": 2,
            "unsubscribe": 0,
            "signin": 0,
            "ping": 0,
            "pong": 0,
        }
        for kind, count in received.items():
            assert found[f"relay_messages_received_total{{app=3,kind={kind}}}"] == count
        assert found["relay_rate_limited_total{app=3}"] == 1
        assert found["relay_client_events_total{app=3}"] == 1
        assert found["relay_events_published_total{app=3}"] == 3
        # member_added to one, the client event to the other, the event to three subscribers; to each client a welcome, a
        # confirmation for each subscription, and the two errors.
        for kind, count in {"internal": 1, "client_event": 1, "event": 3, "answer": 7}.items():
            assert found[f"relay_messages_sent_total{{app=3,kind={kind}}}"] == count
            assert found[f"relay_bytes_sent_total{{app=3,kind={kind}}}"] > count * 20
        assert found["relay_bytes_received_total{app=3,kind=client_event}"] == len(sent)
        assert found["relay_bytes_received_total{app=3,kind=refused}"] == len(sent) + len(b"nonsense")

    def test_what_is_refused_is_counted_and_never_makes_a_gauge_fall(self) -> None:
        app = replace(app_with(connections=1), allowed_origins=("https://shop.example",))
        relay = Relay(app)
        first = relay.client(app)
        for _ in range(3):
            with pytest.raises(Rejected):
                Client(relay.node, app)
        with pytest.raises(Rejected) as refused:
            relay.node.admit("key-3", "https://evil.example")
        relay.node.refused("key-3", refused.value, "192.0.2.1")
        found = rendered(relay)
        assert (found["relay_connections{app=3}"], found["relay_connections_refused_total{app=3}"]) == (1, 4)
        for _ in range(3):
            first.drop()
        found = rendered(relay)
        assert (found["relay_connections{app=3}"], found["relay_connections_opened_total{app=3}"]) == (0, 1)

    def test_gauges_come_back_to_nothing(self) -> None:
        relay = Relay()
        clients = [relay.client() for _ in range(3)]
        for client in clients:
            client.subscribe("a")
            client.subscribe("presence-b", member("7"))
        for client in clients:
            client.drop()
            client.drop()
        found = rendered(relay)
        assert [found[f"relay_{name}{{app=3}}"] for name in ("connections", "channels", "subscriptions")] == [0, 0, 0]


Pass = Callable[[RunningRelay], Awaitable[object]]


async def subscribe(relay: RunningRelay, *channels: str, channel_data: str | None = None) -> WebSocketClient:
    client = await relay.connect()
    for channel in channels:
        await client.subscribe(channel, channel_data)
    return client


async def client_events(relay: RunningRelay, *names: str) -> None:
    client = await subscribe(relay, "private-a")
    for name in names:
        await client.send(name, "12345", "private-a")
    await client.told()


async def sign_in(relay: RunningRelay, user_data: str) -> None:
    client = await relay.connect()
    auth = f"{relay.app.key}:{signature(relay.app.secret, f'{client.socket_id}::user::{user_data}')}"
    await client.send("pusher:signin", {"auth": auth, "user_data": user_data})
    await client.told()


async def two_members(relay: RunningRelay) -> None:
    for user_id in "12":
        await subscribe(relay, "presence-a", channel_data=member(user_id))


async def one_too_many(relay: RunningRelay) -> None:
    await relay.connect()
    refused = await relay.open("/app/key-3?protocol=7")
    await refused.closed()


async def long_message(relay: RunningRelay) -> None:
    client = await relay.connect()
    await client.send_text("x" * 1_025)
    await client.closed()


async def a_burst_and_more(relay: RunningRelay) -> None:
    client = await relay.connect()
    ping = client_frame(message("pusher:ping"))
    client.websocket.transport.write(ping * (relay.app.limits.message_burst + 10))
    await until(lambda: bool(relay.node.namespaces[relay.app.id].stats.limits_hit))


async def trigger(relay: RunningRelay, *channels: str, **fields: object) -> None:
    await relay.post("/events", {"name": "e", "data": "", "channels": channels} | fields)


async def batch_of_two(relay: RunningRelay) -> None:
    await relay.post("/batch_events", {"batch": [{"name": "e", "data": "", "channel": "a"}] * 2})


async def two_requests(relay: RunningRelay) -> None:
    for _ in range(2):
        await relay.get("/channels")


# Limit, its value, and what passes it once.
PASSED: list[tuple[str, int, Pass]] = [
    ("channel_name_length", 5, lambda relay: trigger(relay, "longer")),
    ("channel_name_length", 5, lambda relay: relay.get("/channels/longer")),
    ("channel_name_length", 5, lambda relay: subscribe(relay, "longer")),
    ("event_name_length", 1, lambda relay: trigger(relay, "a", name="ee")),
    ("event_name_length", 7, lambda relay: client_events(relay, "client-x")),
    ("event_data_bytes", 1, lambda relay: trigger(relay, "a", data="é")),
    ("event_data_bytes", 5, lambda relay: client_events(relay, "client-x")),
    ("channels_per_publish", 1, lambda relay: trigger(relay, "a", "b")),
    ("events_per_batch", 1, batch_of_two),
    ("presence_members", 1, two_members),
    ("presence_member_bytes", 10, lambda relay: subscribe(relay, "presence-a", channel_data=member("1"))),
    ("user_id_length", 1, lambda relay: subscribe(relay, "presence-a", channel_data=member("12"))),
    ("user_id_length", 1, lambda relay: sign_in(relay, '{"id":"12"}')),
    ("client_events_per_second", 1, lambda relay: client_events(relay, "client-x", "client-y")),
    ("client_events_per_channel", 1, lambda relay: client_events(relay, "client-x", "client-y")),
    ("messages_per_second", 1, a_burst_and_more),
    ("api_requests_per_second", 1, two_requests),
    ("watchlist", 1, lambda relay: sign_in(relay, '{"id":"1","watchlist":["2","3"]}')),
    ("cached_events", 1, lambda relay: trigger(relay, "cache-a", "cache-b")),
    ("history_bytes", 2_000, lambda relay: trigger(relay, "remembered-a", "remembered-b")),
    ("subscriptions", 1, lambda relay: subscribe(relay, "a", "b")),
    ("connections", 1, one_too_many),
    ("connections_per_address", 1, one_too_many),
    ("message_bytes", 1_024, long_message),
]


class TestLimits:
    @pytest.mark.parametrize(("limit", "value", "go_over"), PASSED)
    async def test_a_limit_that_is_passed_is_counted_by_its_name_for_its_app_alone(
        self, limit: str, value: int, go_over: Pass
    ) -> None:
        history = (ChannelHistory("remembered-"),)
        limited = replace(APP, history=history, limits=replace(APP.limits, **{limit: value}))
        async with running_relay(limited, app_with(app_id="other")) as relay:
            await go_over(relay)
            stats = relay.node.all_stats()
        assert stats["3"].limits_hit == {limit: 1}
        assert stats["other"].limits_hit == {}
        metrics = Metrics(lambda: stats, list, dict)
        assert samples(metrics.render().decode())[f"relay_limits_hit_total{{app=3,limit={limit}}}"] == 1

    def test_every_limit_is_tried(self) -> None:
        # Nothing is refused for its age.
        assert {limit for limit, *_ in PASSED} == set(Limits.__struct_fields__) - {"cache_ttl"}

    async def test_what_is_wrong_without_passing_a_limit_is_not_counted_as_one(self, relay: RunningRelay) -> None:
        await trigger(relay)
        await trigger(relay, "a", name="")
        await trigger(relay, "no name!")
        await relay.request("GET", "/apps/3/channels")
        await subscribe(relay, "no name!", "presence-a", channel_data=member(""))
        await sign_in(relay, '{"id":""}')
        assert relay.node.all_stats()["3"].limits_hit == {}


class TestCloses:
    @pytest.mark.parametrize(
        ("code", "counted"), [(1000, "1000"), (1001, "1001"), (1011, "other"), (4001, "other"), (None, "1006")]
    )
    async def test_a_client_that_goes_is_counted_by_how_it_goes(
        self, relay: RunningRelay, code: int | None, counted: str
    ) -> None:
        client = await relay.connect()
        if code is None:
            client.websocket.transport.abort()
            await client.websocket.wait_closed()
        else:
            await client.websocket.close(code)
        await self._gone(relay)
        assert relay.node.all_stats()["3"].closes == {counted: 1}

    async def test_a_connection_that_the_relay_ends_is_counted_by_its_code(self, relay: RunningRelay) -> None:
        first, second = await relay.connect(), await relay.connect()
        first.websocket.transport.write(b"\x81\x01x")
        await first.closed()
        relay.reload([replace(APP, enabled=False)])
        await second.closed()
        stats = relay.node.all_stats()
        assert stats["3"].closes == {"1002": 1, "4003": 1}
        found = samples(Metrics(lambda: stats, list, dict).render().decode())
        assert found["relay_connections_closed_total{app=3,code=4003}"] == 1

    @staticmethod
    async def _gone(relay: RunningRelay) -> None:
        async with asyncio.timeout(PATIENCE):
            while not relay.node.all_stats()["3"].closes:  # noqa: ASYNC110 - a count is no event
                await asyncio.sleep(0)


class TestText:
    def test_requests_are_counted_by_route_and_status_and_their_time_in_buckets(self) -> None:
        metrics = Metrics(dict, list, dict)
        for status, seconds in ((200, 0.000_4), (200, 0.002), (401, 5.0)):
            metrics.requests.add("/events", status, seconds)
        found = samples(metrics.render().decode())
        assert found["relay_api_requests_total{route=/events,status=200}"] == 2
        assert found["relay_api_requests_total{route=/events,status=401}"] == 1
        assert found["relay_api_request_seconds_bucket{le=0.0005,route=/events}"] == 1
        assert found["relay_api_request_seconds_bucket{le=0.0025,route=/events}"] == 2
        assert found["relay_api_request_seconds_bucket{le=1.0,route=/events}"] == 2
        assert found["relay_api_request_seconds_bucket{le=+Inf,route=/events}"] == 3
        assert found["relay_api_request_seconds_count{route=/events}"] == 3
        assert found["relay_api_request_seconds_sum{route=/events}"] == pytest.approx(5.002_4)

    def test_each_app_and_each_part_has_its_own_figures(self) -> None:
        stats = {"1": AppStats(), "2": AppStats()}
        stats["2"].messages_sent["event"] = 5
        webhooks = WebhookStats()
        webhooks.events_delivered, webhooks.attempts_failed = 8, 7
        webhooks.events_dropped["anybody"] = 9
        webhooks.attempts.add(0.2)
        metrics = Metrics(lambda: stats, lambda: [("1", Gauges(1, 2, 3))], lambda: {"1": (webhooks, 4)})
        metrics.loop_lag = 0.25
        found = samples(metrics.render().decode())
        assert [found[f"relay_messages_sent_total{{app={app},kind=event}}"] for app in (1, 2)] == [0, 5]
        assert found["relay_subscriptions{app=1}"] == 3
        assert found["relay_webhook_events_dropped_total{app=1,cause=anybody}"] == 9
        assert found["relay_webhook_events_dropped_total{app=1,cause=members}"] == 0
        assert found["relay_webhook_events_delivered_total{app=1}"] == 8
        assert found["relay_webhook_attempts_failed_total{app=1}"] == 7
        assert found["relay_webhook_events_waiting{app=1}"] == 4
        assert found["relay_webhook_attempt_seconds_bucket{app=1,le=0.1}"] == 0
        assert found["relay_webhook_attempt_seconds_bucket{app=1,le=0.25}"] == 1
        assert found["relay_loop_lag_seconds{}"] == 0.25

    def test_a_relay_over_redis_says_how_it_stands_with_the_other_nodes(self) -> None:
        metrics = Metrics(dict, list, dict)
        assert not any("cluster" in name for name in samples(metrics.render().decode()))
        metrics.cluster = lambda: CLUSTER
        found = samples(metrics.render().decode())
        assert {
            name.removesuffix("{}"): value for name, value in found.items() if name.startswith("relay_cluster")
        } == {
            "relay_cluster_up": 1,
            "relay_cluster_round_trip_seconds": 0.25,
            "relay_cluster_unanswered_commands": 2,
            "relay_cluster_unanswered_reports": 3,
            "relay_cluster_lease_age_seconds": 1.5,
            "relay_cluster_nodes": 4,
            "relay_cluster_messages_replayed_total": 5,
            "relay_cluster_messages_recovered_total": 11,
            "relay_cluster_gaps_total": 6,
            "relay_cluster_publishes_refused_total": 7,
            "relay_cluster_taken_for_dead_total": 8,
            "relay_cluster_taken_back_total": 9,
            "relay_cluster_data_lost_total": 10,
        }


class TestDocument:
    """docs/operations.md and the dashboard name the metrics that there are."""

    def test_the_document_lists_each_metric_once_and_no_other(self) -> None:
        text = (ROOT / "docs" / "operations.md").read_text()
        rows = re.findall(r"^\|((?: `relay_\w+`(?: \{[\w, ]+\})?,?)+) \|", text, re.MULTILINE)
        listed = re.findall(r"`(\w+)`(?: \{([\w, ]+)\})?", "".join(rows))
        assert sorted(listed) == sorted((name, ", ".join(labels)) for name, labels in self._metrics())

    def test_the_dashboard_shows_none_that_is_not_there(self) -> None:
        text = (ROOT / "docs" / "deploy" / "grafana.json").read_text()
        known = {name for name, _ in self._metrics()}
        shown = set(re.findall(r"relay_\w+", text))
        assert {name.removesuffix("_bucket") for name in shown} <= known
        assert len(shown) > 10

    @staticmethod
    def _metrics() -> list[tuple[str, list[str]]]:
        """The metrics of a relay where something of everything has happened: names, and labels beyond buckets."""
        stats = AppStats()
        stats.closed(1000)
        stats.hit("connections")
        metrics = Metrics(lambda: {"3": stats}, lambda: [("3", Gauges(1, 1, 1))], lambda: {"3": (WebhookStats(), 0)})
        metrics.requests.add("/events", 200, 0.1)
        metrics.cluster = lambda: CLUSTER
        return [
            (
                family.name + ("_total" if family.type == "counter" else ""),
                sorted(family.samples[0].labels.keys() - {"le"}),
            )
            for family in metrics.collect()
        ]


class TestOnTheirOwnPort:
    async def test_they_are_served_there_and_name_each_route_once_whatever_is_asked(self) -> None:
        port = free_port()
        async with running_relay(metrics_port=port) as relay, aiohttp.ClientSession() as http:
            await relay.trigger("a")
            await relay.get("/channels/presence-a/users")
            await relay.get("/channels/presence-b/users")
            for path in ("/", "/nothing", "/apps", "/apps/3/channels/a/b/c/d", "/users/7/terminate_connections"):
                await relay.request("GET", path)
            async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
                assert response.headers["Content-Type"].startswith("text/plain; version=")
                found = samples(await response.text())
            async with http.get(f"http://127.0.0.1:{port}/other") as response:
                assert response.status == 404
        assert found["relay_api_requests_total{route=/events,status=200}"] == 1
        assert found["relay_api_requests_total{route=/channels/*/users,status=200}"] == 2
        assert found["relay_api_requests_total{route=other,status=404}"] == 4
        assert found["relay_api_requests_total{route=/users/*/terminate_connections,status=405}"] == 1

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("localhost:9100", 200),
            ("[::1]", 200),
            ("127.0.0.1", 200),
            ("evil.example:9100", 403),
            ("", 403),
            ("[", 403),
        ],
    )
    async def test_a_page_whose_sites_name_was_pointed_here_does_not_get_them(self, host: str, status: int) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}/metrics"
        async with (
            running_relay(metrics_port=port),
            aiohttp.ClientSession() as http,
            http.get(url, headers={"Host": host}) as response,
        ):
            assert response.status == status
            assert ("relay_connections" in await response.text()) is (status == 200)

    async def test_where_other_machines_reach_them_they_have_any_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        port = free_port()
        monkeypatch.setattr(ports, "is_loopback", lambda host: False)
        url = f"http://127.0.0.1:{port}/metrics"
        async with (
            running_relay(metrics_port=port),
            aiohttp.ClientSession() as http,
            http.get(url, headers={"Host": "relay.internal"}) as response,
        ):
            assert response.status == 200

    async def test_half_heads_take_no_scrapers_place(self) -> None:
        port = free_port()
        async with running_relay(metrics_port=port) as relay, aiohttp.ClientSession() as http:
            for _ in range(ports.METRICS_CONNECTIONS + 5):
                half = await relay.wire(port)
                await half.send(b"GET /metrics HTTP/1.1\r\n")
            async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
                assert response.status == 200

    async def test_a_busy_port_of_theirs_is_an_error_of_the_system_and_frees_the_other(self) -> None:
        port, metrics_port = free_port(), free_port()
        async with running_relay(metrics_port=metrics_port):
            with pytest.raises(OSError, match="in use"):
                async with server.running(Settings(port=port, metrics_port=metrics_port, apps=(APP,))):
                    pytest.fail("two relays on one port")
            async with running_relay(APP) as other:
                assert (await other.request("GET", "/up")).status == 200
