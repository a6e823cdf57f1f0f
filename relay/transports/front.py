"""The front door: the one listening socket. Where the next request on a connection goes is decided here, request by request.

A WebSocket upgrade stays: it costs one protocol object, where an HTTP server would keep a task, a request and queues for it
(docs/performance.md, "connections"). A plain request to the API is answered on the spot, at half of what a full HTTP
server spends on it ("triggers"). Everything else goes to aiohttp, from the request's first byte on.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Final, cast

import structlog

from pushdesk.addresses import Network, client_address, peer_of
from relay.liveness import Wheel
from relay.protocol.http import END_OF_HEAD, Answer, PlainRequest, parse_plain, text_answer
from relay.transports.handshake import BadUpgrade, Upgrade, forwarded_for, parse_head, parse_upgrade
from relay.transports.websocket import WebSocket

log = structlog.get_logger()

# The head of a request, in bytes, and how long a request may take to come whole, in seconds.
MAX_HEAD: Final = 16_384
REQUEST_TIMEOUT: Final = 10.0

# How long a connection may wait for its next request, in seconds: longer than proxies and SDKs keep theirs.
KEEPALIVE: Final = 75.0

_LINE_BREAKS: Final = (b"\r", b"\n")
APP_PATH: Final = "/app/"

# (method, target, body, what gives the client's address) → the answer
AnswerPlain = Callable[[str, str, bytes, Callable[[], str]], Answer]

# Given the client's address where a trusted proxy has told it, else None.
MakeWebSocket = Callable[[asyncio.Transport, str | None], WebSocket]


class Doors:
    """What all front doors of a relay share: where requests go, and which connections are still at the door.

    `is_for_http` says which targets `answer` cannot answer at once; bodies over `max_body` (bytes) are not for it either.
    `trusted` are the proxies whose X-Forwarded-For counts.
    """

    def __init__(
        self,
        wheel: Wheel,
        websocket: MakeWebSocket,
        http: Callable[[], asyncio.Protocol],
        answer: AnswerPlain,
        is_for_http: Callable[[str], bool],
        *,
        prefix: str,
        max_body: int,
        trusted: Sequence[Network] = (),
    ) -> None:
        self.wheel = wheel
        self.websocket = websocket
        self.http = http
        self.answer = answer
        self.is_for_http = is_for_http
        self.app_path = prefix + APP_PATH
        self.upgrade = f"GET {self.app_path}".encode()
        self.max_body = max_body
        self.trusted = trusted
        self.loop = asyncio.get_running_loop()
        self._second = 0
        self._date = ""

    def __call__(self) -> "FrontDoor":
        """The protocol of a new connection."""
        return FrontDoor(self)

    def date(self) -> str:
        """The time as HTTP writes it, made once a second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True)
        return self._date

    def close(self) -> None:
        """End the connections that wait for a request."""
        for door in [watched for watched in self.wheel if isinstance(watched, FrontDoor)]:
            door.close()


