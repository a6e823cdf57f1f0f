"""A client that came by WebSocket: against a fake transport and clock, and by real sockets."""

import asyncio
import json
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from relay.apps import App
from relay.net.liveness import Wheel
from relay.transports.handshake import Upgrade
from relay.transports.websocket import WebSocket
from relay.wire.handshake import Opening
from tests.helpers.clients import APP, app_with, member, message, signature, subscription
from tests.helpers.frames import client_frame, server_frames
from tests.helpers.json_values import MESSAGES
from tests.helpers.loop import FakeLoop
from tests.helpers.node import end_turn, node_of
from tests.helpers.relay import RunningRelay, running_relay
from tests.helpers.rest import EVENT, resting_channel
from tests.helpers.transport import opened

Lines = list[MutableMapping[str, Any]]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.state = "open"
        self.high: int | None = None
        self.is_plain = True
        self.protocol: asyncio.BaseProtocol | None = None
        self.reads = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.state == "open"
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def can_write_eof(self) -> bool:
        return self.is_plain

    def write_eof(self) -> None:
        assert self.state == "open"
        self.state = "written"

    def is_closing(self) -> bool:
        return self.state in {"closed", "aborted"}

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"


class Relay:
    """A node with one app, its wheel and its clock."""

    def __init__(self, app: App = APP) -> None:
        self.app = app
        self.loop = FakeLoop()
        self.wheel = Wheel(self.loop.now)
        self.node = node_of(app)

    def client(self, key: str | None = None, protocol: str | None = "7") -> "Client":
        return Client(self, self.app.key if key is None else key, protocol)

    def wait(self, seconds: int) -> None:
        """Let the time pass, with a look at the deadlines each second."""
        for _ in range(seconds):
            self.loop.now += 1.0
            self.wheel.tick(self.loop.now)


class Client:
    def __init__(self, relay: Relay, key: str, protocol: str | None, origin: str | None = None) -> None:
        self.relay = relay
        self.transport = FakeTransport()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "get_running_loop", lambda: relay.loop)
            self.protocol = WebSocket(relay.node, relay.wheel, self.transport, ping_after=150, backlog=50_000)
        upgrade = Upgrade(key, protocol, Opening(origin, b"accept", extensions=None))
        self.protocol.open(upgrade)
        switched = upgrade.opening.answer(is_compressed=False)
        assert self.transport.written.startswith(switched)
        self.transport.written = self.transport.written.removeprefix(switched)
        self.welcome = self.take()

    def take(self) -> list[tuple[int, Any]]:
        """The frames since the last time: texts decoded, closes as (code, reason)."""
        end_turn(self.relay.node)
        written, self.transport.written = self.transport.written, b""
        return [self._read(opcode, payload) for opcode, payload in server_frames(written)]

    @staticmethod
    def _read(opcode: int, payload: bytes) -> tuple[int, Any]:
        if opcode == TEXT:
            return opcode, opened(json.loads(payload))
        if opcode == CLOSE:
            return opcode, (int.from_bytes(payload[:2]), payload[2:].decode())
        return opcode, payload

    @property
    def socket_id(self) -> str:
        return str(self.welcome[0][1]["data"]["socket_id"])

    def send(self, *frames: bytes) -> list[tuple[int, Any]]:
        self.protocol.data_received(b"".join(frames))
        # More than is handled in one turn is handled in the next ones.
        while not self.transport.reads:
            self.relay.loop.turn()
        return self.take()

    def say(self, event: str, data: object = None, channel: str | None = None) -> list[tuple[int, Any]]:
        return self.send(client_frame(message(event, data, channel)))

    def subscribe(self, channel: str, channel_data: str | None = None) -> list[tuple[int, Any]]:
        return self.say("pusher:subscribe", subscription(self.relay.app, self.socket_id, channel, channel_data))

    def lost(self) -> None:
        self.protocol.connection_lost(None)


PONG_EVENT = (TEXT, {"event": "pusher:pong", "data": {}})
PING_EVENT = (TEXT, {"event": "pusher:ping", "data": {}})


@pytest.fixture
def relay_alone() -> Relay:
    return Relay()


