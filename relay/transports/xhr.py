"""The HTTP fallbacks of pusher-js (G): XHR streaming and polling, for clients whose network blocks WebSocket.

POST …/app/KEY/SERVER/SESSION/xhr_streaming or /xhr receives, /xhr_send sends. Sessions are in polling.py.
"""

import asyncio
import re
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import structlog
from msgspec import Struct

from relay.net.liveness import Wheel
from relay.node.node import Node
from relay.transports.exchange import Exchange
from relay.transports.polling import PollingSession
from relay.wire import sockjs
from relay.wire.decoding import Malformed
from relay.wire.http import Response, parse_query, text_response

log = structlog.get_logger()

# How long a request that receives is held when there is nothing to say. Proxies give up after 60 s. Seconds.
HEARTBEAT: Final = 25.0

# The client drops a stream of more characters (UTF-16) than this and opens the next one: what is written to the old one
# meanwhile would be lost, so nothing is. A client that has not done so within the timeout (seconds) does not do it.
STREAM_CHARACTERS: Final = 262_144
REOPEN_TIMEOUT: Final = 5.0

_PATH: Final = re.compile(
    r"(?:/[^/?]*)*/app/(?P<key>[^/?]+)/(?P<server>[0-9]{1,10})/(?P<session>[a-z0-9]{1,40})/(?P<action>xhr|xhr_streaming|xhr_send)"
)

# Any page may connect, as with WebSocket; there are no cookies to protect.
_CORS: Final = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT: Final = _CORS | {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Max-Age": "86400",
}
_SCRIPT: Final = "application/javascript; charset=UTF-8"
_RECEIVING: Final = _CORS | {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
_STREAM: Final = _RECEIVING | {"Content-Type": _SCRIPT}


class Target(Struct, frozen=True):
    """What a request's path asks for."""

    app_key: str
    session: tuple[str, str, str]
    action: str
    params: dict[str, str]


def parse_target(raw_path: str) -> Target | None:
    """The target of a request to a fallback; None for any other request."""
    path, _, query = raw_path.partition("?")
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    key = match["key"]
    return Target(key, (key, match["server"], match["session"]), match["action"], parse_query(query))


def is_fallback(target: str) -> bool:
    """Whether a request is a fallback's, and its answer may take long."""
    return "/xhr" in target and parse_target(target) is not None


class Fallback:
    """All sessions of this process. `backlog` (bytes) is what may wait for one client."""

    def __init__(self, node: Node, wheel: Wheel, backlog: int) -> None:
        self._node = node
        self._wheel = wheel
        self._backlog = backlog
        self._sessions: dict[tuple[str, str, str], PollingSession] = {}

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request of a client; its target is one that `is_fallback` found."""
        method, target = exchange.head.method, parse_target(exchange.head.target)
        if target is None:
            raise ValueError("no target of a fallback")
        match method, target.action:
            case "OPTIONS", _:
                await exchange.send(Response(HTTPStatus.NO_CONTENT, b"", headers=_PREFLIGHT))
            case "POST", "xhr_send":
                await exchange.send(await self._send(exchange, target))
            case "POST", "xhr_streaming":
                await self._stream(exchange, target)
            case "POST", _:
                await self._poll(exchange, target)
            case _:
                reason = f"This path takes POST, not {method}"
                head = exchange.head
                response = self.refuse(
                    head.method, head.target, HTTPStatus.METHOD_NOT_ALLOWED, reason, exchange.address
                )
                await exchange.send(response)

    async def _send(self, exchange: Exchange, target: Target) -> Response:
        head = exchange.head
        session = self._sessions.get(target.session)
        if session is None:
            reason = "There is no such session"
            return self.refuse(head.method, head.target, HTTPStatus.NOT_FOUND, reason, exchange.address)
        # A body waits in its request, and is forgotten with it: in the session it would stay when the client has gone, and
        # make room for the next one.
        while not session.caught_up.is_set():
            await session.caught_up.wait()
        try:
            session.receive(sockjs.parse_messages(exchange.body))
        except Malformed as error:
            reason = f"Invalid body: {error}"
            return self.refuse(head.method, head.target, HTTPStatus.BAD_REQUEST, reason, exchange.address)
        # The client's next request on this connection is not read before.
        await session.caught_up.wait()
        return Response(HTTPStatus.NO_CONTENT, b"", headers=_CORS)

    async def _poll(self, exchange: Exchange, target: Target) -> None:
        """One answer with what there is, as soon as there is something."""
        session = self._session(target, exchange)
        session.attach(exchange)
        try:
            lines = await _next_lines(session, exchange)
            await exchange.send(Response(HTTPStatus.OK, lines, _SCRIPT, _RECEIVING))
        finally:
            session.detach(exchange)

    async def _stream(self, exchange: Exchange, target: Target) -> None:
        """One answer that goes on."""
        session = self._session(target, exchange)
        session.attach(exchange)
        written = 0
        try:
            exchange.start(_STREAM)
            while lines := await _next_lines(session, exchange):
                await exchange.write(lines)
                if session.is_over:
                    break
                written += _characters(lines)
                if written > STREAM_CHARACTERS:
                    await _reopened(session, exchange)
                    written = 0
            await exchange.end()
        finally:
            session.detach(exchange)

    def _session(self, target: Target, exchange: Exchange) -> PollingSession:
        session = self._sessions.get(target.session)
        if session is not None:
            return session
        session = PollingSession(
            self._node,
            self._wheel,
            backlog=self._backlog,
            forget=lambda: self._forget(target.session),
            address=exchange.address,
        )
        origin = exchange.head.headers.get(b"origin")
        session.open(
            target.app_key, target.params.get("protocol"), None if origin is None else origin.decode("latin-1")
        )
        # Not before: what fails in there must not stay here.
        self._sessions[target.session] = session
        return session

    def refuse(self, method: str, target: str, status: int, reason: str, address: str) -> Response:
        """The answer to a request that is no good; a page may read it."""
        path = target.partition("?")[0]
        log.info("request_refused", address=address, method=method, path=path, status=int(status), reason=reason)
        return text_response(status, reason, _CORS)

    def close(self) -> None:
        """Drop all sessions: no request can reach them any more."""
        for session in list(self._sessions.values()):
            session.drop()

    def _forget(self, key: tuple[str, str, str]) -> None:
        self._sessions.pop(key, None)


async def _next_lines(session: PollingSession, receiver: Exchange) -> bytes:
    """What the client is to get next: messages as soon as there are some, else a heartbeat. Empty when another receives."""
    while session.is_receiver(receiver):
        if lines := session.take():
            return lines
        try:
            async with asyncio.timeout(HEARTBEAT):
                await session.wake.wait()
        except TimeoutError:
            return sockjs.HEARTBEAT
    return b""


async def _reopened(session: PollingSession, receiver: Exchange) -> None:
    """Wait until another request receives, but not for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REOPEN_TIMEOUT):
            while session.is_receiver(receiver) and not session.is_ended:
                session.wake.clear()
                await session.wake.wait()


def _characters(lines: bytes) -> int:
    """How long a browser finds the text."""
    return len(lines) if lines.isascii() else len(lines.decode().encode("utf-16-le")) // 2
