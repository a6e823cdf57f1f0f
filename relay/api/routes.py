"""The table of paths, and the way of a request through it: read, find the app, check the signature, handle, answer.

A table of our own costs less per request than a general router (docs/performance.md, "triggers").
"""

import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final, cast

import structlog

from relay.api.channels import list_channels, list_users, show_channel
from relay.api.events import publish, publish_batch
from relay.api.request import WILDCARD, Request, request_of
from relay.api.responses import (
    ApiError,
    BodyTooLarge,
    Done,
    Forbidden,
    Handled,
    MethodNotAllowed,
    NotFound,
    OutcomeUnknown,
    Parts,
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
    UpgradeRequired,
    error_response,
    json_response,
)
from relay.api.users import terminate, unsubscribe
from relay.apps import App
from relay.cluster.bus import Unavailable
from relay.node.namespace import Namespace
from relay.node.node import Node
from relay.protocol.errors import ProtocolError
from relay.protocol.signatures import verify_request
from relay.watch.happenings import RefusedRequest
from relay.wire.http import LongResponse, Response
from relay.wire.later import Later, TooLate, after, asked

log = structlog.get_logger()

# How large the body of a request may be, in bytes: a batch of ten events at the default limit, each byte escaped, fits.
MAX_BODY: Final = 1_048_576

# (the app on this node, the request) → what is answered
Handler = Callable[[Namespace, Request], Handled]

# Told the route, the status and the seconds of a request.
Observe = Callable[[str, int, float], None]

# What the front door is given.
Answered = Response | LongResponse | Later[Response | LongResponse]

_ROUTES: Final[dict[tuple[str, ...], tuple[str, Handler]]] = {
    ("events",): ("POST", publish),
    ("batch_events",): ("POST", publish_batch),
    ("channels",): ("GET", list_channels),
    ("channels", WILDCARD): ("GET", show_channel),
    ("channels", WILDCARD, "users"): ("GET", list_users),
    ("users", WILDCARD, "terminate_connections"): ("POST", terminate),
    ("users", WILDCARD, "unsubscribe"): ("POST", unsubscribe),
}

# The route of a path for the metrics is one of a few, whatever the path.
_LABELS: Final = {shape: "/" + "/".join(shape) for shape in (*_ROUTES, ("up",), ("ready",))}


