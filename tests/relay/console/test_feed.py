"""What viewers are told, by a real relay with real clients; and what they are not told when they are too slow."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from relay.apps import App, Webhook
from relay.console import feed as feeds
from relay.console.feed import Feeds, TooManyViewers, Viewer
from relay.watch.happenings import ClientEvent, Connected, Published
from tests.helpers.clients import APP, app_with, member, signature
from tests.helpers.console import RunningConsole, running_console
from tests.helpers.node import Client, Relay
from tests.helpers.processes import free_port
from tests.helpers.relay import PATIENCE


class TestState:
    async def test_the_present_state_comes_first_and_changes_with_the_app(self, console: RunningConsole) -> None:
        client = await console.relay.connect()
        await client.subscribe("news")
        await client.subscribe("presence-a", member("7"))
        await client.send("client-x", {}, "presence-a")
        await console.relay.trigger("news")
        viewer = await console.feed()
        other = await console.relay.connect()
        await other.subscribe("news")
        state = await viewer.state(lambda state: state["subscriptions"] == 3)
        assert state == {
            "connections": 2,
            "channels": 2,
            "subscriptions": 3,
            "is_partial": False,
            "published": 1,
            "client_events": 1,
            "occupied": [
                {"name": "news", "subscriptions": 2, "users": None},
                {"name": "presence-a", "subscriptions": 1, "users": 1},
            ],
        }

    async def test_of_many_channels_the_largest_are_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(feeds, "CHANNELS_SHOWN", 2)
        monkeypatch.setattr(feeds, "CHANNELS_COUNTED", 4)
        relay = Relay()
        clients = [relay.client() for _ in range(3)]
        for count, channel in [(1, "a"), (3, "b"), (1, "c"), (2, "d"), (3, "too-late")]:
            for client in clients[:count]:
                client.subscribe(channel)
        state = told(Feeds(relay.node, relay.node.observers).open(APP))[0][1]
        assert [channel["name"] for channel in state["occupied"]] == ["b", "d"]
        assert (state["channels"], state["subscriptions"], state["is_partial"]) == (5, 7, True)


class TestHappenings:
    async def test_connections(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        client = await console.relay.connect(origin="https://shop.example")
        assert await viewer.happened() == {
            "kind": "connected",
            "socket_id": client.socket_id,
            "address": "127.0.0.1",
            "origin": "https://shop.example",
        }
        await client.websocket.close(4999, "bye")
        assert await viewer.happened() == {
            "kind": "disconnected",
            "socket_id": client.socket_id,
            "code": 0,
            "reason": "closed by the client with 4999",
        }

    async def test_a_connection_that_is_lost(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        client = await console.relay.connect()
        client.websocket.transport.abort()
        happened = await viewer.happened("disconnected")
        assert (happened["code"], happened["reason"]) == (1006, "the connection was lost")

    async def test_a_connection_that_the_relay_closes(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        client = await console.relay.connect()
        await client.websocket.send(b"binary")
        happened = await viewer.happened("disconnected")
        assert (happened["code"], happened["reason"]) == (1003, "messages are text")

    async def test_a_client_without_websocket(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        target = "/app/key-3/1/abc/xhr?protocol=7"
        opened = await console.relay.request("POST", target, headers={"Origin": "https://shop.example"})
        assert "connection_established" in opened.text
        happened = await viewer.happened()
        assert (happened["kind"], happened["address"]) == ("connected", "127.0.0.1")
        assert happened["origin"] == "https://shop.example"

    async def test_refused_connections(self) -> None:
        app = App(id="3", key="key-3", secret="secret-3", allowed_origins=("https://shop.example",))
        async with running_console(app, app_with(app_id="4")) as console:
            here, there = await console.feed(app), await console.feed(app_with(app_id="4"))
            await console.relay.open("/app/key-3?protocol=7", origin="https://evil.example")
            assert await here.happened() == {
                "kind": "connection_refused",
                "code": 4009,
                "reason": "Pages of https://evil.example may not connect to this app",
                "address": "127.0.0.1",
                "origin": "https://evil.example",
            }
            await console.relay.open("/app/no-key?protocol=7")
            await console.relay.request("POST", "/app/no-key-either/1/abc/xhr?protocol=7")
            # A key of no app: whose it was meant to be nobody knows, and who looks for it may look anywhere.
            for viewer in (here, there):
                for key in ("no-key", "no-key-either"):
                    happened = await viewer.happened()
                    assert (happened["kind"], happened["code"]) == ("connection_refused", 4001)
                    assert f"'{key}'" in happened["reason"]

    async def test_subscriptions(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        first, second = await console.relay.connect(), await console.relay.connect()
        await first.subscribe("news")
        await second.subscribe("news")
        await second.subscribe("presence-a", member("7"))
        await first.send("pusher:unsubscribe", {"channel": "news"})
        await first.told()
        await second.websocket.close()
        names = {first.socket_id: "first", second.socket_id: "second"}
        happened = [await viewer.happened("subscribed", "unsubscribed", "disconnected") for _ in range(7)]
        assert [
            (one["kind"], names[one["socket_id"]], one.get("channel"), one.get("user_id"), one.get("subscribers"))
            for one in happened
        ] == [
            ("subscribed", "first", "news", None, 1),
            ("subscribed", "second", "news", None, 2),
            ("subscribed", "second", "presence-a", "7", 1),
            ("unsubscribed", "first", "news", None, 1),
            ("unsubscribed", "second", "news", None, 0),
            ("unsubscribed", "second", "presence-a", "7", 0),
            ("disconnected", "second", None, None, None),
        ]

    async def test_a_refused_subscription_with_the_text_to_sign(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        client = await console.relay.connect()
        await client.send("pusher:subscribe", {"channel": "private-a", "auth": "key-3:00"})
        happened = await viewer.happened("subscription_refused")
        assert (happened["channel"], happened["code"], happened["socket_id"]) == ("private-a", 401, client.socket_id)
        assert happened["reason"] == f"Invalid signature: the text to sign is '{client.socket_id}:private-a'"
        assert json.loads(happened["data"])["data"] == {"channel": "private-a", "auth": "key-3:00"}

    async def test_refused_messages(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        client = await console.relay.connect()
        await client.send("client-x", {"a": 1}, "private-a")
        happened = await viewer.happened("message_refused")
        assert (happened["channel"], happened.get("code")) == ("private-a", None)
        assert happened["reason"] == "No current subscription to channel private-a"
        await client.send_text("{")
        happened = await viewer.happened("message_refused")
        assert (happened["data"], happened["socket_id"]) == ("{", client.socket_id)

    async def test_a_sign_in(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        client = await console.relay.connect()
        user_data = '{"id":"user-9"}'
        auth = f"key-3:{signature(APP.secret, f'{client.socket_id}::user::{user_data}')}"
        await client.send("pusher:signin", {"auth": auth, "user_data": user_data})
        assert await viewer.happened("signed_in") == {
            "kind": "signed_in",
            "socket_id": client.socket_id,
            "user_id": "user-9",
        }

    async def test_events_of_back_ends(self, console: RunningConsole) -> None:
        client = await console.relay.connect()
        await client.subscribe("news")
        viewer = await console.feed()
        await console.relay.trigger("news", "x", "Привет")
        await console.relay.trigger("news", "y", socket_id=client.socket_id)
        batch = {"batch": [{"channel": "empty", "name": "z", "data": "1"}]}
        await console.relay.post("/batch_events", batch)
        assert [await viewer.happened() for _ in range(3)] == [
            {"kind": "published", "channel": "news", "event": "x", "data": "Привет", "recipients": 1},
            {
                "kind": "published",
                "channel": "news",
                "event": "y",
                "data": "{}",
                "recipients": 0,
                "exclude": client.socket_id,
            },
            {"kind": "published", "channel": "empty", "event": "z", "data": "1", "recipients": 0},
        ]

    async def test_client_events(self, console: RunningConsole) -> None:
        clients = [await console.relay.connect() for _ in range(3)]
        for at, client in enumerate(clients):
            await client.subscribe("presence-a", member(str(at)))
        viewer = await console.feed()
        await clients[1].send("client-typing", {"at": 5}, "presence-a")
        happened = await viewer.happened()
        assert json.loads(happened.pop("data")) == {"at": 5}
        assert happened == {
            "kind": "client_event",
            "socket_id": clients[1].socket_id,
            "channel": "presence-a",
            "event": "client-typing",
            "recipients": 2,
            "user_id": "1",
        }

    async def test_refused_requests_with_what_was_wrong_and_never_a_secret(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        target = console.relay.target("POST", "/events", b"{}")
        await console.relay.request("POST", target + "0", b"{}")
        wrong = await viewer.happened()
        assert (wrong["kind"], wrong["method"], wrong["path"]) == ("request_refused", "POST", "/apps/3/events")
        assert (wrong["status"], wrong["address"]) == (401, "127.0.0.1")
        assert "the text to sign for this request is 'POST\\n/apps/3/events\\nauth_key=key-3" in wrong["reason"]
        await console.relay.post("/events", {"name": "x", "data": "", "channel": "a b"})
        assert (await viewer.happened())["status"] == 400
        # What comes by the full HTTP server; an app by its key; none at all.
        big = b"x" * 1_048_577
        wire = await console.relay.wire()
        await wire.send(b"POST /apps/key-3/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(big) + big)
        assert (await viewer.happened())["status"] == 413
        await console.relay.request("POST", "/users/7/terminate_connections?auth_key=key-3", b"")
        assert (await viewer.happened())["path"] == "/users/7/terminate_connections"
        await console.relay.request("GET", "/apps/none/channels")
        assert (await viewer.happened())["reason"] == "There is no app 'none'"
        assert APP.secret not in json.dumps(wrong)

    async def test_webhooks_that_fail_without_what_may_be_secret_in_the_address(
        self, logged: list[MutableMapping[str, Any]]
    ) -> None:
        port = free_port()
        url = f"http://user:password@127.0.0.1:{port}/hooks?token=t"
        app = App(id="3", key="key-3", secret="secret-3", webhooks=(Webhook(url),))
        async with running_console(app) as console:
            viewer = await console.feed()
            client = await console.relay.connect()
            await client.subscribe("news")
            failed = await viewer.happened("webhook_failed")
            assert (failed["url"], failed["count"]) == (f"http://127.0.0.1:{port}/hooks", 1)
            assert "Cannot connect" in failed["reason"]
            await console.relay.stop()
            given_up = await viewer.happened("webhook_failed")
            while "is_given_up" not in given_up:
                given_up = await viewer.happened("webhook_failed")
        assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["webhooks_dropped"]
        logged.clear()

    async def test_each_app_has_its_own_feed(self) -> None:
        one, two = app_with(app_id="1"), app_with(app_id="2")
        async with running_console(one, two) as console:
            here, there = await console.feed(one), await console.feed(two)
            await console.relay.connect(two)
            client = await console.relay.connect(one)
            assert (await here.happened())["socket_id"] == client.socket_id
            assert (await there.happened())["socket_id"] != client.socket_id

    async def test_a_feed_of_an_app_that_is_no_more_ends(self, console: RunningConsole) -> None:
        viewer = await console.feed()
        client = await console.relay.connect()
        console.relay.reload([app_with(app_id="4")])
        happened = await viewer.happened("disconnected")
        assert (happened["socket_id"], happened["code"]) == (client.socket_id, 4001)
        with pytest.raises(EOFError):
            await viewer.message()
        assert (await console.get("/feed?app=3")).status == 404


def told(viewer: Viewer) -> list[tuple[str, Any]]:
    """What waits for a viewer."""
    messages = []
    for block in viewer._take().decode().split("\n\n")[:-1]:
        event, data = block.split("\n")
        messages.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return messages


class TestSlowViewers:
    def test_what_does_not_fit_is_counted_and_the_rest_is_in_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(feeds, "QUEUE", 3)
        relay = Relay()
        viewer = Feeds(relay.node, relay.node.observers).open(APP)
        for number in range(5):
            relay.publish("x", str(number), "news")
        messages = told(viewer)
        assert [event for event, _ in messages] == ["state", "happened", "happened", "happened", "missed"]
        assert [data["data"] for event, data in messages if event == "happened"] == ["0", "1", "2"]
        assert messages[-1][1] == {"count": 2}
        relay.publish("x", "again", "news")
        assert [data["data"] for _, data in told(viewer)] == ["again"]

    def test_the_queue_is_bounded_in_bytes_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(feeds, "QUEUE_BYTES", 1_000)
        relay = Relay()
        viewer = Feeds(relay.node, relay.node.observers).open(APP)
        for data in ("x" * 500, "x" * 500, ""):
            relay.publish("x", data, "news")
        messages = told(viewer)
        assert (len(messages), messages[-1]) == (3, ("missed", {"count": 2}))

    def test_of_states_only_the_newest_waits_and_one_that_is_the_same_is_not_told(self) -> None:
        relay = Relay()
        watching = Feeds(relay.node, relay.node.observers)
        viewer = watching.open(APP)
        told(viewer)
        for _ in range(3):
            watching.tick(0.0)
        assert told(viewer) == []
        for _ in range(3):
            relay.publish("x", "", "news")
            watching.tick(0.0)
        assert [data["published"] for event, data in told(viewer) if event == "state"] == [3]

    async def test_one_that_reads_nothing_is_gone_after_a_while(
        self, console: RunningConsole, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("relay.console.pages.WRITE_TIMEOUT", 0.2)
        await console.feed()  # its socket is read no more
        async with asyncio.timeout(PATIENCE):
            while console.relay.node.observers:
                await console.relay.trigger("news", "x", "x" * 10_000)

    async def test_silence_is_filled_with_heartbeats(
        self, console: RunningConsole, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feeds, "HEARTBEAT", 0.01)
        viewer = await console.feed()
        waiting = asyncio.create_task(viewer.message())
        async with asyncio.timeout(PATIENCE):
            while viewer.heartbeats < 3:  # noqa: ASYNC110 - the stream is the event
                await asyncio.sleep(0)
        waiting.cancel()


class TestNobodyWatching:
    async def test_nothing_is_observed_before_the_first_viewer_and_after_the_last(
        self, console: RunningConsole
    ) -> None:
        observers = console.relay.node.observers
        assert not observers
        viewers = [await console.feed(), await console.feed()]
        assert list(observers) == [APP.id]
        for viewer in viewers:
            await viewer.wire.close()
        async with asyncio.timeout(PATIENCE):
            while observers:  # noqa: ASYNC110 - a dictionary is no event
                await asyncio.sleep(0)

    def test_nothing_is_built_for_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        relay = Relay()

        def fail(*_: object) -> None:
            pytest.fail("built for nobody")

        for happening in (Connected, Published, ClientEvent):
            monkeypatch.setattr(f"relay.watch.happenings.{happening.__name__}", fail)
        first = Client(relay.node, APP)
        first.subscribe("private-a")
        first.send(b'{"event":"client-x","channel":"private-a","data":{}}')
        relay.publish("x", "", "private-a")
        first.drop()

    def test_there_is_a_most_of_viewers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(feeds, "VIEWERS", 2)
        relay = Relay()
        watching = Feeds(relay.node, relay.node.observers)
        first, _ = watching.open(APP), watching.open(APP)
        with pytest.raises(TooManyViewers, match="2 pages of the console are open"):
            watching.open(APP)
        watching.close(first)
        watching.open(APP)

    async def test_one_viewer_too_many_is_told_so(
        self, console: RunningConsole, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feeds, "VIEWERS", 1)
        await console.feed()
        answer = await console.get("/feed?app=3")
        assert (answer.status, answer.json["code"]) == (503, 503)
        assert "close one" in answer.json["error"]