class TestOpening:
    def test_a_client_is_welcomed_after_the_handshake(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        ((opcode, welcome),) = client.welcome
        assert (opcode, welcome["event"]) == (TEXT, "pusher:connection_established")
        assert client.transport.high == 50_000

    @pytest.mark.parametrize("protocol", [None, "4", "5", "6", "7"])
    def test_every_version_that_is_spoken_is_welcomed(self, relay_alone: Relay, protocol: str | None) -> None:
        assert relay_alone.client(protocol=protocol).welcome[0][1]["event"] == "pusher:connection_established"

    @pytest.mark.parametrize(
        ("app", "key", "protocol", "code"),
        [
            (APP, "nobody", "7", 4001),
            (APP, "", "7", 4001),
            (APP, "ключ" * 100, "7", 4001),
            (app_with(enabled=False), "key-3", "7", 4003),
            (APP, "key-3", "x", 4006),
            (APP, "key-3", "", 4006),
            (APP, "key-3", "3", 4007),
            (APP, "key-3", "8", 4007),
        ],
    )
    def test_a_refused_client_gets_an_error_and_a_close_of_the_same_code(
        self, app: App, key: str, protocol: str, code: int
    ) -> None:
        relay = Relay(app)
        client = relay.client(key, protocol)
        (_, error), (opcode, (close_code, reason)) = client.welcome
        assert (error["event"], error["data"]["code"]) == ("pusher:error", code)
        assert (opcode, close_code) == (CLOSE, code)
        assert error["data"]["message"].startswith(reason)
        assert client.say("pusher:ping") == []
        relay.wait(7)
        assert client.transport.state == "aborted"

    def test_a_connection_over_the_limit_is_closed_with_4004(self) -> None:
        relay = Relay(app_with(connections=1))
        first = relay.client()
        assert relay.client().welcome[1] == (CLOSE, (4004, "The app has its 1 connections"))
        first.lost()
        assert relay.client().welcome[0][1]["event"] == "pusher:connection_established"


class TestTalking:
    def test_several_messages_in_one_packet_are_answered_in_order(self, relay_alone: Relay) -> None:
        ping = client_frame(message("pusher:ping"))
        assert relay_alone.client().send(ping, client_frame(b"p", opcode=PING), ping) == [
            PONG_EVENT,
            (PONG, b"p"),
            PONG_EVENT,
        ]

    def test_a_control_ping_is_answered_with_its_payload_and_a_pong_with_nothing(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        assert client.send(client_frame(b"x" * 125, opcode=PING)) == [(PONG, b"x" * 125)]
        assert client.send(client_frame(b"", opcode=PING)) == [(PONG, b"")]
        assert client.send(client_frame(b"x", opcode=PONG)) == []

    def test_a_message_in_fragments_with_a_ping_between_is_answered(self, relay_alone: Relay) -> None:
        payload = message("pusher:ping")
        assert relay_alone.client().send(
            client_frame(payload[:5], fin=False),
            client_frame(b"p", opcode=PING),
            client_frame(payload[5:], opcode=0),
        ) == [(PONG, b"p"), PONG_EVENT]

    def test_a_bad_message_is_an_error_and_the_connection_stays(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        for payload in (b"", b"hello", b"[" * 50_000, b'{"event":"\\ud800"}', b"null"):
            ((_, error),) = client.send(client_frame(payload))
            assert (error["event"], error["data"]["code"]) == ("pusher:error", None)
        assert client.say("pusher:ping") == [PONG_EVENT]


class TestBreakingTheFraming:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (client_frame(b"x", opcode=BINARY), 1003),
            (client_frame(b"\xff"), 1007),
            (client_frame(b"\x03\xe8\xff", opcode=CLOSE), 1007),
            (client_frame(b"x" * 65_537), 1009),
            (bytes((0x81, 0xFF)) + (2**64 - 1).to_bytes(8), 1009),
            (client_frame(b"x", first=0xC1), 1002),
            (client_frame(b"x", first=0x83), 1002),
            (b"\x81\x01x", 1002),
            (client_frame(b"x", opcode=0), 1002),
            (client_frame(b"\x03", opcode=CLOSE), 1002),
            (client_frame(b"\x03\xed", opcode=CLOSE), 1002),
            (client_frame(b"", opcode=PING, fin=False), 1002),
            (b"GET / HTTP/1.1\r\n\r\n", 1002),
        ],
    )
    def test_the_connection_is_failed_with_the_right_code_and_ended(
        self, relay_alone: Relay, data: bytes, code: int
    ) -> None:
        client = relay_alone.client()
        client.subscribe("a")
        answers = client.send(client_frame(message("pusher:ping")), data, client_frame(message("pusher:ping")))
        assert answers[0] == PONG_EVENT
        assert [(opcode, close[0]) for opcode, close in answers[1:]] == [(CLOSE, code)]
        assert client.transport.state == "written"
        assert list(relay_alone.node.namespaces[APP.id].hub) == []

    def test_what_a_failed_client_still_sends_is_read_and_forgotten(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        client.send(b"\x81\x01x")
        failed = client.transport.protocol
        assert isinstance(failed, asyncio.Protocol)
        failed.data_received(client_frame(message("pusher:ping")))
        assert client.take() == []
        failed.connection_lost(None)
        assert len(relay_alone.wheel) == 0

    def test_a_failed_client_that_does_not_go_is_dropped(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        client.send(b"\x81\x01x")
        relay_alone.wait(4)
        assert client.transport.state == "written"
        relay_alone.wait(3)
        assert client.transport.state == "aborted"

    def test_over_tls_a_failed_connection_is_closed(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        client.transport.is_plain = False
        client.send(b"\x81\x01x")
        assert client.transport.state == "closed"

    def test_a_broken_frame_after_the_close_of_the_client_changes_nothing(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        assert client.send(client_frame(b"\x03\xe9", opcode=CLOSE), b"\x81\x01x") == [(CLOSE, (1001, ""))]
        assert client.transport.state == "closed"


class TestClosing:
    @pytest.mark.parametrize(
        ("payload", "echoed"), [(b"", 1000), (b"\x03\xe8bye", 1000), (b"\x03\xe9", 1001), (b"\x0f\xa0", 4000)]
    )
    def test_a_close_of_the_client_is_answered_with_its_code(
        self, relay_alone: Relay, payload: bytes, echoed: int
    ) -> None:
        client = relay_alone.client()
        assert client.send(client_frame(payload, opcode=CLOSE)) == [(CLOSE, (echoed, ""))]
        assert client.transport.state == "closed"

    def test_who_closes_leaves_its_channels_at_once(self, relay_alone: Relay) -> None:
        watcher, client = relay_alone.client(), relay_alone.client()
        watcher.subscribe("presence-a", member("1"))
        client.subscribe("presence-a", member("2"))
        watcher.take()
        client.send(client_frame(b"\x03\xe8", opcode=CLOSE), client_frame(message("pusher:ping")))
        assert [event["event"] for _, event in watcher.take()] == ["pusher_internal:member_removed"]
        client.lost()
        assert watcher.take() == []

    def test_an_answer_to_our_close_ends_the_connection_without_another_close(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        client.protocol.close(4200, "restart")
        client.protocol.close(4201, "again")
        assert client.take() == [(CLOSE, (4200, "restart"))]
        assert client.send(client_frame(b"x", opcode=PING), client_frame(b"\x10\x68", opcode=CLOSE)) == []
        assert client.transport.state == "closed"

    def test_what_its_channel_holds_back_comes_before_our_close(self, relay_alone: Relay) -> None:
        channel = resting_channel(relay_alone.node.namespaces[APP.id].hub)
        client = relay_alone.client()
        client.say("pusher:subscribe", {"channel": "wide"})
        channel.send(EVENT)
        assert client.transport.written == b""
        client.protocol.close(4200, "restart")
        assert client.take() == [(TEXT, {"event": "held", "data": "back"}), (CLOSE, (4200, "restart"))]

    def test_a_client_that_does_not_answer_our_close_is_dropped(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        client.protocol.close(4200, "restart")
        relay_alone.wait(4)
        assert client.transport.state == "open"
        relay_alone.wait(3)
        assert client.transport.state == "aborted"
        client.lost()
        assert len(relay_alone.wheel) == 0

    def test_nothing_is_relayed_to_or_from_a_client_that_is_being_closed(self, relay_alone: Relay) -> None:
        other, client = relay_alone.client(), relay_alone.client()
        other.subscribe("private-a")
        client.subscribe("private-a")
        client.protocol.close(4200, "restart")
        client.take()
        assert client.say("client-x", 1, "private-a") == []
        other.say("client-x", 1, "private-a")
        assert (other.take(), client.take()) == ([], [])

    def test_a_lost_connection_leaves_its_channels(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        client.subscribe("a")
        client.lost()
        client.lost()
        assert list(relay_alone.node.namespaces[APP.id].hub) == []
        assert len(relay_alone.wheel) == 0


def cut(client: Client, code: int, reason: str) -> dict[str, object]:
    """The line about a client that the relay has ended; the system knows no address of a fake transport."""
    who = {"app": "3", "socket_id": client.socket_id, "address": "unknown"}
    return {"event": "connection_cut", "log_level": "info", "code": code, "reason": reason} | who


class TestLiveness:
    def test_a_silent_client_is_pinged_and_closed_with_4201_when_it_stays_silent(
        self, relay_alone: Relay, logged: Lines
    ) -> None:
        client = relay_alone.client()
        relay_alone.wait(149)
        assert client.take() == []
        relay_alone.wait(2)
        assert client.take() == [PING_EVENT]
        relay_alone.wait(29)
        assert client.take() == []
        relay_alone.wait(3)
        assert client.take() == [(CLOSE, (4201, "no pong within 30 s"))]
        assert logged == [cut(client, 4201, "no pong within 30 s")]
        relay_alone.wait(7)
        assert client.transport.state == "aborted"

    @pytest.mark.parametrize(
        "sign",
        [
            client_frame(message("pusher:pong")),
            client_frame(message("pusher:ping")),
            client_frame(b"", opcode=PONG),
            client_frame(b"nonsense"),
            client_frame(b"x" * 10)[:3],
        ],
    )
    def test_any_sign_of_life_after_the_ping_keeps_the_connection(self, relay_alone: Relay, sign: bytes) -> None:
        client = relay_alone.client()
        relay_alone.wait(151)
        assert client.take() == [PING_EVENT]
        client.send(sign)
        relay_alone.wait(149)
        assert client.take() == []
        relay_alone.wait(3)
        assert client.take() == [PING_EVENT]

    def test_a_client_that_talks_is_never_pinged(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        for _ in range(10):
            relay_alone.wait(100)
            assert client.say("pusher:ping") == [PONG_EVENT]


class TestAuthorizedConnections:
    app = replace(APP, authorized_connections=True)

    @pytest.mark.parametrize("channel", [None, "a", "cache-a"])
    def test_who_proves_nothing_within_thirty_seconds_is_closed_with_4009(
        self, channel: str | None, logged: Lines
    ) -> None:
        relay = Relay(self.app)
        client = relay.client()
        if channel is not None:
            client.subscribe(channel)
            client.take()
        relay.wait(29)
        assert client.take() == []
        relay.wait(3)
        assert client.take() == [(CLOSE, (4009, "neither signed in nor authorised within 30 s"))]
        assert logged == [cut(client, 4009, "neither signed in nor authorised within 30 s")]
        assert list(relay.node.namespaces[self.app.id].hub) == []

    def test_who_joined_a_private_channel_or_signed_in_stays(self) -> None:
        relay = Relay(self.app)
        member_of_it, user = relay.client(), relay.client()
        member_of_it.subscribe("private-a")
        text = f'{user.socket_id}::user::{{"id":"7"}}'
        user.say("pusher:signin", {"auth": f"key-3:{signature(APP.secret, text)}", "user_data": '{"id":"7"}'})
        for client in (member_of_it, user):
            client.take()
        relay.wait(149)
        assert [client.take() for client in (member_of_it, user)] == [[], []]
        relay.wait(3)
        assert [client.take() for client in (member_of_it, user)] == [[PING_EVENT], [PING_EVENT]]

    def test_the_deadline_itself_closes(self) -> None:
        relay = Relay(self.app)
        client = relay.client()
        assert client.protocol.on_deadline(relay.loop.now + 30) is None
        assert client.take()[0][1][0] == 4009


class TestSlowReaders:
    def test_a_client_over_its_backlog_is_cut_with_4100_after_the_fan_out(
        self, relay_alone: Relay, logged: Lines
    ) -> None:
        client = relay_alone.client()
        client.subscribe("a")
        client.protocol.pause_writing()
        assert client.take() == []
        (cut_it,) = relay_alone.loop.soon
        client.protocol.resume_writing()
        cut_it()
        ((opcode, (code, reason)),) = client.take()
        assert (opcode, code) == (CLOSE, 4100)
        assert "too slow" in reason
        slow = {"event": "slow_client_cut", "log_level": "warning"}
        assert logged == [cut(client, 4100, "the messages waiting for this client passed backlog_bytes") | slow]
        assert relay_alone.node.namespaces[APP.id].stats.limits_hit == {"backlog_bytes": 1}
        assert list(relay_alone.node.namespaces[APP.id].hub) == []
        relay_alone.wait(7)
        assert client.transport.state == "aborted"

    def test_a_client_that_went_before_it_was_cut_is_left_alone(self, relay_alone: Relay) -> None:
        client = relay_alone.client()
        client.protocol.pause_writing()
        client.lost()
        relay_alone.loop.soon[0]()
        assert client.take() == []

    @pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
    def test_one_that_does_not_read_is_cut_while_the_others_lose_nothing(
        self, new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def scenario() -> None:
            app = app_with(event_data_bytes=200_000)
            async with running_relay(app, backlog_bytes=65_536) as relay:
                good = await relay.connect(compression=None, max_queue=None)
                slow = await relay.wire()
                await slow.send(
                    b"GET /app/key-3 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                    + client_frame(message("pusher:subscribe", {"channel": "a"}))
                )
                await slow.head()
                await good.subscribe("a")
                while (await relay.get("/channels/a", info="subscription_count")).json["subscription_count"] < 2:
                    pass
                slow.writer.transport.pause_reading()  # type: ignore[attr-defined] # a transport that reads
                sent = 0
                while (await relay.get("/channels/a", info="subscription_count")).json["subscription_count"] > 1:
                    assert (await relay.trigger("a", str(sent), "x" * 100_000)).status == 200
                    assert (await good.receive())["event"] == str(sent)
                    sent += 1
                    assert sent < 1_000, "the slow client is never cut"
                await relay.trigger("a", "after")
                assert (await good.receive())["event"] == "after"
                slow.writer.transport.resume_reading()  # type: ignore[attr-defined] # a transport that reads
                tail = b""
                while not tail.endswith(CUT) and (more := await slow.reader.read(65_536)):
                    tail = (tail + more)[-500:]
                assert tail.endswith(CUT)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(asyncio.wait_for(scenario(), 30))


_REASON = b"too slow: the messages waiting for this client passed the limit"
CUT = bytes((0x88, 2 + len(_REASON))) + (4100).to_bytes(2) + _REASON


class TestOnTheWire:
    async def test_a_client_of_another_library_talks(self, relay: RunningRelay) -> None:
        one, two = await relay.connect(), await relay.connect()
        assert (await one.subscribe("presence-a", member("1")))["data"]["presence"]["count"] == 1
        assert (await two.subscribe("presence-a", member("2")))["data"]["presence"]["count"] == 2
        await two.send("client-x", {"a": 1}, "presence-a")
        assert [event["event"] for event in await one.told()] == ["pusher_internal:member_added", "client-x"]
        await two.websocket.close(4000, "bye")
        assert (await one.receive())["event"] == "pusher_internal:member_removed"

    async def test_compression_is_not_agreed(self, relay: RunningRelay) -> None:
        client = await relay.open("/app/key-3?protocol=7", compression="deflate")
        assert (await client.receive())["event"] == "pusher:connection_established"
        assert client.websocket.protocol.extensions == []

    @pytest.mark.parametrize(
        ("path", "code"),
        [("/app/nobody?protocol=7", 4001), ("/app/key-3?protocol=3", 4007), ("/app/key-3?protocol=x", 4006)],
    )
    async def test_a_refused_client_gets_error_and_close(self, relay: RunningRelay, path: str, code: int) -> None:
        client = await relay.open(path)
        error = await client.receive()
        assert (error["event"], error["data"]["code"]) == ("pusher:error", code)
        closed, reason = await client.closed()
        assert closed == code
        assert error["data"]["message"].startswith(reason)

    @pytest.mark.parametrize(
        "path", ["/app/key-3", "/app/key-3?PROTOCOL=7&x=%ff&flash=false", "/app/key%2D3?protocol=5"]
    )
    async def test_unknown_parameters_are_ignored(self, relay: RunningRelay, path: str) -> None:
        client = await relay.open(path)
        assert (await client.receive())["event"] == "pusher:connection_established"


FRAMES = st.builds(
    client_frame,
    MESSAGES | st.binary(max_size=130),
    opcode=st.sampled_from([0, 1, 1, 1, 2, 8, 9, 10]),
    fin=st.sampled_from([True, True, False]),
)


@given(st.lists(FRAMES | st.binary(max_size=40), max_size=6))
def test_whatever_bytes_come_the_answer_is_frames_and_the_others_live_on(packets: list[bytes]) -> None:
    relay = Relay()
    other, client = relay.client(), relay.client()
    for packet in packets:
        if client.transport.state == "open":
            for opcode, content in client.send(packet):
                assert opcode in {TEXT, CLOSE, PONG}
                assert opcode != CLOSE or content[0] in {1002, 1003, 1007, 1009} or 1000 <= content[0] <= 4999
    client.lost()
    assert other.say("pusher:ping") == [PONG_EVENT]
    assert len(relay.wheel) == 1


class TestCounting:
    def test_a_client_counts_at_its_address_until_its_socket_is_gone(self) -> None:
        relay = Relay(app_with(connections_per_address=1))
        first = relay.client()
        first.protocol.close(4100, "too slow")
        (_, (code, reason)) = relay.client().welcome
        assert (code, reason) == (CLOSE, (4100, "There are 1 connections from this address"))
        first.protocol.connection_lost(None)
        assert relay.client().welcome[0][0] == TEXT
