"""The front door: the one listening socket. Where the next request on a connection goes is decided here, request by request.

A WebSocket upgrade takes the connection with it: it costs one protocol object, where an HTTP server would keep a task, a
request and queues for it (docs/performance.md, "connections"). A request to the API is answered on the spot, a plain one at
half of what a full HTTP server spends on it ("triggers"), or when other nodes have answered: nothing of the connection is
looked at until then. A request of a fallback is answered by a task, as that may take long. Whatever came before, the next
request may be of any kind (docs/decisions/0012).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import cast

import structlog

from pushdesk.addresses import UNKNOWN, client_address, peer_of
from pushdesk.deadlines import KEEPALIVE, REQUEST_TIMEOUT
from relay.net.settled import settled
from relay.net.sockets import reset
from relay.transports.doors import Door, Doors
from relay.transports.exchange import Exchange
from relay.transports.handshake import Upgrade
from relay.transports.reading import Incoming, RequestReader, portions
from relay.wire.handshake import forwarded_for
from relay.wire.http import (
    END_OF_HEAD,
    Head,
    LongResponse,
    PlainRequest,
    Response,
    text_response,
)
from relay.wire.later import PATIENCE, Later

log = structlog.get_logger()

Done = Response | LongResponse

# Writes the answer of an exchange.
Respond = Callable[[Exchange], Awaitable[None]]


class FrontDoor(Door, RequestReader, asyncio.Protocol):
    """One connection until it is a WebSocket."""

    __slots__ = (
        "_exchange",
        "_is_answering",
        "_is_half_closed",
        "_later",
        "_task",
        "_unsent",
        "wheel_slot",
    )

    def __init__(self, doors: Doors) -> None:
        self.wheel_slot = 0
        # The request that is answered in a task, and the answer that is not known yet: with either the connection is busy.
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._later: Later[Done] | None = None
        self._is_half_closed = False
        self._is_answering = False
        # What the client had not taken when it was last looked at, in bytes.
        self._unsent = 0
        self._start_reading(doors)

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

    def _answer_whole(self, incoming: Incoming) -> bool:
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
            self._take(portions(data), len(data))
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
