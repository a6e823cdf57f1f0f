"""A full HTTP server on a port of its own, for what strangers may reach: the desk, the relay's metrics and its console.

aiohttp reads requests and writes answers; here stands how long it may wait for a client, and for how many at once. Over the
bound, the client that has kept us waiting longest goes: whoever sends whole requests is served, however many others hold
connections open. Must not know what is served.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self, cast

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from pushdesk.addresses import UNKNOWN
from pushdesk.deadlines import KEEPALIVE, REQUEST_TIMEOUT
from pushdesk.writing import tell_of_all_that_waits

log = structlog.get_logger()

# Connections that the kernel accepts while the loop is busy.
BACKLOG: Final = 128
# How often it is said how many connections ended early, in seconds: whoever attacks does not fill the log.
REPORT_INTERVAL: Final = 60.0

_SLOW_HEAD: Final = (
    "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: {}\r\nConnection: close\r\n\r\n{}"
)

Handler = Callable[[Any], Awaitable[web.StreamResponse]]


class Patience(NamedTuple):
    """How long one connection may keep us waiting, in seconds, and how many may be open."""

    connections: int
    """Over it, the one that waits longest for its client is cut; where none waits, the new one is."""

    head: float = REQUEST_TIMEOUT
    """From the connection, or from the first byte of a later head, to the head's end. Answer: 408; to silence, none."""

    body: float = REQUEST_TIMEOUT
    """From the end of the head to the end of the body. Answer: 408."""

    idle: float = KEEPALIVE
    """From an answer to the next request."""

    stalled: float = 30.0
    """In which a client takes nothing of what is written to it; then it is cut."""


class SlowBody(web.HTTPRequestTimeout):
    """The body did not come completely in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(reason=f"The body of the request took more than {seconds:g} s")
        self.force_close()


def has_left(request: web.BaseRequest, error: BaseException) -> bool:
    """Whether `error`, raised while the request was handled, means no more than that its client went away."""
    is_gone = request.transport is None or request.transport.is_closing()
    # A read of the body raises whatever the system said of the connection.
    return is_gone and (isinstance(error, ConnectionError) or error is request.content.exception())


class HttpServerLog:
    """What aiohttp's server reports. A request that is not HTTP, and a client that went, are nobody's bug: no traceback."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def debug(self, text: str, *values: object, exc_info: BaseException | None = None) -> None:
        """The server's small talk; among it, that somebody began with something that is not HTTP."""
        if isinstance(exc_info, HttpProcessingError):
            self._refused(exc_info, values)
        else:
            self._log.debug("http_server", reason=text % values)

    def exception(self, text: str, *values: object, exc_info: BaseException | None = None) -> None:
        """A request that the server could not read, a client that went or was too slow, or a bug."""
        if isinstance(exc_info, HttpProcessingError):
            self._refused(exc_info, values)
        elif isinstance(exc_info, (ConnectionError, SlowBody)):
            self._log.debug("connection_lost", reason=f"{text % values}: {type(exc_info).__name__}")
        else:
            self._log.error("http_server_failed", reason=text % values, exc_info=exc_info)

    def _refused(self, error: HttpProcessingError, values: tuple[object, ...]) -> None:
        """aiohttp names one value, the address of the other side; what the error says of the request may be anything."""
        address = str(values[0]) if values else UNKNOWN
        self._log.info("request_refused", address=address, status=error.code, reason=type(error).__name__)


# How aiohttp's server is run, whoever watches over its connections.
OPTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "access_log": None,
        "logger": HttpServerLog(),
        # No browser compresses what it sends, and a small body must not become a large one.
        "auto_decompress": False,
    }
)