class FrontDoor(asyncio.Protocol):
    """One connection until it is a WebSocket or aiohttp's."""

    __slots__ = ("_data", "_doors", "_is_answering", "_is_paused", "_since", "_transport", "wheel_slot")

    _transport: asyncio.Transport

    def __init__(self, doors: Doors) -> None:
        self.wheel_slot = 0
        self._doors = doors
        self._data = b""
        self._is_answering = False
        self._is_paused = False
        # When the present request began to come, or the connection to wait for one.
        self._since = doors.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        # A server's TCP transport; uvloop's is no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._doors.wheel.watch(self, self._since + REQUEST_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        self._doors.wheel.forget(self)

    def on_deadline(self, now: float) -> float | None:
        """End what takes too long: the first request, or a later one that has begun; and an idle connection."""
        if self._transport.is_closing():
            self._transport.abort()
            return None
        is_idle = self._is_answering and not self._data
        due = self._since + (KEEPALIVE if is_idle else REQUEST_TIMEOUT)
        if due > now:
            # A request that begins now must not wait for the end of the keep-alive time.
            return min(due, now + REQUEST_TIMEOUT)
        if is_idle:
            self.close()
        else:
            self._refuse(text_answer(408, f"The request took more than {REQUEST_TIMEOUT:.0f} s"))
        return None

    def close(self) -> None:
        """End the connection when what was written has gone out, within REQUEST_TIMEOUT."""
        self._doors.wheel.forget(self)
        self._data = b""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._doors.wheel.watch(self, self._doors.loop.time() + REQUEST_TIMEOUT)

    def pause_writing(self) -> None:
        """The client does not read its answers: read no more of its requests, and answer none of those that came."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_paused = False
        self._transport.resume_reading()
        self._handle_all()

    def data_received(self, data: bytes) -> None:
        """More of a request, or of several."""
        if self._data:
            self._data += data
        else:
            self._begin(data)
        self._handle_all()

    def _begin(self, data: bytes) -> None:
        """The start of a request; its time runs from now."""
        if data.startswith(_LINE_BREAKS):  # RFC 9112 2.2; the HTTP server would wait for what follows without end
            data = data.lstrip(b"\r\n")
        self._data = data
        if data:
            self._since = self._doors.loop.time()

    def _handle_all(self) -> None:
        while self._data and not self._is_paused and self._handle_next():
            pass

    def _handle_next(self) -> bool:
        """Handle the request at the start of the data; False when more has to come, or the connection has gone elsewhere."""
        data = self._data
        end = data.find(END_OF_HEAD, 0, MAX_HEAD + len(END_OF_HEAD))
        if end < 0:
            if len(data) > MAX_HEAD:
                self._refuse(text_answer(431, f"The head of a request may hold {MAX_HEAD} bytes"))
            return False
        if data.startswith(self._doors.upgrade) and self._try_upgrade(end):
            return False
        request = parse_plain(data)
        if request is not None and not self._doors.is_for_http(request.target):
            return self._answer(request)
        self._hand_to_http()
        return False

    def _answer(self, request: PlainRequest) -> bool:
        if request.length > self._doors.max_body:
            # Refused there: the client may be sending all of it before it looks at the answer.
            self._hand_to_http()
            return False
        end = request.start + request.length
        if len(self._data) < end:
            return False
        body = self._data[request.start : end]
        answer = self._doors.answer(request.method, request.target, body, self._address)
        self._begin(self._data[end:])
        self._is_answering = True
        self._transport.write(answer.encode(self._doors.date(), is_last=request.is_last))
        if request.is_last:
            self.close()
        return not request.is_last

    def _try_upgrade(self, end: int) -> bool:
        """Whether the request was one to upgrade, and is dealt with."""
        try:
            upgrade = self._upgrade(end)
        except BadUpgrade as bad:
            self._refuse(bad.answer)
            return True
        if upgrade is None:
            return False
        rest = self._data[end + len(END_OF_HEAD) :]
        self._doors.wheel.forget(self)
        protocol = self._doors.websocket(self._transport, self._address() if self._doors.trusted else None)
        self._transport.set_protocol(protocol)
        protocol.open(upgrade)
        if rest:
            protocol.data_received(rest)
        return True

    def _upgrade(self, end: int) -> Upgrade | None:
        try:
            target, headers = parse_head(self._data[:end])
        except ValueError:
            raise BadUpgrade(text_answer(400, "This is no HTTP request")) from None
        return parse_upgrade(self._doors.app_path, target, headers)

    def _hand_to_http(self) -> None:
        self._doors.wheel.forget(self)
        protocol = self._doors.http()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._data)

    def _address(self) -> str:
        """Where the client of the request at the start of the data is."""
        trusted = self._doors.trusted
        forwarded = forwarded_for(self._data.partition(END_OF_HEAD)[0]) if trusted else ()
        return client_address(peer_of(self._transport), forwarded, trusted)

    def _refuse(self, answer: Answer) -> None:
        log.info("request_refused", address=self._address(), status=answer.status, reason=answer.body.decode())
        self._transport.write(answer.encode(self._doors.date(), is_last=True))
        self.close()
