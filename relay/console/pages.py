"""The console over HTTP, on a port of its own: the page, its feed, and the test event.

Who may ask for anything is access.py's business, what is told feed.py's.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

import orjson
import structlog
from aiohttp import HttpVersion11, web
from msgspec import Struct, to_builtins

from pushdesk.addresses import Network, requester
from pushdesk.http_server import HttpServer, Patience
from relay.apps import App
from relay.console.abroad import Abroad
from relay.console.access import Access, Denied
from relay.console.feed import Feeds, TooManyViewers, Viewer
from relay.net.settled import settled
from relay.net.sockets import reset
from relay.node.node import Node
from relay.wire.http import Response
from relay.wire.later import Later

log = structlog.get_logger()

# Connections at once: nobody can use up the relay's open files here.
CONNECTIONS: Final = 100
# The body of a test event, in bytes.
MAX_BODY: Final = 1_048_576
# How long a page may take to read what it was sent, in seconds; after that it is gone.
WRITE_TIMEOUT: Final = 30.0
# How long requests may take to end when the relay stops, in seconds. Feeds end at once.
STOP_TIMEOUT: Final = 1.0

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# A proxy that collected the feed would show nothing for long.
_STREAM: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Address(Struct, frozen=True):
    """Where clients reach the relay, as far as it knows: what the snippets begin with."""

    host: str
    port: int
    path_prefix: str
    is_tls: bool


class Console:
    """Serves the console once it is started. `abroad` brings what happens on other nodes. `trusted` are the proxies whose
    X-Forwarded-For counts; `now` gives seconds, monotonic; `publish` is what the API does with an event of an app (a body),
    sent from an address; call `tick` once a second."""

    def __init__(
        self,
        node: Node,
        abroad: Abroad,
        address: Address,
        password: str,
        trusted: Sequence[Network],
        now: Callable[[], float],
        publish: Callable[[App, bytes, str], Response | Later[Response]],
    ) -> None:
        self._publish = publish
        self._node = node
        self._address = address
        self._access = Access(password)
        self._trusted = trusted
        self._now = now
        self._feeds = Feeds(node, node.observers, abroad)
        self._files = {path.name: path.read_bytes() for path in _STATIC.iterdir() if path.suffix in _TYPES}
        self._server = HttpServer(self._app(), Patience(CONNECTIONS), goodbye=STOP_TIMEOUT, is_cancelling=True)
        self.tick = self._feeds.tick

    async def start(
        self, host: str, port: int, context: ssl.SSLContext | None, sockets: Sequence[socket.socket] = ()
    ) -> None:
        """Listen, on `sockets` if there are any. Raises OSError."""
        await self._server.start(host, port, context, sockets)

    async def stop(self) -> None:
        """End the feeds, then everything."""
        self._server.close()
        self._feeds.stop()
        await self._server.stop()

    def _app(self) -> web.Application:
        # Every request comes through the middleware, whatever its path.
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        app.on_response_prepare.append(_protect)
        app.router.add_get("/", self._page)
        app.router.add_get("/static/{name}", self._file)
        app.router.add_get("/apps", self._apps)
        app.router.add_get("/feed", self._feed, allow_head=False)
        app.router.add_post("/events", self._send)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nothing is served to whom `access` denies it; errors are told as JSON."""
        address = requester(request, self._trusted)
        try:
            self._access.check(
                request.method,
                request.path,
                address,
                request.headers,
                self._now(),
                is_old=request.version < HttpVersion11,
            )
            return await handler(request)
        except Denied as denied:
            log.info(
                "console_denied",
                address=address,
                method=request.method,
                path=request.path,
                status=int(denied.status),
                reason=denied.message,
            )
            return _error(denied.status, denied.message, dict(denied.headers))
        except web.HTTPException as error:
            return _error(HTTPStatus(error.status), error.reason, _allow(error))

    async def _page(self, _request: web.Request) -> web.Response:
        return self._static("index.html")

    async def _file(self, request: web.Request) -> web.Response:
        return self._static(request.match_info["name"])

    def _static(self, name: str) -> web.Response:
        content = self._files.get(name)
        if content is None:
            return _error(HTTPStatus.NOT_FOUND, "There is no such file")
        return web.Response(body=content, content_type=_TYPES[Path(name).suffix], charset="utf-8")

    async def _apps(self, _request: web.Request) -> web.Response:
        """The apps, without their secrets, and where clients reach them."""
        apps = [{"id": app.id, "key": app.key, "is_enabled": app.enabled} for app in self._node.apps]
        return _json({"apps": apps, "relay": to_builtins(self._address)})

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        """What happens to an app, until the page goes or the relay stops."""
        app = self._app_of(request)
        try:
            viewer = self._feeds.open(app)
        except TooManyViewers as error:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        try:
            return await _stream(request, viewer)
        finally:
            self._feeds.close(viewer)

    async def _send(self, request: web.Request) -> web.Response:
        """Publish a test event, by the API's own door."""
        app = self._app_of(request)
        body, address = await request.read(), requester(request, self._trusted)
        response = self._publish(app, body, address)
        if isinstance(response, Later):
            response = await settled(response)
        if response.status == HTTPStatus.OK:
            event = orjson.loads(body)
            channels = event.get("channels") or [event.get("channel")]
            log.info("console_published", app=app.id, address=address, channels=channels, event_name=event["name"])
        return web.Response(
            body=response.body, status=response.status, content_type=response.content_type, headers=response.headers
        )

    def _app_of(self, request: web.Request) -> App:
        """The app that the query names. Raises HTTPNotFound."""
        try:
            return self._node.apps.by_id(request.query.get("app", ""))
        except KeyError:
            raise web.HTTPNotFound(reason="There is no such app") from None


async def _stream(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    response = web.StreamResponse(headers=_STREAM)
    await response.prepare(request)
    try:
        while told := await viewer.next():
            async with asyncio.timeout(WRITE_TIMEOUT):
                await response.write(told)
    except (ConnectionError, TimeoutError):
        log.debug("console_viewer_gone", app=viewer.app_id)
        if request.transport is not None:
            reset(request.transport)  # else what it did not read would be waited for without end
    return response


async def _protect(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _json(body: object, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)


def _error(status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json({"error": message, "code": int(status)}, status, headers)


def _allow(error: web.HTTPException) -> dict[str, str]:
    """The methods that a path takes, where the error is about them."""
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
