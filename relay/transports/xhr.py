"""The HTTP fallbacks of pusher-js (G2): XHR streaming and polling, for clients whose network blocks WebSocket.

POST …/app/KEY/SERVER/SESSION/xhr_streaming or /xhr receives, /xhr_send sends. Sessions are in polling.py.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from msgspec import Struct

from pushdesk.addresses import Network, requester
from relay.liveness import Wheel
from relay.node import Node
from relay.protocol import sockjs
from relay.protocol.decoding import Malformed
from relay.protocol.signatures import parse_query
from relay.transports.polling import PollingSession

log = structlog.get_logger()

# How long a request that receives is held when there is nothing to say. Proxies give up after 60 s. Seconds.
HEARTBEAT: Final = 25.0

# How long the body of a request that sends may take to come. Seconds.
SEND_TIMEOUT: Final = 10.0

# The client drops a stream of more characters (UTF-16) than this and opens the next one: what is written to the old one
# meanwhile would be lost, so nothing is. A client that has not done so within the timeout (seconds) does not do it.
STREAM_CHARACTERS: Final = 262_144
REOPEN_TIMEOUT: Final = 5.0

_PATH: Final = re.compile(
    r"(?:/[^/?]+)*/app/(?P<key>[^/?]+)/(?P<server>[0-9]{1,10})/(?P<session>[a-z0-9]{1,40})/(?P<action>xhr|xhr_streaming|xhr_send)"
)

# Any page may connect, as with WebSocket; there are no cookies to protect.
_CORS: Final = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT: Final = _CORS | {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Max-Age": "86400",
}
_STREAM: Final = _CORS | {
    "Content-Type": "application/javascript; charset=UTF-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


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
    """All sessions of this process. `backlog` (bytes) is what may wait for one client; `trusted` are the proxies whose
    X-Forwarded-For counts."""

    def __init__(self, node: Node, wheel: Wheel, backlog: int, trusted: Sequence[Network] = ()) -> None:
        self._node = node
        self._wheel = wheel
        self._backlog = backlog
        self._trusted = trusted
        self._sessions: dict[tuple[str, str, str], PollingSession] = {}

    async def handle(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Answer one request of a client."""
        match request.method, target.action:
            case "OPTIONS", _:
                return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
            case "POST", "xhr_send":
                return await self._send(request, target)
            case "POST", action:
                return await self._receive(request, target, is_stream=action == "xhr_streaming")
            case method, _:
                return self._refuse(request, HTTPStatus.METHOD_NOT_ALLOWED, f"This path takes POST, not {method[:20]}")

    async def _send(self, request: web.BaseRequest, target: Target) -> web.Response:
        session = self._sessions.get(target.session)
        if session is None:
            return self._refuse(request, HTTPStatus.NOT_FOUND, "There is no such session")
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                body = await request.read()
            messages = sockjs.parse_messages(body)
        except TimeoutError:
            reason = f"The body of the request took more than {SEND_TIMEOUT:.0f} s"
            return self._refuse(request, HTTPStatus.REQUEST_TIMEOUT, reason)
        except Malformed as error:
            return self._refuse(request, HTTPStatus.BAD_REQUEST, f"Invalid body: {error}")
        except web.HTTPRequestEntityTooLarge as error:
            # Not raised further: it would keep what was read until the garbage collector comes by, which is seldom.
            return self._refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.reason)
        session.receive(messages)
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_CORS)

    async def _receive(self, request: web.BaseRequest, target: Target, *, is_stream: bool) -> web.StreamResponse:
        session = self._session(target, request)
        response = web.StreamResponse(headers=_STREAM)
        session.attach(response)
        written = 0
        try:
            await response.prepare(request)
            while session.is_receiver(response):
                lines = await _next_lines(session, response)
                await response.write(lines)
                if session.is_over or not is_stream:
                    break
                written += _characters(lines)
                if written > STREAM_CHARACTERS:
                    await _reopened(session, response)
                    written = 0
            await response.write_eof()
        finally:
            session.detach(response)
        return response

    def _session(self, target: Target, request: web.BaseRequest) -> PollingSession:
        session = self._sessions.get(target.session)
        if session is not None:
            return session
        session = PollingSession(
            self._node,
            self._wheel,
            backlog=self._backlog,
            forget=lambda: self._forget(target.session),
            address=requester(request, self._trusted),
        )
        self._sessions[target.session] = session
        session.open(target.app_key, target.params.get("protocol"), request.headers.get("Origin"))
        return session

    def _refuse(self, request: web.BaseRequest, status: HTTPStatus, reason: str) -> web.Response:
        path = request.raw_path.partition("?")[0]
        address = requester(request, self._trusted)
        log.info(
            "request_refused", address=address, method=request.method, path=path, status=int(status), reason=reason
        )
        return web.Response(status=status, text=reason, headers=_CORS)

    def close(self) -> None:
        """Drop all sessions: no request can reach them any more."""
        for session in list(self._sessions.values()):
            session.drop()

    def _forget(self, key: tuple[str, str, str]) -> None:
        self._sessions.pop(key, None)


async def _next_lines(session: PollingSession, receiver: object) -> bytes:
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


async def _reopened(session: PollingSession, receiver: object) -> None:
    """Wait until another request receives, but not for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REOPEN_TIMEOUT):
            while session.is_receiver(receiver):
                session.wake.clear()
                await session.wake.wait()


def _characters(lines: bytes) -> int:
    """How long a browser finds the text."""
    return len(lines) if lines.isascii() else len(lines.decode().encode("utf-16-le")) // 2
