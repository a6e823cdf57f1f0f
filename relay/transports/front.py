"""The front door: the one listening socket. WebSocket upgrades stay here, everything else goes to aiohttp.

A WebSocket that went through an HTTP server's request costs a task, a request object and queues for as long as it lives;
here it costs one protocol object (docs/performance.md, "connections").
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from relay.liveness import Wheel
from relay.transports.handshake import BadUpgrade, Upgrade, parse_head, parse_upgrade, refusal
from relay.transports.websocket import WebSocket

# The head of a request: its bound in bytes, and how long it may take to come, in seconds.
MAX_HEAD: Final = 16_384
HEAD_TIMEOUT: Final = 10.0

_END: Final = b"\r\n\r\n"
_LINE_BREAKS: Final = (b"\r", b"\n")
APP_PATH: Final = "/app/"
_UPGRADE: Final = f"GET {APP_PATH}".encode()


class FrontDoor(asyncio.Protocol):
    """Reads the head of a connection's first request and hands the connection to whom it belongs."""

    __slots__ = ("_head", "_http", "_transport", "_websocket", "_wheel")

    _transport: asyncio.Transport

    def __init__(
        self, wheel: Wheel, websocket: Callable[[asyncio.Transport], WebSocket], http: Callable[[], asyncio.Protocol]
    ) -> None:
        self._wheel = wheel
        self._websocket = websocket
        self._http = http
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        # A server's TCP transport; uvloop's is no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._wheel.watch(self, asyncio.get_running_loop().time() + HEAD_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went before its head was whole."""
        self._wheel.forget(self)

    def on_deadline(self, now: float) -> float | None:
        """The head did not come in time."""
        self._refuse(refusal("408 Request Timeout", f"The head of the request took more than {HEAD_TIMEOUT:.0f} s"))
        return None

    def data_received(self, data: bytes) -> None:
        """More of the head."""
        self._head += data
        if self._head.startswith(_LINE_BREAKS):  # RFC 9112 2.2; the HTTP server would wait for what follows without end
            self._head = self._head.lstrip(b"\r\n")
        end = self._head.find(_END)
        if end < 0:
            if len(self._head) > MAX_HEAD:
                self._refuse(refusal("431 Request Header Fields Too Large", f"A head may hold {MAX_HEAD} bytes"))
            return
        self._wheel.forget(self)
        upgrade = None
        if self._head.startswith(_UPGRADE):
            try:
                upgrade = self._upgrade(end)
            except BadUpgrade as bad:
                self._refuse(bad.answer)
                return
        if upgrade is None:
            self._hand_to_http()
        else:
            self._hand_to_websocket(upgrade, self._head[end + len(_END) :])

    def _upgrade(self, end: int) -> Upgrade | None:
        try:
            target, headers = parse_head(self._head[:end])
        except ValueError:
            raise BadUpgrade(refusal("400 Bad Request", "This is no HTTP request")) from None
        return parse_upgrade(APP_PATH, target, headers)

    def _hand_to_websocket(self, upgrade: Upgrade, rest: bytes) -> None:
        protocol = self._websocket(self._transport)
        self._transport.set_protocol(protocol)
        protocol.open(upgrade)
        if rest:
            protocol.data_received(rest)

    def _hand_to_http(self) -> None:
        protocol = self._http()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._head)

    def _refuse(self, answer: bytes) -> None:
        self._wheel.forget(self)
        self._transport.write(answer)
        self._transport.close()
