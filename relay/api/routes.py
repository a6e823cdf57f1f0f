"""The table of paths, and the way of a request through it: read, find the app, check the signature, handle, answer.

A table of our own costs less per request than a general router (docs/performance.md, "triggers").
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import structlog

from relay.api.channels import list_channels, list_users, show_channel
from relay.api.events import publish, publish_batch
from relay.api.responses import (
    ApiError,
    BodyTooLarge,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    RequestTimeout,
    TooManyRequests,
    UpgradeRequired,
    error_answer,
    json_answer,
)
from relay.api.users import terminate, unsubscribe
from relay.apps import App
from relay.node.node import Node
from relay.protocol.errors import ProtocolError
from relay.protocol.ratelimit import TokenBucket
from relay.protocol.signatures import verify_request
from relay.watch.happenings import RefusedRequest
from relay.wire.http import Answer, LongAnswer, parse_query

log = structlog.get_logger()

# How large the body of a request may be, in bytes: a batch of ten events at the default limit, each byte escaped, fits.
MAX_BODY: Final = 1_048_576

_WILDCARD: Final = "*"


# (node, app, the wildcard of the path, query, body) → the answer's body, or an answer that takes long to make
Handler = Callable[[Node, App, str, dict[str, str], bytes], dict[str, object] | LongAnswer]

# Told the route, the status and the seconds of a request.
Observe = Callable[[str, int, float], None]

_ROUTES: Final[dict[tuple[str, ...], tuple[str, Handler]]] = {
    ("events",): ("POST", lambda node, app, _name, _params, body: publish(node, app, body)),
    ("batch_events",): ("POST", lambda node, app, _name, _params, body: publish_batch(node, app, body)),
    ("channels",): ("GET", lambda node, app, _name, params, _body: list_channels(node, app, params)),
    ("channels", _WILDCARD): ("GET", lambda node, app, name, params, _body: show_channel(node, app, name, params)),
    ("users", _WILDCARD, "terminate_connections"): (
        "POST",
        lambda node, app, name, _params, _body: terminate(node, app, name),
    ),
    ("users", _WILDCARD, "unsubscribe"): (
        "POST",
        lambda node, app, name, _params, body: unsubscribe(node, app, name, body),
    ),
    ("channels", _WILDCARD, "users"): ("GET", lambda node, app, name, _params, _body: list_users(node, app, name)),
}


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
        self._buckets: dict[str, TokenBucket] = {}

    def answer(self, method: str, target: str, body: bytes, address: Callable[[], str]) -> Answer | LongAnswer:
        """Answer one request, whatever it is. `address` says where it came from, if somebody wants to know."""
        answer: Answer | LongAnswer
        started = time.perf_counter()
        path, _, query = target.removeprefix(self._prefix).partition("?")
        parts = _parts_of(path)
        try:
            answer = self._route(method, path, query, parts, body)
        except Exception as error:
            answer = self._fail(error, method, path, parts, query, address())
        status = HTTPStatus.OK if isinstance(answer, LongAnswer) else answer.status
        self._observe(_label(parts), status, time.perf_counter() - started)
        return answer

    def publish(self, app: App, body: bytes, address: str) -> Answer:
        """Answer a POST /events of somebody at `address` who was let in by another door, and need not sign it: all else is as
        for a back end, the app's limits and its rate too."""
        started = time.perf_counter()
        parts = ["apps", app.id, "events"]
        path = "/" + "/".join(parts)
        try:
            self._ensure_admitted(app)
            answer = json_answer(publish(self._node, app, body))
        except Exception as error:
            answer = self._fail(error, "POST", path, parts, "", address)
        self._observe(_label(parts), answer.status, time.perf_counter() - started)
        return answer

    def _fail(self, error: Exception, method: str, path: str, parts: list[str], query: str, address: str) -> Answer:
        if isinstance(error, (ApiError, ProtocolError)):
            return self._refuse(error, method, path, parts, query, address)
        log.exception("request_failed", method=method, path=path, address=address)
        return json_answer({"error": "internal error", "code": 500}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def refuse_body(self, method: str, target: str, status: int, reason: str, address: str) -> Answer:
        """Refuse a request whose body is no good: it does not come in time (408), or is too large (413)."""
        path, _, query = target.removeprefix(self._prefix).partition("?")
        parts = _parts_of(path)
        error = RequestTimeout(reason) if status == RequestTimeout.status else BodyTooLarge(reason)
        return self._refuse(error, method, path, parts, query, address)

    def _refuse(
        self, error: ApiError | ProtocolError, method: str, path: str, parts: list[str], query: str, address: str
    ) -> Answer:
        answer = error_answer(error)
        app = self._node.apps.by_id_or_key(_app_name(parts, query))
        if app is not None:
            self._node.stats(app).hit(error.limit)
        log.info(
            "request_refused",
            app=None if app is None else app.id,
            address=address,
            method=method,
            path=path,
            status=answer.status,
            reason=error.message,
        )
        if self._node.observers:
            refused = RefusedRequest(method, path, answer.status, error.message, address)
            self._node.observers.tell(None if app is None else app.id, refused)
        return answer

    def _route(self, method: str, path: str, query: str, parts: list[str], body: bytes) -> Answer | LongAnswer:
        match parts:
            case ["apps", _, *rest]:
                return self._answer_app(method, path, query, _app_name(parts, query), rest, body)
            case ["users", _, "terminate_connections"]:
                return self._answer_app(method, path, query, _app_name(parts, query), parts, body)
            case ["up"]:
                return json_answer({"ok": True})
            case ["ready"]:
                ready = self._is_ready()
                return json_answer({"ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
            case ["app", _]:
                raise UpgradeRequired(
                    "This is an address for WebSockets: the request did not ask for an upgrade to one"
                )
            case _:
                raise NotFound(self._nothing_at(path))

    def _nothing_at(self, path: str) -> str:
        hint = ", and this one has a slash too many" if "//" in path else ""
        return f"There is nothing at this path: the API is below {self._prefix}/apps/APP_ID{hint}"

    def _answer_app(
        self, method: str, path: str, query: str, app_name: str, rest: list[str], body: bytes
    ) -> Answer | LongAnswer:
        handler, wildcard = _handler_of(method, rest)
        app = self._node.apps.by_id_or_key(app_name)
        if app is None:
            raise NotFound(f"There is no app {app_name[:100]!r}")
        params = parse_query(query)
        # While keys are rotated, an app has several; a key of no app is refused by the check itself.
        key = params.get("auth_key", app.key)
        secret = app.secret_for(key)
        if secret is None:
            key, secret = app.key, app.secret
        verify_request(key, secret, method, path, params, body, self._clock())
        self._ensure_admitted(app)
        answer = handler(self._node, app, wildcard, params, body)
        return answer if isinstance(answer, LongAnswer) else json_answer(answer)

    def _ensure_admitted(self, app: App) -> None:
        """Raises ApiError unless the app takes one more request."""
        if not app.enabled:
            raise Forbidden("The app is disabled")
        self._ensure_within_rate(app)

    def _ensure_within_rate(self, app: App) -> None:
        """Raises TooManyRequests when the app's back ends come too often."""
        rate = app.limits.api_requests_per_second
        if not rate:
            return
        now = time.monotonic()
        bucket = self._buckets.get(app.id)
        if bucket is None or bucket.rate != rate:  # a reload may have changed it
            bucket = self._buckets[app.id] = TokenBucket(rate, now)
        if not bucket.take(now):
            self._node.stats(app).rate_limited += 1
            raise TooManyRequests(f"The app may make {rate} requests a second", limit="api_requests_per_second")


def _parts_of(path: str) -> list[str]:
    """The parts of a path. The id of a user is one of them, also where a client let its slashes stand as they are."""
    _, *parts = path.split("/")
    if len(parts) > 3:
        at = 2 if parts[0] == "apps" else 0
        if parts[at] == "users" and len(parts) > at + 3:
            parts[at + 1 : -1] = ["/".join(parts[at + 1 : -1])]
    return parts


def _app_name(parts: list[str], query: str) -> str:
    """The id or key of the app that a request is for; empty where the path names none."""
    match parts:
        case ["apps", name, *_]:
            return unquote(name)
        case ["users", _, "terminate_connections"]:
            # pusher-http-python leaves the app out of this one path (B): its key is in the query.
            return parse_query(query).get("auth_key", "")
        case _:
            return ""


_LABELS: Final = {shape: "/" + "/".join(shape) for shape in (*_ROUTES, ("up",), ("ready",))}


def _label(parts: list[str]) -> str:
    """The route of a path for the metrics: one of a few, whatever the path."""
    shape = _shape(parts[2:] if parts[:1] == ["apps"] else parts)
    return _LABELS.get(shape, "other")


def _shape(rest: list[str]) -> tuple[str, ...]:
    return tuple(rest) if len(rest) < 2 else (rest[0], _WILDCARD, *rest[2:])


def _handler_of(method: str, rest: list[str]) -> tuple[Handler, str]:
    """The handler of a path below an app, and the part of the path that stands for a wildcard. Raises ApiError."""
    route = _ROUTES.get(_shape(rest))
    if route is None:
        raise NotFound("There is nothing at this path of the API")
    allowed, handler = route
    if method != allowed:
        raise MethodNotAllowed(f"This path takes {allowed}, not {method[:20]}")
    return handler, unquote(rest[1]) if len(rest) > 1 else ""
