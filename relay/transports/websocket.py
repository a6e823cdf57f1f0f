"""A client that came by WebSocket: one object a connection, no task, no queue, no request.

Frames go to the node as they are read; what is written goes to the event loop's transport as it is. The write buffer of
that transport is the connection's outgoing bound: over it, the client is too slow and is cut with a code that lets it
come back.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Final

from pushdesk.addresses import UNKNOWN, peer_of
from relay.net.liveness import Wheel
from relay.net.sockets import reset
from relay.node.namespace import Namespace
from relay.node.node import Node
from relay.protocol import events
from relay.protocol.errors import CloseCode, Rejected
from relay.protocol.limits import AUTHORIZATION_TIMEOUT, PONG_TIMEOUT, Limits
from relay.transports.handshake import Upgrade
from relay.transports.intake import LARGE_READ, MESSAGES
from relay.transports.link import UNAUTHORIZED, Link
from relay.wire.codes import WebSocketCode
from relay.wire.deflate import Deflater, inflate
from relay.wire.frames import (
    FrameError,
    FrameReader,
    Message,
    Opcode,
    close_code,
    close_frame,
    control_frame,
    text_frame,
)

# How long a client may take to answer our close and to read what was written before it. Seconds.
CLOSE_TIMEOUT: Final = 5.0

# The codes of clients that leave; any other one that a client closes with has no figure of its own.
_LEAVING: Final = frozenset({WebSocketCode.NORMAL, WebSocketCode.GOING_AWAY, WebSocketCode.NO_STATUS})
_OTHER: Final = 0

_TEXT: Final = int(Opcode.TEXT)
_PING: Final = text_frame(events.PING)


class WebSocket(Link[Message], asyncio.Protocol):
    """See Link.

    `ping_after` (seconds) is how long a client may be silent before it is asked, `backlog` (bytes) what may wait for it.
    """

    __slots__ = (
        "_active_at",
        "_is_closing",
        "_ping_after",
        "_pinged",
        "_reader",
        "_transport",
    )

    def __init__(
        self, node: Node, wheel: Wheel, transport: asyncio.Transport, *, ping_after: float, backlog: int
    ) -> None:
        super().__init__(node, wheel)
        self._transport = transport
        self._ping_after = ping_after
        self._is_closing = False
        self._pinged = False
        self._active_at = self._loop.time()
        # The transport's own method: a delivery costs no frame of ours (bench/, scenario "fan-out").
        self.write = transport.write
        transport.set_write_buffer_limits(high=backlog)

    @property
    def address(self) -> str:
        """See relay.node.connection.Transport. Asked of the system: most connections never need it."""
        return peer_of(self._transport) or UNKNOWN

    def open(self, upgrade: Upgrade) -> None:
        """Answer the handshake and connect the client to its app, or tell it why not."""
        opening = upgrade.opening
        try:
            namespace = self._namespace_of(upgrade)
            app = namespace.app
            is_compressed = app.compression and opening.offers_compression
            self._reader = FrameReader(app.limits.message_bytes, inflate if is_compressed else None)
            if is_compressed:
                self.write = partial(_write_compressed, self._transport, namespace.deflate)
            greeting = self._connect(namespace, upgrade.protocol, opening.origin)
        except Rejected as rejected:
            # A12: refused after the upgrade, else client libraries take WebSocket for blocked and try something else.
            self._reader = FrameReader(1_024)
            error = text_frame(events.error(rejected.message, rejected.code))
            self._transport.write(opening.answer(is_compressed=False) + error)
            self._turn_away(upgrade.app_key, rejected, opening.origin)
            return
        # One write, one system call (bench/, scenario "connections").
        self._transport.write(opening.answer(is_compressed=is_compressed) + greeting)
        first_look = AUTHORIZATION_TIMEOUT if app.authorized_connections else self._ping_after
        self._wheel.watch(self, self._active_at + first_look)

    def _namespace_of(self, upgrade: Upgrade) -> Namespace:
        """Raises Rejected."""
        if upgrade.misplaced is not None:
            raise Rejected(CloseCode.PATH_NOT_FOUND, upgrade.misplaced)
        return self._node.admit(upgrade.app_key, upgrade.opening.origin)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        # As `_take` does, a call less (bench/, scenario "client-events").
        if self._held is None:
            self._handle(self._reader.receive(data), MESSAGES if len(data) < LARGE_READ else 0)
        else:
            self._take(self._reader.receive(data), len(data))

    def _handle(self, pieces: Iterator[Message], most: int) -> None:
        """See Intake."""
        now = self._active_at = self._loop.time()
        self._pinged = False
        left = most
        try:
            for message in pieces:
                if message.opcode == _TEXT:
                    if self._connection is not None:
                        self._namespace.receive(self._connection, message.payload, now)
                else:
                    self._handle_control(message)
                left -= 1
                if left <= 0:
                    break
        except FrameError as error:
            self._fail(error)
            return
        # As `_spend` does, a call less.
        credit = self._credit = self._credit + left - most
        if left <= 0 or (credit < 0 and self._is_overdrawn()):
            self._hold(pieces)

    def _pause(self) -> None:
        """See Intake."""
        self._transport.pause_reading()

    def _resume(self) -> None:
        """See Intake."""
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        self._forget_held()
        self._detach(WebSocketCode.ABNORMAL, "the connection was lost")
        self._release()
        self._wheel.forget(self)

    def pause_writing(self) -> None:
        """The outgoing bound is passed. Cut later: this is called from within a fan-out."""
        self._loop.call_soon(self._cut)

    def resume_writing(self) -> None:
        """The client reads again; it has been cut all the same, as it may be told so now."""

    def on_deadline(self, now: float) -> float | None:
        """Ping a silent client, end one that does not answer, drop one that does not go."""
        if self._is_closing:
            reset(self._transport)
            return None
        if self._is_unauthorized:
            self._end(CloseCode.UNAUTHORIZED, UNAUTHORIZED)
            return None
        # Who is not read from cannot be silent.
        due = (self._active_at if self._held is None else now) + self._ping_after
        if due > now:
            return due
        if self._pinged:
            self._end(CloseCode.PONG_TIMEOUT, f"no pong within {PONG_TIMEOUT} s")
            return None
        self._pinged = True
        self.write(_PING)
        return now + PONG_TIMEOUT

    def adopt(self, limits: Limits) -> None:
        """See relay.node.connection.Transport."""
        self._reader.max_message = limits.message_bytes
        super().adopt(limits)

    def close(self, code: int, reason: str) -> None:
        """Tell the client why and end; what was written before goes out first, within CLOSE_TIMEOUT."""
        if self._is_closing:
            return
        self._flush()
        self._is_closing = True
        self._detach(code, reason)
        self.write(close_frame(code, reason))
        self._wheel.watch(self, self._loop.time() + CLOSE_TIMEOUT)
        # The client's own close must not wait for the time that its messages would have had to wait.
        self._hurry()

    def _handle_control(self, message: Message) -> None:
        match message.opcode:
            case Opcode.CLOSE:
                self._answer_close(close_code(message.payload))
            case Opcode.PING:
                if not self._is_closing:
                    self.write(control_frame(Opcode.PONG, message.payload))
            case Opcode.BINARY:
                raise FrameError(WebSocketCode.UNSUPPORTED_DATA, "messages are text")

    def _answer_close(self, code: int) -> None:
        """The client closes (5.5.1): echo its code, unless ours is out already, and end when it is sent."""
        if not self._is_closing:
            self._is_closing = True
            if code in _LEAVING:
                self._detach(code, "closed by the client")
            else:
                self._detach(_OTHER, f"closed by the client with {code}")
            self.write(close_frame(WebSocketCode.NORMAL if code == WebSocketCode.NO_STATUS else code))
            self._wheel.watch(self, self._loop.time() + CLOSE_TIMEOUT)
        self._transport.close()

    def _fail(self, error: FrameError) -> None:
        """The framing is broken (7.1.7): say so, and take nothing more."""
        self._end(error.code, error.reason)
        transport = self._transport
        if transport.is_closing() or not transport.can_write_eof():  # TLS cannot
            transport.close()
            return
        # 7.1.1: a socket that is closed with bytes unread resets the connection, and the close above may be lost with it.
        transport.set_protocol(_Failed(self))
        transport.resume_reading()
        transport.write_eof()


class ForwardedWebSocket(WebSocket):
    """One that came through a trusted proxy, which said from where; the others are smaller."""

    __slots__ = ("_address",)

    def __init__(
        self,
        node: Node,
        wheel: Wheel,
        transport: asyncio.Transport,
        address: str,
        *,
        ping_after: float,
        backlog: int,
    ) -> None:
        super().__init__(node, wheel, transport, ping_after=ping_after, backlog=backlog)
        self._address = address

    @property
    def address(self) -> str:
        """See relay.node.connection.Transport."""
        return self._address


class _Failed(asyncio.Protocol):
    """Reads what a failed client still sends, and forgets it, until the client goes too or CLOSE_TIMEOUT is over."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        self._websocket.connection_lost(exc)


def _write_compressed(transport: asyncio.Transport, deflate: Deflater, frames: bytes) -> None:
    transport.write(deflate(frames))
