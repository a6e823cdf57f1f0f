"""A front door without a network, and what stands around it."""

import asyncio
import base64
from collections.abc import Callable

from relay.net.liveness import Wheel
from relay.transports.doors import Doors
from relay.transports.exchange import Exchange
from relay.transports.front import FrontDoor
from relay.transports.handshake import Upgrade
from relay.wire.http import LongResponse, Response, text_response
from relay.wire.later import Later, TooLate
from tests.helpers.frames import client_frame

HANDSHAKE = (
    b"GET /app/key-3?protocol=7&client=js&version=8.6.0&flash=false HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    + base64.b64encode(b"x" * 16)
    + b"\r\n\r\n"
)
PING = client_frame(b'{"event":"pusher:ping"}')

MAX_BODY = 1_000


class FakeTransport(asyncio.Transport):
    """Keeps what is written, and whom it was handed to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.aborted = False
        self.unsent = 0
        self.reads = True
        self.pause_after: tuple[int, asyncio.BaseProtocol | None] = (0, None)
        self.protocol: object = None
        self.high: int | None = None
        self.ended = False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written += data
        count, protocol = self.pause_after
        if count == self.written.count(b"HTTP/1.1 ") and protocol is not None:
            protocol.pause_writing()

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


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
        self.exchanges: list[Exchange] = []
        self.held = asyncio.Event()
        self.websocket = FakeWebSocket()
        self.transport = FakeTransport()
        self.asked: list[tuple[str, str, bytes]] = []
        # Answers that come when a test settles them, once it has said that they are to be late.
        self.is_late = False
        self.late: list[Later[Response | LongResponse]] = []
        self.doors = Doors(
            self.wheel,
            lambda *_: self.websocket,  # type: ignore[arg-type] # all that the door uses of one
            self.answer,
            lambda method, target, status, reason, address: text_response(status, reason),
            self.fallback,
            lambda target: target.endswith("/xhr"),
            prefix="",
            max_body=MAX_BODY,
        )
        self.protocol = FrontDoor(self.doors)
        self.protocol.connection_made(self.transport)

    def answer(
        self, method: str, target: str, body: bytes, address: Callable[[], str]
    ) -> Response | Later[Response | LongResponse]:
        self.asked.append((method, target, body))
        if self.is_late:
            return self._later()
        return Response(200, b"%d" % len(self.asked))

    def _later(self) -> Later[Response | LongResponse]:
        """As the API does: what is given up is refused."""
        come: Later[Response | LongResponse] = Later()
        self.late.append(come)
        return come.through(_answered)

    def settle(self, at: int, body: bytes) -> None:
        """Let a late answer come."""
        self.late[at].settle(Response(200, body))

    async def fallback(self, exchange: Exchange) -> None:
        """Answered when the test says so."""
        self.exchanges.append(exchange)
        await self.held.wait()
        await exchange.send(Response(200, b"held"))


def api(body: bytes = b"", *headers: bytes, method: bytes = b"POST") -> bytes:
    """A whole plain request."""
    lines = [method + b" /apps/3/events HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", b""]) + body


def answers(door: Door) -> list[bytes]:
    """The bodies of the answers so far: the first request gets "1", the second "2"."""
    heads = door.transport.written.split(b"\r\n\r\n")
    return [part[:1] for part in heads[1:]]


def _answered(come: Later[Response | LongResponse]) -> Response | LongResponse:
    try:
        return come.get()
    except TooLate:
        return text_response(503, "?")