class HttpServer:
    """Serves an application, or everything by one handler, on one port. Made in a running loop, started once.

    `goodbye`: how long requests under way may still take at a stop, in seconds. `is_cancelling`: whether a handler is
    cancelled when its client goes.
    """

    def __init__(
        self, served: web.Application | Handler, patience: Patience, *, goodbye: float, is_cancelling: bool = False
    ) -> None:
        options = {
            **OPTIONS,
            # The connections watch over this themselves: a head that has begun has its own time.
            "keepalive_timeout": patience.idle + patience.head,
            # A refused request's body is read to its end, for as long as one may take: else its sender misses the answer.
            "lingering_time": patience.body,
            "handler_cancellation": is_cancelling,
        }
        self._lobby = _Lobby(patience)
        self._runner = _runner_of(served, self._lobby, goodbye, options)
        self._servers: list[asyncio.Server] = []

    async def start(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """Listen, on `sockets` if there are any; by TLS with a `context`. Raises OSError."""
        await self._runner.setup()
        # Silence in place of a TLS handshake is a late head too.
        handshake = None if context is None else self._lobby.patience.head
        make = partial(
            asyncio.get_running_loop().create_server,
            self._connection,
            ssl=context,
            backlog=BACKLOG,
            ssl_handshake_timeout=handshake,
        )
        try:
            self._servers = [await make(sock=one) for one in sockets] or [await make(host, port)]
        except OSError:
            await self._runner.cleanup()
            raise

    @property
    def port(self) -> int:
        """The port that is listened on, after `start`."""
        assert self._servers  # noqa: S101 - a bug of the caller
        return int(self._servers[0].sockets[0].getsockname()[1])

    def close(self) -> None:
        """Accept no more connections."""
        for server in self._servers:
            server.close()

    async def stop(self) -> None:
        """Accept no more connections, let the requests under way finish, close everything."""
        self.close()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        server = self._runner.server
        return _Refused() if server is None else _Connection(server(), self._lobby)


def _runner_of(
    served: web.Application | Handler, lobby: "_Lobby", goodbye: float, options: Mapping[str, Any]
) -> web.BaseRunner:
    if isinstance(served, web.Application):
        served.middlewares.insert(0, lobby.handle)
        return web.AppRunner(served, shutdown_timeout=goodbye, **options)
    server = web.Server(partial(lobby.handle, handler=served), **options)
    return web.ServerRunner(server, shutdown_timeout=goodbye)


class _Lobby:
    """The connections of one server, and which of them wait for their clients: the longest waiting first."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._open: set[_Connection] = set()
        self._waiting: dict[_Connection, None] = {}
        self._ended: Counter[str] = Counter()
        self._next_report: asyncio.TimerHandle | None = None

    def enter(self, connection: "_Connection") -> bool:
        """Take a connection in. False: there is no place, and none could be made."""
        if len(self._open) >= self.patience.connections and not self._make_place():
            return False
        self._open.add(connection)
        return True

    def leave(self, connection: "_Connection") -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def wait(self, connection: "_Connection") -> None:
        """From now on it waits for its client."""
        if connection in self._open:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def serve(self, connection: "_Connection") -> None:
        """From now on its client waits for us."""
        self._waiting.pop(connection, None)

    @web.middleware
    async def handle(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        """Around every handler: the body has its time, and a client who leaves before the answer is only counted."""
        connection = _Connection.of(request)
        if connection is None and not request.content.is_eof():
            return self._answer_nobody()  # it left before its turn came, and what it said is not complete
        with connection.handling(request.content) if connection else nullcontext():
            try:
                response = await handler(request)
            except Exception as error:
                if has_left(request, error):
                    return self._answer_nobody()
                raise
        if isinstance(request.content.exception(), SlowBody):
            response.force_close()
        return response

    def _answer_nobody(self) -> web.Response:
        self.note("left")
        return web.Response()

    def note(self, reason: str) -> None:
        """Count a connection that ended early; now and then, say how many did."""
        self._ended[reason] += 1
        if self._next_report is None:
            self._report()

    def _report(self) -> None:
        """Say how many ended early, and look again later; nothing is said, and nothing looked for, while none does."""
        self._next_report = None
        if self._ended:
            log.info("connections_ended_early", **self._ended)
            self._ended.clear()
            self._next_report = asyncio.get_running_loop().call_later(REPORT_INTERVAL, self._report)

    def _make_place(self) -> bool:
        longest = next(iter(self._waiting), None)
        self.note("no_place" if longest is None else "displaced")
        if longest is None:
            return False
        self.leave(longest)
        longest.cut()
        return True


class _Connection(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol, and measures how long the client takes."""

    __slots__ = ("_body", "_deadline", "_has_begun", "_http", "_is_idle", "_lobby", "_stall", "_transport")

    _transport: asyncio.Transport

    def __init__(self, http: asyncio.Protocol, lobby: _Lobby) -> None:
        self._http = http
        self._lobby = lobby
        # When what the client sends must be there, and when it must have taken something of what it gets.
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        # Whether something of the head that is waited for has come.
        self._has_begun = False
        # Whether a request was answered and no other has begun.
        self._is_idle = False
        self._body: StreamReader | None = None

    @classmethod
    def of(cls, request: web.BaseRequest) -> Self | None:
        """The connection that a request came on; None when it has ended, or is another server's."""
        protocol = None if request.transport is None else request.transport.get_protocol()
        return protocol if isinstance(protocol, cls) else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        # A server's TCP transport; uvloop's is not a subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if not self._lobby.enter(self):
            self._transport.abort()
            return
        tell_of_all_that_waits(self._transport)
        self._http.connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went, or was sent away."""
        self._lobby.leave(self)
        self._cancel_deadline()
        self._cancel_stall()
        self._http.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More of what the client sends: of a head, if no request is being handled or read."""
        if self._is_idle and (self._body is None or self._body.is_eof()):
            self._await_head()
        self._has_begun = True
        self._http.data_received(data)

    def eof_received(self) -> bool | None:
        """The client sends no more; aiohttp decides what that means."""
        return self._http.eof_received()

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is written."""
        self._http.pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """It has taken all."""
        self._cancel_stall()
        self._http.resume_writing()

    @contextmanager
    def handling(self, body: StreamReader) -> Iterator[None]:
        """While a request is handled whose head is there; its `body` has its own time."""
        self._cancel_deadline()
        self._is_idle, self._body = False, body
        if body.is_eof():
            self._lobby.serve(self)
        else:
            self._await_body(body)
        try:
            yield
        finally:
            self._await_request()

    def note(self, reason: str) -> None:
        """Count that the connection ends early."""
        self._lobby.note(reason)

    def cut(self) -> None:
        """End it without further ado."""
        self._transport.abort()

    def _await_request(self) -> None:
        self._cancel_deadline()
        self._is_idle, self._has_begun = True, False
        self._lobby.wait(self)
        self._deadline = self._in(self._lobby.patience.idle, self._on_idle)

    def _on_idle(self) -> None:
        if self._stall is not None:  # the answer is still going out, slowly
            self._deadline = self._in(self._lobby.patience.idle, self._on_idle)
        else:
            self._deadline = None
            self._transport.close()

    def _await_head(self) -> None:
        self._cancel_deadline()
        self._is_idle = False
        self._lobby.wait(self)
        self._deadline = self._in(self._lobby.patience.head, self._on_late_head)

    def _on_late_head(self) -> None:
        self._deadline = None
        self.note("slow_head")
        if self._has_begun:
            text = f"The head of the request took more than {self._lobby.patience.head:g} s"
            self._transport.write(_SLOW_HEAD.format(len(text), text).encode())
        self._transport.close()

    def _await_body(self, body: StreamReader) -> None:
        self._lobby.wait(self)
        self._deadline = self._in(self._lobby.patience.body, partial(self._on_late_body, body))
        body.on_eof(self._on_whole_body)

    def _on_whole_body(self) -> None:
        if self._is_idle:  # answered before its end: it is the next request that is waited for
            return
        self._cancel_deadline()
        self._lobby.serve(self)

    def _on_late_body(self, body: StreamReader) -> None:
        self._deadline = None
        self.note("slow_body")
        body.set_exception(SlowBody(self._lobby.patience.body))

    def _watch_writing(self) -> None:
        unsent = self._transport.get_write_buffer_size()
        self._stall = self._in(self._lobby.patience.stalled, partial(self._on_stall, unsent))

    def _on_stall(self, unsent: int) -> None:
        if self._transport.get_write_buffer_size() < unsent:
            self._watch_writing()
        else:
            self.note("slow_reader")
            self.cut()

    def _in(self, seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, do)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


class _Refused(asyncio.Protocol):
    """A connection that came while the server stops."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send it away."""
        transport.close()