class Api:
    """The HTTP side of the relay.

    `is_ready` tells whether this node takes work; `observe` is told the route, the status and the seconds of each request.
    `prefix` stands before every path, and is no part of what a request signs.
    """

    def __init__(
        self,
        node: Node,
        is_ready: Callable[[], bool],
        observe: Observe,
        prefix: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._prefix = prefix
        self._node = node
        self._is_ready = is_ready
        self._clock = clock
        self._observe = observe

    def answer(self, method: str, target: str, body: bytes, address: Callable[[], str]) -> Answered:
        """Answer one request, whatever it is, now or later. `address` says where it came from, if somebody wants to know,
        also later."""
        started = time.perf_counter()
        request = request_of(method, target, self._prefix, body)
        return self._answer(request, self._route, started, address)

    def publish(self, app: App, body: bytes, address: str) -> Response | Later[Response]:
        """Answer a POST /events of somebody at `address` who was let in by another door, and need not sign it: all else is as
        for a back end, the app's limits and its rate too."""
        started = time.perf_counter()
        request = Request("POST", f"/apps/{app.id}/events", "", ("apps", app.id, "events"), body, ("events",))
        response = self._answer(request, partial(self._handle, app, publish), started, lambda: address)
        return cast(Response | Later[Response], response)  # no list

    def refuse_body(self, method: str, target: str, status: int, reason: str, address: str) -> Response:
        """Refuse a request whose body is no good: it does not come in time (408), or is too large (413)."""
        error = RequestTimeout(reason) if status == RequestTimeout.status else BodyTooLarge(reason)
        return self._refuse(error, request_of(method, target, self._prefix), address)

    def _answer(
        self, request: Request, handle: Callable[[Request], Handled], started: float, address: Callable[[], str]
    ) -> Answered:
        try:
            handled = handle(request)
            if isinstance(handled, Later):
                return self._answer_later(handled, request, started, address)
            response = handled if isinstance(handled, Response) else self._long(handled, request, address())
        except Exception as error:
            response = self._fail(error, request, address())
        self._seen(response, request, started)
        return response

    def _answer_later(
        self, handled: Later[Done], request: Request, started: float, address: Callable[[], str]
    ) -> Later[Response | LongResponse]:
        """Answer when it is known what; the client may be gone by then, and it counts all the same."""
        return handled.through(partial(self._finish, request, started, address))

    def _finish(
        self, request: Request, started: float, address: Callable[[], str], come: Later[Done]
    ) -> Response | LongResponse:
        # No function in a function: its types would be made for each request (bench/, scenario "triggers").
        try:
            done = come.get()
            response = done if isinstance(done, Response) else self._long(done, request, address())
        except Exception as error:
            response = self._fail(error, request, address())
        self._seen(response, request, started)
        return response

    def _long(self, parts: Parts, request: Request, address: str) -> LongResponse:
        return LongResponse(parts, lambda error: self._fail(error, request, address))

    def _seen(self, response: Response | LongResponse, request: Request, started: float) -> None:
        status = HTTPStatus.OK if isinstance(response, LongResponse) else response.status
        self._observe(_LABELS.get(request.shape, "other"), status, time.perf_counter() - started)

    def _fail(self, error: Exception, request: Request, address: str) -> Response:
        if isinstance(error, TooLate):
            return self._refuse(_given_up(request), request, address)
        if isinstance(error, (ApiError, ProtocolError)):
            return self._refuse(error, request, address)
        log.exception("request_failed", method=request.method, path=request.path, address=address)
        return json_response({"error": "internal error", "code": 500}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _refuse(self, error: ApiError | ProtocolError, request: Request, address: str) -> Response:
        response = error_response(error)
        app = self._node.apps.by_id_or_key(request.app)
        if app is not None:
            self._node.namespaces[app.id].stats.hit(error.limit)
        log.info(
            "request_refused",
            app=None if app is None else app.id,
            address=address,
            method=request.method,
            path=request.path,
            status=response.status,
            reason=error.message,
        )
        if self._node.observers:
            refused = RefusedRequest(request.method, request.path, response.status, error.message, address)
            self._node.observers.tell(None if app is None else app.id, refused)
        return response

    def _route(self, request: Request) -> Handled:
        match request.parts:
            case ["apps", _, *_] | ["users", _, "terminate_connections"]:
                return self._answer_app(request)
            case ["up"]:
                return json_response({"ok": True})
            case ["ready"]:
                ready = self._is_ready()
                return json_response({"ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
            case ["app", _]:
                raise UpgradeRequired(
                    "This is an address for WebSockets: the request did not ask for an upgrade to one"
                )
            case _:
                raise NotFound(self._nothing_at(request.path))

    def _nothing_at(self, path: str) -> str:
        hint = ", and this one has a slash too many" if "//" in path else ""
        return f"There is nothing at this path: the API is below {self._prefix}/apps/APP_ID{hint}"

    def _answer_app(self, request: Request) -> Handled:
        handler = _handler_of(request)
        name = request.app
        app = self._node.apps.by_id_or_key(name)
        if app is None:
            raise NotFound(f"There is no app {name[:100]!r}")
        params = request.params
        # While keys are rotated, an app has several; a key of no app is refused by the check itself.
        key = params.get("auth_key", app.key)
        secret = app.secret_for(key)
        if secret is None:
            key, secret = app.key, app.secret
        verify_request(key, secret, request.method, request.path, params, request.body, self._clock())
        return self._handle(app, handler, request)

    def _handle(self, app: App, handler: Handler, request: Request) -> Handled:
        """Handle a request of somebody who may make it. Raises ApiError unless the app takes one more."""
        if not app.enabled:
            raise Forbidden("The app is disabled")
        namespace, rate = self._node.namespaces[app.id], app.limits.api_requests_per_second
        if not rate:
            return handler(namespace, request)
        is_within_rate = asked(partial(namespace.take_request, rate))
        return after(is_within_rate, partial(_handle_within_rate, namespace, handler, request))


def _handle_within_rate(
    namespace: Namespace, handler: Handler, request: Request, is_within_rate: bool | Unavailable
) -> Handled:
    """Raises TooManyRequests when the app's back ends come too often, ServiceUnavailable when nobody can say."""
    if isinstance(is_within_rate, Unavailable):
        raise ServiceUnavailable(f"{is_within_rate.reason}: nothing was done, send it again")
    if not is_within_rate:
        namespace.stats.rate_limited += 1
        rate = namespace.app.limits.api_requests_per_second
        raise TooManyRequests(f"The app may make {rate} requests a second", limit="api_requests_per_second")
    return handler(namespace, request)


def _given_up(request: Request) -> ApiError:
    """Nobody has answered in time."""
    if request.method == "GET":
        return ServiceUnavailable("Nobody has answered in time: ask again")
    text = "Nobody has answered in time: it may have been published, repeat it with an idempotency_key"
    return OutcomeUnknown(text)


def _handler_of(request: Request) -> Handler:
    """The handler of a path below an app. Raises ApiError."""
    route = _ROUTES.get(request.shape)
    if route is None:
        raise NotFound("There is nothing at this path of the API")
    allowed, handler = route
    if request.method != allowed:
        raise MethodNotAllowed(f"This path takes {allowed}, not {request.method[:20]}")
    return handler
