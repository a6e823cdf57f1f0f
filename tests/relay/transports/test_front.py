"""The front door: who is handed where, and who is sent away."""

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.liveness import Wheel
from relay.protocol.http import Answer
from relay.transports import front
from relay.transports.front import MAX_HEAD, Doors
from relay.transports.handshake import Upgrade
from tests.helpers.frames import client_frame, server_frames
from tests.helpers.relay import RunningRelay, Wire

HANDSHAKE = (
    b"GET /app/key-3?protocol=7&client=js&version=8.6.0&flash=false HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    + base64.b64encode(b"x" * 16)
    + b"\r\n\r\n"
)
PING = client_frame(b'{"event":"pusher:ping"}')


async def frame(wire: Wire) -> tuple[int, bytes]:
    """The next frame of the relay."""
    data = await wire.exactly(2)
    if data[1] == 126:
        data += await wire.exactly(2)
        size = int.from_bytes(data[2:])
    else:
        size = data[1]
    return server_frames(data + await wire.exactly(size))[0]


async def event(wire: Wire) -> str:
    _, payload = await frame(wire)
    return str(json.loads(payload)["event"])


class TestOnTheWire:
    async def test_frames_in_the_packet_of_the_handshake_are_read(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(HANDSHAKE + PING + PING[:5])
        assert (await wire.head()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert [await event(wire), await event(wire)] == ["pusher:connection_established", "pusher:pong"]
        await wire.send(PING[5:])
        assert await event(wire) == "pusher:pong"

    async def test_a_handshake_that_comes_byte_by_byte_is_answered(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        for octet in b"\r\n" + HANDSHAKE + PING:
            await wire.send(bytes((octet,)))
        assert b" 101 " in await wire.head()
        assert [await event(wire), await event(wire)] == ["pusher:connection_established", "pusher:pong"]

    async def test_another_websocket_version_gets_426(self, relay: RunningRelay) -> None:
        answer = await relay.exchange(HANDSHAKE.replace(b"Version: 13", b"Version: 8"))
        lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 426 Upgrade Required"
        assert {b"Sec-WebSocket-Version: 13", b"Connection: close"} <= set(lines)

    @pytest.mark.parametrize("key", [b"", b"short", b"!" * 24])
    async def test_a_missing_or_wrong_key_gets_400(self, relay: RunningRelay, key: bytes) -> None:
        answer = await relay.exchange(HANDSHAKE.replace(base64.b64encode(b"x" * 16), key))
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"Sec-WebSocket-Key" in answer

    @pytest.mark.parametrize(
        ("path", "upgraded"),
        [
            (b"/app/key-3", True),
            (b"/app/other", True),
            (b"/app/", True),
            (b"/other", False),
            (b"/apps/3/events", False),
        ],
    )
    async def test_only_addresses_below_app_are_upgraded(
        self, relay: RunningRelay, path: bytes, upgraded: bool
    ) -> None:
        wire = await relay.wire()
        await wire.send(HANDSHAKE.replace(b"/app/key-3", path))
        assert (b" 101 " in await wire.head()) is upgraded

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /app/key-3 x HTTP/1.1\r\nHost: x",
            b"GET /app/\xff HTTP/1.1\r\nHost: x",
            b"GET /app/k HTTP/1.1\r\nno colon",
        ],
    )
    async def test_a_broken_head_at_an_address_of_websockets_gets_400(self, relay: RunningRelay, head: bytes) -> None:
        answer = await relay.exchange(head + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")

    @pytest.mark.parametrize("start", [b"GET /up HTTP/1.1\r\nX: ", b"GET /app/key-3 HTTP/1.1\r\nX: ", b""])
    async def test_a_head_without_an_end_gets_431(self, relay: RunningRelay, start: bytes) -> None:
        answer = await relay.exchange(start + b"a" * (MAX_HEAD + 1 - len(start)))
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")

    async def test_a_client_that_goes_before_its_head_is_whole_is_forgotten(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(HANDSHAKE[:20])
        await wire.close()
        assert (await relay.request("GET", "/up")).status == 200


MAX_BODY = 1_000


class FakeTransport(asyncio.Transport):
    """Keeps what is written, and whom it was handed to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.aborted = False
        self.unsent = 0
        self.is_reading = True
        self.protocol: object = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        assert self.closed
        self.aborted = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


class FakeHttp(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: asyncio.BaseTransport | None = None
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data


class FakeWebSocket(asyncio.Protocol):
    def __init__(self) -> None:
        self.upgrade: Upgrade | None = None
        self.received = b""

    def open(self, upgrade: Upgrade) -> None:
        self.upgrade = upgrade

    def data_received(self, data: bytes) -> None:
        self.received += data


class Door:
    """A front door with nobody real behind it."""

    def __init__(self, now: float) -> None:
        self.wheel = Wheel(now)
        self.http = FakeHttp()
        self.websocket = FakeWebSocket()
        self.transport = FakeTransport()
        self.asked: list[tuple[str, str, bytes]] = []
        self.doors = Doors(
            self.wheel,
            lambda _: self.websocket,  # type: ignore[arg-type, return-value] # all that the door uses of one
            lambda: self.http,
            self.answer,
            lambda target: not target.startswith("/apps/"),
            prefix="",
            max_body=MAX_BODY,
        )
        self.protocol = self.doors()
        self.protocol.connection_made(self.transport)

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        self.asked.append((method, target, body))
        return Answer(200, b"%d" % len(self.asked))


@pytest.fixture
async def door() -> Door:
    return Door(asyncio.get_running_loop().time())


class TestAlone:
    async def test_a_head_that_does_not_come_gets_408_in_time(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(HANDSHAKE[:-1])
        door.wheel.tick(now + front.REQUEST_TIMEOUT - 1)
        assert not door.transport.closed
        door.wheel.tick(now + front.REQUEST_TIMEOUT + 1.1)
        assert door.transport.written.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert door.transport.closed
        assert len(door.wheel) == 0

    async def test_bytes_that_trickle_in_do_not_put_the_deadline_off(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        for second in range(12):
            if not door.transport.closed:
                door.protocol.data_received(b"a")
            door.wheel.tick(now + second)
        assert door.transport.closed

    async def test_empty_lines_alone_are_no_request_and_do_not_put_the_deadline_off(self, door: Door) -> None:
        door.protocol.data_received(b"\r\n\r\n\r\n\n")
        assert door.transport.protocol is None
        door.wheel.tick(asyncio.get_running_loop().time() + 12)
        assert door.transport.closed

    async def test_a_request_goes_to_http_with_everything_that_came(self, door: Door) -> None:
        door.protocol.data_received(b"POST /x HTTP/1.1\r\nA: b")
        assert door.transport.protocol is None
        door.protocol.data_received(b"\r\n\r\nbody")
        assert door.transport.protocol is door.http
        assert (door.http.transport, door.http.received) == (door.transport, b"POST /x HTTP/1.1\r\nA: b\r\n\r\nbody")
        assert len(door.wheel) == 0

    async def test_an_upgrade_goes_to_a_websocket_with_what_followed_its_head(self, door: Door) -> None:
        door.protocol.data_received(HANDSHAKE + b"frame")
        assert door.transport.protocol is door.websocket
        assert door.websocket.upgrade is not None
        assert door.websocket.upgrade.app_key == "key-3"
        assert door.websocket.received == b"frame"
        assert (len(door.wheel), door.http.transport) == (0, None)

    async def test_a_get_without_an_upgrade_goes_to_http(self, door: Door) -> None:
        door.protocol.data_received(b"GET /app/key-3 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert door.transport.protocol is door.http

    async def test_a_client_that_went_is_watched_no_more(self, door: Door) -> None:
        assert len(door.wheel) == 1
        door.protocol.connection_lost(None)
        assert len(door.wheel) == 0


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"GET /app/", b"\r\n\r\n", HANDSHAKE, HANDSHAKE[:-2]]), max_size=6
    )
)
def test_whatever_bytes_come_they_are_handed_on_once_or_refused(pieces: list[bytes]) -> None:
    async def receive() -> Door:
        door = Door(asyncio.get_running_loop().time())
        for piece in pieces:
            if door.transport.protocol is None and not door.transport.closed:
                door.protocol.data_received(piece)
        return door

    door = asyncio.run(receive())
    if door.transport.closed:
        assert door.transport.written.startswith(b"HTTP/1.1 4")
        assert door.transport.protocol is None
    assert len(door.wheel) == (door.transport.protocol is None and not door.transport.closed)
