"""What is counted, and how it reads."""

import aiohttp
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from relay import server
from relay.config import Settings
from relay.metrics import AppStats, Gauges, Metrics
from relay.protocol.errors import Rejected
from tests.helpers.clients import APP, app_with, member, message
from tests.helpers.node import Client, Relay, end_turn
from tests.helpers.processes import free_port
from tests.helpers.relay import running_relay

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
        with pytest.raises(Rejected):
            relay.node.app_for("key-3", "https://evil.example")
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
        metrics = Metrics(lambda: stats, lambda: [("1", Gauges(1, 2, 3))], lambda: {"1": 9})
        metrics.loop_lag = 0.25
        found = samples(metrics.render().decode())
        assert [found[f"relay_messages_sent_total{{app={app},kind=event}}"] for app in (1, 2)] == [0, 5]
        assert found["relay_subscriptions{app=1}"] == 3
        assert found["relay_webhook_events_dropped_total{app=1}"] == 9
        assert found["relay_loop_lag_seconds{}"] == 0.25


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

    async def test_a_busy_port_of_theirs_is_an_error_of_the_system_and_frees_the_other(self) -> None:
        port, metrics_port = free_port(), free_port()
        async with running_relay(metrics_port=metrics_port):
            with pytest.raises(OSError, match="in use"):
                async with server.running(Settings(port=port, metrics_port=metrics_port, apps=(APP,))):
                    pytest.fail("two relays on one port")
            async with running_relay(APP) as other:
                assert (await other.request("GET", "/up")).status == 200
