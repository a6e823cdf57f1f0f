"""The front door: the one listening socket. Where the next request on a connection goes is decided here, request by request.

A WebSocket upgrade takes the connection with it: it costs one protocol object, where an HTTP server would keep a task, a
request and queues for it (docs/performance.md, "connections"). A request to the API is answered on the spot, a plain one at
half of what a full HTTP server spends on it ("triggers"), or when other nodes have answered: nothing of the connection is
looked at until then. A request of a fallback is answered by a task, as that may take long. Whatever came before, the next
request may be of any kind (docs/decisions/0012).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Final, cast

import structlog
from msgspec import Struct

from pushdesk.addresses import UNKNOWN, client_address, peer_of
from pushdesk.deadlines import KEEPALIVE, REQUEST_TIMEOUT
from relay.net.settled import settled
from relay.net.sockets import reset
from relay.transports.doors import Door, Doors
from relay.transports.exchange import Exchange
from relay.transports.handshake import Upgrade, parse_upgrade
from relay.transports.intake import MESSAGES, Intake
from relay.transports.websocket import WebSocket
from relay.wire.bodies import Body, SizedBody, TooLong, body_of
from relay.wire.handshake import forwarded_for
from relay.wire.http import (
    CONTINUE,
    END_OF_HEAD,
    Framing,
    Head,
    HttpError,
    LongResponse,
    PlainRequest,
    Response,
    framing_of,
    parse_head,
    parse_plain,
    text_response,
)
from relay.wire.later import PATIENCE, Later

log = structlog.get_logger()

# The head of a request, in bytes.
MAX_HEAD: Final = 16_384

# A large read is looked at in portions of so many bytes: what follows a request is copied when it has been answered.
PORTION: Final = 16_384

_NOTHING: Final[Iterator[bytes]] = iter(())
_LINE_BREAKS: Final = (b"\r", b"\n")

Done = Response | LongResponse

# Writes the answer of an exchange.
Respond = Callable[[Exchange], Awaitable[None]]


class FrontDoor(Door, Intake[bytes], asyncio.Protocol):
    """One connection until it is a WebSocket."""

    __slots__ = (
        "_data",
        "_doors",
        "_exchange",
        "_incoming",
        "_is_answering",
        "_is_busy",
        "_is_half_closed",
        "_is_lingering",
        "_is_over",
        "_is_paused",
        "_later",
        "_since",
        "_successor",
        "_task",
        "_transport",
        "_unsent",
        "wheel_slot",
    )

    _transport: asyncio.Transport

    def __init__(self, doors: Doors) -> None:
        self.wheel_slot = 0
        self._doors = doors
        self._loop = doors.loop
        self._data = b""
        # The request whose body is being read, and the one that is answered in a task.
        self._incoming: _Incoming | None = None
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        # The answer that is not known yet.
        self._later: Later[Done] | None = None
        # Whether one of these two is under way: no other request is looked at meanwhile.
        self._is_busy = False
        self._is_half_closed = False
        self._is_answering = False
        self._is_lingering = False
        # Whether nothing more is answered: the connection ends, or is a WebSocket, which then is the successor.
        self._is_over = False
        self._successor: WebSocket | None = None
        self._is_paused = False
        # What the client had not taken when it was last looked at, in bytes.
        self._unsent = 0
        # When the present request began to come, or the connection to wait for one, or the client to take nothing.
        self._since = doors.loop.time()
        self._start()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        # A server's TCP transport; uvloop's is not a subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._doors.wheel.watch(self, self._since + PATIENCE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        self._forget_held()
        self._doors.wheel.forget(self)
        if self._task is not None:
            self._task.cancel()
        if self._later is not None:
            self._later.forget()
            self._later = None
            self._doors.ended()

    def eof_received(self) -> bool:
        """The client sends nothing more; it gets what it has asked for. Only TCP knows half a connection."""
        self._is_half_closed = self._later is not None and self._transport.get_extra_info("sslcontext") is None
        return self._is_half_closed

    def on_deadline(self, now: float) -> float | None:
        """End what takes too long: the first request, or a later one that has begun, or the taking of an answer; and an idle
        connection."""
        if self._transport.is_closing() or self._is_lingering:
            reset(self._transport)
            return None
        if self._later is not None:
            return self._look_at_later(self._later, now)
        if self._is_paused:
            return self._look_at_unsent(now)
        is_idle = self._is_answering and not self._data and self._incoming is None and self._held is None
        due = self._since + (KEEPALIVE if is_idle else REQUEST_TIMEOUT)
        if due > now:
            # A request that begins now must not wait for the end of the keep-alive time, nor one that is answered later.
            return min(due, now + PATIENCE)
        if is_idle:
            self.close()
        else:
            self._refuse_slow()
        return None

    def _look_at_later(self, later: Later[Done], now: float) -> float | None:
        """Wait for an answer no longer than PATIENCE."""
        if self._since + PATIENCE > now:
            return self._since + PATIENCE
        # What follows may end the connection, or make it a WebSocket.
        self._doors.wheel.watch(self, now + PATIENCE)
        later.give_up()
        return None

    def _look_at_unsent(self, now: float) -> float | None:
        """Go on with a client that has taken something since the last look."""
        unsent, self._unsent = self._unsent, self._transport.get_write_buffer_size()
        if self._unsent < unsent:
            self._since = now
        if self._since + REQUEST_TIMEOUT > now:
            return now + PATIENCE
        self.close()
        return None

    def close(self) -> None:
        """End the connection when what was written has gone out, within REQUEST_TIMEOUT."""
        self._end()
        self._data = b""
        self._incoming = None
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._doors.wheel.watch(self, self._doors.loop.time() + REQUEST_TIMEOUT)

    @property
    def is_waiting(self) -> bool:
        """See Door."""
        return self._later is not None

    def give_up(self) -> None:
        """See Door."""
        if self._later is not None:
            self._later.give_up()

    def pause_writing(self) -> None:
        """The client does not read its answers: read no more of its requests, and answer none of those that came."""
        if self._exchange is not None:
            self._exchange.pause()
            return
        self._is_paused = True
        self._since = self._doors.loop.time()
        self._unsent = self._transport.get_write_buffer_size()
        self._pause()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._exchange is not None:
            self._exchange.resume()
        if self._is_paused:
            self._is_paused = False
            self._since = self._doors.loop.time()
            if self._held is None:
                self._resume()
            else:
                self._go_on()

    def data_received(self, data: bytes) -> None:
        """More of a request, or of several."""
        if self._is_busy:
            self._keep(data)
        elif self._is_over:
            return  # what a client still sends that was refused
        elif self._held is None and len(data) <= PORTION:
            self._add(data)
            self._handle(_NOTHING, MESSAGES)
        else:
            self._take(_portions(data), len(data))

    def _handle(self, pieces: Iterator[bytes], most: int) -> None:
        """See Intake. A portion counts as much as so many kilobytes."""
        while not self._is_over and not self._is_paused and not self._is_busy:
            if self._data and self._handle_next():
                most -= 1
            elif self._is_over or self._is_busy:
                break
            elif (piece := next(pieces, None)) is not None:
                # A portion may hold thousands of chunks, which take as long as a turn should.
                is_in_chunks = self._incoming is not None and self._incoming.framing.length is None
                self._add(piece)
                most -= most if is_in_chunks else len(piece) >> 10
            else:
                return
            if most <= 0:
                break
        self._leave(pieces)

    def _leave(self, pieces: Iterator[bytes]) -> None:
        """See to what is not handled now."""
        if self._is_over:
            if self._successor is not None:
                for piece in pieces:
                    self._successor.data_received(piece)
        elif self._is_busy:
            self._keep(b"".join(pieces))
        elif self._is_paused:
            self._park(pieces)
        else:
            self._hold(pieces)

    def _keep(self, data: bytes) -> None:
        """Nothing of this is looked at before the present request is answered."""
        self._data += data
        if len(self._data) > MAX_HEAD:
            self._pause()

    def _pause(self) -> None:
        """See Intake."""
        self._transport.pause_reading()

    def _resume(self) -> None:
        """See Intake."""
        is_full = self._is_busy and len(self._data) > MAX_HEAD
        if not self._is_paused and not is_full and (self._is_lingering or not self._is_over):
            self._transport.resume_reading()

    def _add(self, data: bytes) -> None:
        """More of the present request, or the start of the next one."""
        if self._incoming is not None:
            self._read_body(self._incoming, data)
        elif self._data:
            self._data += data
        else:
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        """The start of a request; its time runs from now."""
        if data.startswith(_LINE_BREAKS):  # RFC 9112 2.2
            data = data.lstrip(b"\r\n")
        self._data = data
        if data:
            self._since = self._doors.loop.time()

    def _handle_next(self) -> bool:
        """Handle the request at the start of the data; False when more has to come, or the connection does something else."""
        data = self._data
        end = data.find(END_OF_HEAD, 0, MAX_HEAD + len(END_OF_HEAD))
        if end < 0:
            if len(data) > MAX_HEAD:
                self._refuse(text_response(431, f"The head of a request may hold {MAX_HEAD} bytes"))
            return False
        if data.startswith(self._doors.upgrade):
            return self._read_head(end)
        request = parse_plain(data)
        if request is None or request.length > self._doors.max_body or self._doors.is_fallback(request.target):
            return self._read_head(end)
        if len(data) < request.start + request.length:
            return self._collect(_as_incoming(request, data[:end]), data[request.start :])
        return self._answer(request)

    def _answer(self, request: PlainRequest) -> bool:
        """Answer a plain request that is whole; whether there may be another."""
        end = request.start + request.length
        body = self._data[request.start : end]
        where = self._where()
        response = self._doors.answer(request.method, request.target, body, where)
        if not isinstance(response, Response):
            self._answer_otherwise(response, Head(request.method, request.target, {}), where, is_last=request.is_last)
            self._begin(self._data[end:])
            return False
        self._begin(self._data[end:])
        self._is_answering = True
        self._transport.write(response.encode(self._doors.date(), is_last=request.is_last))
        if request.is_last:
            self.close()
        return not request.is_last

    def _read_head(self, end: int) -> bool:
        """Handle a request of any kind, of which the head is there."""
        data = self._data
        try:
            head = parse_head(data[:end])
            if head.method == "GET":
                upgrade = parse_upgrade(self._doors.app_path, head.target, head.headers)
                if upgrade is not None:
                    _ensure_no_body(head)
                    self._switch(upgrade, end)
                    return False
            framing = framing_of(head)
        except HttpError as error:
            self._refuse(error.response)
            return False
        rest = data[end + len(END_OF_HEAD) :]
        try:
            incoming = _Incoming(head, framing, data[:end], body_of(framing, self._doors.max_body))
        except TooLong:
            self._refuse_large(head)
            return False
        if framing.is_awaited and framing.length != 0 and not rest:
            self._transport.write(CONTINUE)
        return self._collect(incoming, rest)

    def _switch(self, upgrade: Upgrade, end: int) -> None:
        """The connection is a WebSocket from now on."""
        rest = self._data[end + len(END_OF_HEAD) :]
        protocol = self._successor = self._doors.websocket(
            self._transport, self._address() if self._doors.trusted else None
        )
        self._end()
        self._transport.set_protocol(protocol)
        self._transport.resume_reading()
        protocol.open(upgrade)
        if rest:
            protocol.data_received(rest)

    def _end(self) -> None:
        """Have nothing more to do with what comes."""
        self._is_over = True
        self._forget_held()
        self._doors.wheel.forget(self)

    def _collect(self, incoming: "_Incoming", data: bytes) -> bool:
        """Read the body of a request, which begins with `data`."""
        self._incoming = incoming
        self._data = b""
        return self._read_body(incoming, data)

    def _read_body(self, incoming: "_Incoming", data: bytes) -> bool:
        """More of a body; whether the request is whole and answered, and there may be another."""
        try:
            rest = incoming.body.feed(data)
        except TooLong:
            self._refuse_large(incoming.head)
            return False
        except HttpError as error:
            self._refuse(error.response)
            return False
        if rest is None:
            return False
        self._begin(rest)
        return self._answer_whole(incoming)

    def _answer_whole(self, incoming: "_Incoming") -> bool:
        """Answer a request that is whole, now or in a task."""
        head, is_last = incoming.head, incoming.framing.is_last
        body = bytes(incoming.body.data)
        if self._doors.is_fallback(head.target):
            return self._start_answer(self._exchange_of(head, body, is_last=is_last), self._doors.fallback)
        where = self._where()
        response = self._doors.answer(head.method, head.target, body, where)
        if not isinstance(response, Response):
            self._answer_otherwise(response, head, where, is_last=is_last)
            return False
        self._incoming = None
        self._write(response, head, is_last=is_last)
        return not is_last

    def _write(self, response: Response, head: Head, *, is_last: bool) -> None:
        """Write the answer to a request; the connection may end with it."""
        self._is_answering = True
        encode = response.encode_head if head.method == "HEAD" else response.encode
        self._transport.write(encode(self._doors.date(), is_last=is_last))
        if is_last:
            self.close()

    def _answer_otherwise(
        self, response: LongResponse | Later[Done], head: Head, where: Callable[[], str], *, is_last: bool
    ) -> None:
        """Answer a request in a task, or when it is known what; there is no other one until then."""
        self._incoming = None
        if isinstance(response, LongResponse):
            self._answer_long(response, head, where, is_last=is_last)
            return
        self._later = response
        self._is_busy = True
        self._since = self._doors.loop.time()
        response.watch(partial(self._answer_now, head, where, is_last))

    def _answer_now(self, head: Head, where: Callable[[], str], is_last: bool, come: Later[Done]) -> None:
        """It is known what to answer."""
        self._later = None
        self._is_busy = False
        is_last, response = is_last or self._doors.is_closed, come.get()
        if isinstance(response, LongResponse):
            self._answer_long(response, head, where, is_last=is_last)
        elif not self._transport.is_closing():
            self._write(response, head, is_last=is_last)
            if not is_last:
                self._go_on_reading()
        self._doors.ended()

    def _answer_long(self, response: LongResponse, head: Head, where: Callable[[], str], *, is_last: bool) -> None:
        exchange = Exchange(self._transport, head, b"", where(), self._doors.date, is_last=is_last)
        self._start_answer(exchange, partial(_send_long, response))

    def _exchange_of(self, head: Head, body: bytes, *, is_last: bool) -> Exchange:
        return Exchange(self._transport, head, body, self._address(), self._doors.date, is_last=is_last)

    def _start_answer(self, exchange: Exchange, respond: Respond) -> bool:
        """Answer a request in a task, as that takes long; there is no other one until then."""
        self._incoming = None
        self._doors.wheel.forget(self)
        self._exchange = exchange
        self._is_busy = True
        exchange.open()
        self._task = self._doors.start(self._run(exchange, respond))
        return False

    async def _run(self, exchange: Exchange, respond: Respond) -> None:
        """Answer a request, then go on with the next one."""
        try:
            await respond(exchange)
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except ConnectionAbortedError as error:
            log.info("connection_lost", address=exchange.address, reason=str(error))
        except Exception:
            log.exception("request_failed", method=exchange.head.method, path=exchange.head.target)
            self._transport.abort()
        finally:
            exchange.close()
            self._exchange = self._task = None
            self._is_busy = False
        if not self._transport.is_closing():
            self._finish(exchange)

    def _finish(self, exchange: Exchange) -> None:
        """The answer is out: handle the next request."""
        self._transport.set_write_buffer_limits()
        if exchange.is_last or self._doors.is_closed:
            self.close()
            return
        self._is_answering = True
        self._doors.wheel.watch(self, self._doors.loop.time() + PATIENCE)
        self._go_on_reading()

    def _go_on_reading(self) -> None:
        """An answer is out that was waited for: handle what the client has sent since."""
        self._since = self._doors.loop.time()
        # With nothing kept, reading was not paused for it (bench/, scenario "triggers" over several nodes).
        if self._data and self._held is None:
            self._resume()
            data, self._data = self._data, b""
            self._take(_portions(data), len(data))
        if self._is_half_closed and not self._is_busy:
            self.close()

    def _address(self) -> str:
        """Where the client of the present request is."""
        return self._where()()

    def _where(self) -> Callable[[], str]:
        """What tells where the client of the present request is, also later: nearly nobody asks."""
        if not self._doors.trusted:
            return self._peer
        incoming = self._incoming
        head = self._data.partition(END_OF_HEAD)[0] if incoming is None else incoming.bytes_of_head
        return partial(self._forwarded, head)

    def _peer(self) -> str:
        return peer_of(self._transport) or UNKNOWN

    def _forwarded(self, head: bytes) -> str:
        return client_address(peer_of(self._transport), forwarded_for(head), self._doors.trusted)

    def _refuse(self, response: Response) -> None:
        """Answer what is not a request that could be served, and end."""
        log.info("request_refused", address=self._address(), status=response.status, reason=response.body.decode())
        self._transport.write(response.encode(self._doors.date(), is_last=True))
        self.close()

    def _refuse_slow(self) -> None:
        """The request did not come in time."""
        reason = f"The request took more than {REQUEST_TIMEOUT:.0f} s"
        if self._incoming is None:
            self._refuse(text_response(408, reason))
            return
        self._write_refusal(self._incoming.head, 408, reason)
        self.close()

    def _refuse_large(self, head: Head) -> None:
        """The body is over the limit. The client may be sending all of it before it looks at the answer: that is read for a
        while, and forgotten, as a socket that is closed with bytes unread resets the connection (RFC 9112 9.6)."""
        self._write_refusal(head, 413, f"The body of a request may hold {self._doors.max_body} bytes")
        self._data, self._incoming = b"", None
        self._is_lingering = self._is_over = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._doors.wheel.watch(self, self._doors.loop.time() + REQUEST_TIMEOUT)

    def _write_refusal(self, head: Head, status: int, reason: str) -> None:
        response = self._doors.refuse(head.method, head.target, status, reason, self._address)
        self._transport.write(response.encode(self._doors.date(), is_last=True))


class _Incoming(Struct, frozen=True):
    """A request whose body is being read."""

    head: Head
    framing: Framing
    bytes_of_head: bytes
    body: Body


def _as_incoming(request: PlainRequest, head: bytes) -> _Incoming:
    """A plain request whose body has not come yet. Nobody will ask for its headers."""
    framing = Framing(request.length, request.is_last)
    return _Incoming(Head(request.method, request.target, {}), framing, head, SizedBody(request.length))


def _ensure_no_body(head: Head) -> None:
    """Raises HttpError for an upgrade that announces a body, which would be taken for frames (RFC 9110 7.8)."""
    # Nearly no upgrade has either: two look-ups (bench/, scenario "connections").
    if (b"content-length" in head.headers or b"transfer-encoding" in head.headers) and framing_of(head).length != 0:
        raise HttpError(text_response(400, "A request to switch to WebSocket has no body"))


def _portions(data: bytes) -> Iterator[bytes]:
    return iter((data,)) if len(data) <= PORTION else (data[at : at + PORTION] for at in range(0, len(data), PORTION))


async def _send_long(response: LongResponse, exchange: Exchange) -> None:
    """Make the answer, a part in each turn of the loop, and send it."""
    try:
        made = Response(HTTPStatus.OK, b"".join([part async for part in _parts_of(response)]))
    except Exception as error:
        made = response.refuse(error)
    await exchange.send(made)


async def _parts_of(response: LongResponse) -> AsyncIterator[bytes]:
    for part in response.parts:
        yield await settled(part) if isinstance(part, Later) else part
        await asyncio.sleep(0)
