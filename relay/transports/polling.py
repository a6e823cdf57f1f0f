"""A client that came by HTTP (G): a session that outlives the requests which carry it.

One request at a time receives, by streaming or by polling; others send. Between two of them messages wait, bounded in bytes,
and none is lost. Must not know aiohttp: a request is an object that waits for `wake` and takes what there is.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from relay.net.liveness import Wheel
from relay.node.node import Node
from relay.protocol.errors import CloseCode, Rejected
from relay.protocol.limits import AUTHORIZATION_TIMEOUT
from relay.transports.intake import MESSAGES
from relay.transports.link import UNAUTHORIZED, Link
from relay.wire import sockjs
from relay.wire.codes import WebSocketCode
from relay.wire.frames import payloads_of, text_frame

# How long a session lives without a request that receives. The client never says that it leaves. Seconds.
DETACHED_TIMEOUT: Final = 15.0

# How long the client may take to take what was written before the end of the session, or before its next request. Longer
# than the client is waited for when it has to open the next stream. Seconds.
END_TIMEOUT: Final = 10.0


class Receiver(Protocol):
    """A request that receives."""

    def expire(self, seconds: float) -> None:
        """It has no more than so many seconds to end, whatever the client does."""


class PollingSession(Link[bytes]):
    """See Link. `backlog` (bytes) is what may wait for the client, `address` where its first request came from."""

    __slots__ = (
        "_address",
        "_authorize_by",
        "_backlog",
        "_closing_line",
        "_forget",
        "_is_told",
        "_messages",
        "_opened",
        "_pongs",
        "_receiver",
        "_waiting",
        "caught_up",
        "wake",
    )

    def __init__(self, node: Node, wheel: Wheel, *, backlog: int, forget: Callable[[], None], address: str) -> None:
        super().__init__(node, wheel)
        self._backlog = backlog
        self._forget = forget
        self._address = address
        self._messages: list[bytes] = []
        self._waiting = 0
        self._pongs = 0
        self._opened = False
        self._closing_line: bytes | None = None
        self._is_told = False
        self._authorize_by = self._loop.time() + AUTHORIZATION_TIMEOUT
        self._receiver: Receiver | None = None
        self.wake = asyncio.Event()
        # Whether all that the client sent has been handled: until then no request that sends is answered.
        self.caught_up = asyncio.Event()
        self.caught_up.set()
        self.write = self._write

    @property
    def address(self) -> str:
        """See relay.node.connection.Transport: where the client's first request came from."""
        return self._address

    @property
    def is_over(self) -> bool:
        """Whether the client has been told of the end."""
        return self._is_told

    def open(self, app_key: str, protocol: str | None, origin: str | None) -> None:
        """Connect the client to its app, or let it be told why not."""
        try:
            self.write(self._connect(self._node.admit(app_key, origin), protocol, origin))
        except Rejected as rejected:
            self._turn_away(app_key, rejected, origin)

    def attach(self, receiver: Receiver) -> None:
        """A request receives from now on; the one before it ends quietly."""
        if self._receiver is not None:
            self._receiver.expire(END_TIMEOUT)
        self._receiver = receiver
        self._wheel.forget(self)
        if self._closing_line is not None:
            receiver.expire(END_TIMEOUT)
        elif self._is_unauthorized:
            self._look_at_proof(self._loop.time())
        self.wake.set()

    def _look_at_proof(self, now: float) -> None:
        """End the session of a client that has not proved anything in time; else look again when the time is over. Asked of
        every request: one after the other, none of them might last until then."""
        if self._connection is None or now < self._authorize_by:
            self._wheel.watch(self, self._authorize_by)
            return
        self._end(CloseCode.UNAUTHORIZED, UNAUTHORIZED)

    def detach(self, receiver: Receiver) -> None:
        """The request is over; the session waits for the next one, but not for ever."""
        if self._receiver is not receiver:
            return
        self._receiver = None
        if self._closing_line is not None:
            self._release()
        if self._is_told:
            self.drop()
        else:
            self._wheel.watch(self, self._loop.time() + DETACHED_TIMEOUT)

    @property
    def is_ended(self) -> bool:
        """Whether there is nothing left to tell but the end."""
        return self._closing_line is not None

    def is_receiver(self, receiver: Receiver) -> bool:
        """Whether this request is still the one that receives."""
        return self._receiver is receiver

    def take(self) -> bytes:
        """What waits for the client, as lines; empty when nothing does."""
        self.wake.clear()
        lines = b"" if self._opened else sockjs.OPEN
        self._opened = True
        if self._messages:
            lines += sockjs.messages_frame(self._messages)
        elif self._pongs:
            lines += sockjs.PONG
        if self._closing_line is not None:
            lines += self._closing_line
            self._is_told = True
        self._messages, self._waiting, self._pongs = [], 0, 0
        return lines

    def receive(self, messages: list[bytes]) -> None:
        """Handle what the client sent; no message at all is its ping."""
        if not messages:
            self._pongs += 1
            self.wake.set()
        if len(messages) <= MESSAGES:
            self._take(iter(messages), 0)
        else:
            # They may have to wait for long, as frames: objects would take ten times the memory.
            self._take(payloads_of(b"".join(map(text_frame, messages))), 0)

    def _handle(self, pieces: Iterator[bytes], most: int) -> None:
        """See Intake."""
        count = 0
        for count, message in enumerate(pieces, 1):
            if self._connection is None:
                return
            self._namespace.receive(self._connection, message, self._loop.time())
            if self._waiting > self._backlog:
                # A body may hold so many messages that their answers pass the bound by far.
                self._cut()
            if count >= most:
                break
        self._spend(count, most, pieces)

    def _pause(self) -> None:
        """See Intake."""
        self.caught_up.clear()

    def _resume(self) -> None:
        """See Intake."""
        self.caught_up.set()

    def close(self, code: int, reason: str) -> None:
        """End the session: the client is told with its next lines."""
        if self._closing_line is not None:
            return
        self._flush()
        self._closing_line = sockjs.close_frame(code, reason)
        self._detach(code, reason)
        self.wake.set()
        if self._receiver is None:
            self._release()
            self._wheel.watch(self, self._loop.time() + DETACHED_TIMEOUT)
        else:
            self._receiver.expire(END_TIMEOUT)

    def on_deadline(self, now: float) -> float | None:
        """The client has not come back, or has not proved anything in time."""
        if self._receiver is None:
            self.drop()
        elif self._is_unauthorized:
            self._look_at_proof(now)
        return None

    def _write(self, frames: bytes) -> None:
        for payload in payloads_of(frames):
            self._messages.append(payload)
            self._waiting += len(payload)
        self.wake.set()
        if self._waiting > self._backlog:
            # Not now: this is called from within a fan-out.
            self._loop.call_soon(self._cut)

    def _detach(self, code: int, reason: str) -> None:
        """See Link. Whoever waits for what the client sent to be handled waits no more."""
        self._forget_held()
        self._resume()
        super()._detach(code, reason)

    def drop(self) -> None:
        """Forget the session: nobody will ask for it any more."""
        self._detach(WebSocketCode.ABNORMAL, "the client did not come back")
        self._release()
        self._wheel.forget(self)
        self._forget()
