"""The table of paths, and the way of a request through it: read, find the app, check the signature, handle, answer.

aiohttp's low-level server calls `Api.handle`; a table of our own costs less a request than its router
(docs/performance.md, "triggers").
"""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import structlog
from aiohttp import web

from relay.api.channels import list_channels, list_users, show_channel
from relay.api.events import publish, publish_batch
from relay.api.responses import (
    ApiError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    RequestTimeout,
    UpgradeRequired,
    error_response,
    json_response,
)
from relay.apps import App
from relay.node import Node
from relay.protocol.errors import ProtocolError
from relay.protocol.signatures import parse_query, verify_request

log = structlog.get_logger()

# How long the body of a request may take to come, in seconds, and how large it may be, in bytes: a batch of ten events
# at the default limit, each byte escaped, fits.
BODY_TIMEOUT: Final = 10.0
MAX_BODY: Final = 1_048_576

_WILDCARD: Final = "*"

# (node, app, the wildcard of the path, query, body) → the answer's body
Handler = Callable[[Node, App, str, dict[str, str], bytes], dict[str, object]]

_ROUTES: Final[dict[tuple[str, ...], tuple[str, Handler]]] = {
    ("events",): ("POST", lambda node, app, _name, _params, body: publish(node, app, body)),
    ("batch_events",): ("POST", lambda node, app, _name, _params, body: publish_batch(node, app, body)),
    ("channels",): ("GET", lambda node, app, _name, params, _body: list_channels(node, app, params)),
    ("channels", _WILDCARD): ("GET", lambda node, app, name, params, _body: show_channel(node, app, name, params)),
    ("channels", _WILDCARD, "users"): ("GET", lambda node, app, name, _params, _body: list_users(node, app, name)),
}


class Api:
    """The HTTP side of the relay. `is_ready` tells whether this node takes work."""

    def __init__(self, node: Node, is_ready: Callable[[], bool], clock: Callable[[], float] = time.time) -> None:
        self._node = node
        self._is_ready = is_ready
        self._clock = clock

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        try:
            return self._answer(request, await _read(request))
        except (ApiError, ProtocolError, web.HTTPException) as error:
            log.info("request_refused", method=request.method, path=request.rel_url.raw_path, reason=str(error))
            return error_response(error)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            log.exception("request_failed", method=request.method, path=request.rel_url.raw_path)
            return json_response({"error": "internal error", "code": 500}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, request: web.BaseRequest, body: bytes) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        match path.split("/"):
            case ["", "apps", name, *rest]:
                return self._answer_app(request.method, path, query, unquote(name), rest, body)
            case ["", "up"]:
                return json_response({"ok": True})
            case ["", "ready"]:
                ready = self._is_ready()
                return json_response({"ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
            case ["", "app", _]:
                raise UpgradeRequired(
                    "This is an address for WebSockets: the request did not ask for an upgrade to one"
                )
            case _:
                raise NotFound("There is nothing at this path: the API is below /apps/APP_ID")

    def _answer_app(
        self, method: str, path: str, query: str, app_name: str, rest: list[str], body: bytes
    ) -> web.Response:
        handler, wildcard = _route(method, rest)
        app = self._node.apps.by_id_or_key(app_name)
        if app is None:
            raise NotFound(f"There is no app {app_name[:100]!r}")
        params = parse_query(query)
        verify_request(app.key, app.secret, method, path, params, body, self._clock())
        if not app.enabled:
            raise Forbidden("The app is disabled")
        return json_response(handler(self._node, app, wildcard, params, body))


def _route(method: str, rest: list[str]) -> tuple[Handler, str]:
    """The handler of a path below an app, and the part of the path that stands for a wildcard. Raises ApiError."""
    shape = tuple(rest) if len(rest) < 2 else (rest[0], _WILDCARD, *rest[2:])
    route = _ROUTES.get(shape)
    if route is None:
        raise NotFound("There is nothing at this path of the API")
    allowed, handler = route
    if method != allowed:
        raise MethodNotAllowed(f"This path takes {allowed}, not {method[:20]}")
    return handler, unquote(rest[1]) if len(rest) > 1 else ""


async def _read(request: web.BaseRequest) -> bytes:
    """The body. Most have come whole with the head, and those need no timer."""
    if request.content.is_eof():
        return await request.read()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        raise RequestTimeout(f"The body of the request took more than {BODY_TIMEOUT:.0f} s") from None
