"""A client without WebSocket: its session, against a clock and without requests."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from msgspec.structs import replace

from relay.apps import App
from relay.net.liveness import Wheel
from relay.transports.polling import END_TIMEOUT, PollingSession
from relay.wire.frames import text_frame
from tests.helpers.clients import APP, app_with, member, message, subscription
from tests.helpers.loop import FakeLoop
from tests.helpers.node import end_turn, node_of
from tests.helpers.rest import EVENT, resting_channel
from tests.helpers.transport import opened

BACKLOG = 5_000


class Relay:
    """A node with one app, its wheel and its clock."""

    def __init__(self, app: App = APP) -> None:
        self.app = app
        self.loop = FakeLoop()
        self.wheel = Wheel(self.loop.now)
        self.node = node_of(app)

    def client(self, key: str = "key-3", protocol: str | None = "7", origin: str | None = None) -> "Client":
        return Client(self, key, protocol, origin)

    def wait(self, seconds: int) -> None:
        end_turn(self.node)
        self.loop.turn()
        for _ in range(seconds):
            self.loop.now += 1.0
            self.wheel.tick(self.loop.now)

    def channels(self) -> list[str]:
        return [channel.rules.name for channel in self.node.namespaces[self.app.id].hub]


class FakeReceiver:
    """A request that receives, and how long it has got to end."""

    def __init__(self) -> None:
        self.expires: float | None = None

    def expire(self, seconds: float) -> None:
        self.expires = seconds


class Client:
    def __init__(self, relay: Relay, key: str, protocol: str | None, origin: str | None) -> None:
        self.relay = relay
        self.is_forgotten = False
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "get_running_loop", lambda: relay.loop)
            self.session = PollingSession(
                relay.node, relay.wheel, backlog=BACKLOG, forget=self.forget, address="192.0.2.1"
            )
        self.session.open(key, protocol, origin)
        self.socket_id = ""

    def forget(self) -> None:
        self.is_forgotten = True

    def poll(self) -> list[Any]:
        """One request that receives what there is."""
        end_turn(self.relay.node)
        request = FakeReceiver()
        self.session.attach(request)
        lines = self.session.take()
        self.session.detach(request)
        return read(lines)

    def welcomed(self) -> "Client":
        _, (welcome,) = self.poll()
        assert welcome["event"] == "pusher:connection_established"
        self.socket_id = welcome["data"]["socket_id"]
        return self

    def say(self, event: str, data: object = None, channel: str | None = None) -> None:
        self.session.receive([message(event, data, channel)])

    def subscribe(self, channel: str, channel_data: str | None = None) -> None:
        self.say("pusher:subscribe", subscription(self.relay.app, self.socket_id, channel, channel_data))


def read(lines: bytes) -> list[Any]:
    """Frames: "o", "h", messages as lists, closes as (code, reason)."""
    assert not lines or lines.endswith(b"\n")
    return [_frame(line) for line in lines.splitlines()]


def _frame(line: bytes) -> Any:
    match line[:1]:
        case b"a":
            return [opened(json.loads(text)) for text in json.loads(line[1:])]
        case b"c":
            return tuple(json.loads(line[1:]))
        case _:
            return line.decode()


def events(frames: list[Any]) -> list[str]:
    return [event["event"] for messages in frames for event in messages]


@pytest.fixture
def relay() -> Relay:
    return Relay()


class TestOpening:
    def test_a_session_opens_once_and_welcomes_its_client(self, relay: Relay) -> None:
        client = relay.client()
        frames = client.poll()
        assert frames[0] == "o"
        assert events(frames[1:]) == ["pusher:connection_established"]
        assert client.poll() == []

    @pytest.mark.parametrize(
        ("key", "protocol", "code"), [("nobody", "7", 4001), ("key-3", "3", 4007), ("key-3", "x", 4006)]
    )
    def test_a_refused_client_is_told_the_code_after_the_opening(
        self, relay: Relay, key: str, protocol: str, code: int
    ) -> None:
        client = relay.client(key, protocol)
        is_open, (told, reason) = client.poll()
        assert (is_open, told) == ("o", code)
        assert reason
        assert client.is_forgotten
        assert len(relay.wheel) == 0

    def test_a_page_of_another_origin_is_refused_with_4009(self) -> None:
        relay = Relay(replace(APP, allowed_origins=("https://shop.example",)))
        assert relay.client(origin="https://evil.example").poll()[1][0] == 4009
        relay.client(origin="https://shop.example").welcomed()


class TestReceiving:
    def test_messages_come_in_their_order_and_once(self, relay: Relay) -> None:
        client, other = relay.client().welcomed(), relay.client().welcomed()
        for one in (client, other):
            one.subscribe("private-a")
            one.poll()
        for number in range(3):
            other.say("client-x", number, "private-a")
        assert [event["data"] for event in client.poll()[0]] == [0, 1, 2]
        assert client.poll() == []

    def test_what_its_channel_holds_back_comes_before_the_close(self, relay: Relay) -> None:
        channel = resting_channel(relay.node.namespaces[APP.id].hub)
        client = relay.client().welcomed()
        client.say("pusher:subscribe", {"channel": "wide"})
        client.poll()
        channel.send(EVENT)
        client.session.close(4200, "restart")
        assert client.poll() == [[{"event": "held", "data": "back"}], (4200, "restart")]

    def test_what_comes_between_two_requests_waits(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        client.say("pusher:ping")
        relay.wait(14)
        client.say("pusher:ping")
        assert events(client.poll()) == ["pusher:pong", "pusher:pong"]

    def test_the_newest_receiver_wins_and_the_older_one_is_woken(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        older, newest = FakeReceiver(), FakeReceiver()
        client.session.attach(older)
        client.session.take()
        client.session.attach(newest)
        assert client.session.wake.is_set()
        assert not client.session.is_receiver(older)
        assert (older.expires, newest.expires) == (END_TIMEOUT, None)
        client.session.detach(older)
        assert client.session.is_receiver(newest)
        relay.wait(60)
        assert not client.is_forgotten

    def test_the_clients_ping_is_answered_with_no_messages_and_no_heartbeat(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        client.session.receive([])
        client.session.receive([])
        assert client.poll() == [[]]
        assert client.poll() == []

    def test_a_message_answers_a_ping_as_well(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        client.session.receive([])
        client.say("pusher:ping")
        assert events(client.poll()) == ["pusher:pong"]
        assert client.poll() == []

    def test_a_bad_message_is_an_error_and_the_session_stays(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        client.session.receive([b"hello", b"", message("pusher:ping")])
        assert events(client.poll()) == ["pusher:error", "pusher:error", "pusher:pong"]


class TestLeaving:
    def test_a_client_that_stays_away_for_fifteen_seconds_has_left(self, relay: Relay) -> None:
        watcher, client = relay.client().welcomed(), relay.client().welcomed()
        watcher.subscribe("presence-a", member("1"))
        client.subscribe("presence-a", member("2"))
        client.poll()
        watching = FakeReceiver()
        watcher.session.attach(watching)
        watcher.session.take()
        relay.wait(14)
        assert not client.is_forgotten
        relay.wait(3)
        assert client.is_forgotten
        end_turn(relay.node)
        assert events(read(watcher.session.take())) == ["pusher_internal:member_removed"]

    def test_a_client_that_comes_back_in_time_stays(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        for _ in range(5):
            relay.wait(14)
            assert client.poll() == []
        assert not client.is_forgotten

    def test_a_session_that_nobody_ever_asks_for_is_dropped_all_the_same(self, relay: Relay) -> None:
        client = relay.client("nobody")
        relay.wait(17)
        assert client.is_forgotten


class TestClosing:
    def test_an_end_is_told_after_what_was_said_before(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        client.subscribe("a")
        client.session.close(4200, "restart")
        client.session.close(4201, "again")
        messages, close = client.poll()
        assert (events([messages]), close) == (["pusher_internal:subscription_succeeded"], (4200, "restart"))
        assert client.is_forgotten
        assert relay.channels() == []

    def test_an_end_that_comes_while_an_answer_is_on_its_way_is_told_to_the_next_request(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        request = FakeReceiver()
        client.session.attach(request)
        client.say("pusher:ping")
        assert events(read(client.session.take())) == ["pusher:pong"]
        client.session.close(4009, "ended")
        assert not client.session.is_over
        client.session.detach(request)
        assert client.poll() == [(4009, "ended")]
        assert client.is_forgotten

    def test_a_request_that_receives_has_a_limited_time_to_tell_of_the_end(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        first, second = FakeReceiver(), FakeReceiver()
        client.session.attach(first)
        assert first.expires is None
        client.session.close(4200, "restart")
        assert first.expires == END_TIMEOUT
        client.session.detach(first)
        client.session.attach(second)
        assert second.expires == END_TIMEOUT

    def test_a_client_counts_at_its_address_until_its_last_request_is_over(self) -> None:
        relay = Relay(app_with(connections_per_address=1))
        client = relay.client().welcomed()
        request = FakeReceiver()
        client.session.attach(request)
        client.session.close(4100, "too slow")
        assert relay.client().poll()[1][0] == 4100
        client.session.take()
        client.session.detach(request)
        relay.client().welcomed()

    def test_nothing_that_a_client_says_after_its_end_is_heard(self, relay: Relay) -> None:
        client = relay.client().welcomed()
        client.session.close(4200, "restart")
        client.subscribe("a")
        assert client.poll() == [(4200, "restart")]
        assert relay.channels() == []

    def test_a_client_that_sends_more_than_it_may_be_answered_is_cut_before_the_rest_is_read(
        self, relay: Relay
    ) -> None:
        client = relay.client().welcomed()
        client.session.receive([b"nonsense"] * 10_000)
        messages, (code, _) = client.poll()
        assert code == 4100
        assert sum(len(json.dumps(told)) for told in messages) < BACKLOG + 500

    def test_a_client_over_its_backlog_is_cut_with_4100_after_the_fan_out(
        self, logged: list[MutableMapping[str, Any]]
    ) -> None:
        relay = Relay(app_with(event_data_bytes=100_000))
        client, sender = relay.client().welcomed(), relay.client().welcomed()
        for one in (client, sender):
            one.subscribe("private-a")
            one.poll()
        for _ in range(3):
            sender.say("client-x", "x" * (BACKLOG // 2), "private-a")
        assert len(relay.node.namespaces[relay.app.id].hub.get("private-a") or ()) == 2
        relay.wait(0)
        messages, (code, reason) = client.poll()
        assert (len(messages), code) == (3, 4100)
        assert "too slow" in reason
        assert relay.node.namespaces[relay.app.id].stats.slow_clients_cut == 1
        (line,) = logged
        assert (line["event"], line["code"], line["address"]) == ("slow_client_cut", 4100, "192.0.2.1")
        assert line["socket_id"] == client.socket_id
        assert sender.poll() == []

    def test_one_that_left_before_it_was_cut_is_left_alone(self) -> None:
        relay = Relay()
        client = relay.client().welcomed()
        client.subscribe("a")
        client.session.write(text_frame(b'{"event":"' + b"x" * 6_000 + b'"}'))
        client.session.close(4200, "restart")
        relay.wait(0)
        assert client.poll()[-1] == (4200, "restart")
        assert relay.node.namespaces[APP.id].stats.slow_clients_cut == 0


class TestAuthorizedConnections:
    app = replace(APP, authorized_connections=True)

    def test_who_proves_nothing_within_thirty_seconds_is_closed_with_4009(
        self, logged: list[MutableMapping[str, Any]]
    ) -> None:
        relay = Relay(self.app)
        client = relay.client().welcomed()
        client.session.attach(FakeReceiver())
        client.session.take()
        relay.wait(29)
        assert client.session.take() == b""
        relay.wait(3)
        reason = "neither signed in nor authorised within 30 s"
        assert read(client.session.take()) == [(4009, reason)]
        who = {"app": "3", "socket_id": client.socket_id, "address": "192.0.2.1"}
        line = {"event": "connection_cut", "log_level": "info", "code": 4009, "reason": reason}
        assert logged == [line | who]
        assert relay.node.namespaces[relay.app.id].stats.closes == {"4009": 1}

    def test_who_asks_again_and_again_and_proves_nothing_is_closed_all_the_same(self) -> None:
        relay = Relay(self.app)
        client = relay.client().welcomed()
        for _ in range(29):
            relay.wait(1)
            assert client.poll() == []
        relay.wait(1)
        assert client.poll() == [(4009, "neither signed in nor authorised within 30 s")]
        assert client.is_forgotten

    def test_who_joined_a_private_channel_stays(self) -> None:
        relay = Relay(self.app)
        client = relay.client().welcomed()
        client.session.attach(FakeReceiver())
        client.subscribe("private-a")
        client.session.take()
        relay.wait(60)
        assert client.session.take() == b""
        assert relay.channels() == ["private-a"]
