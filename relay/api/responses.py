"""Answers of the HTTP API: JSON bodies, and the one place where errors become statuses.

ApiError
├── NotFound, MethodNotAllowed, Forbidden, BodyTooLarge, RequestTimeout, TooManyRequests, UpgradeRequired
├── ServiceUnavailable, OutcomeUnknown: the other nodes cannot be reached
└── made from the protocol's own exceptions by `status_of`
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import ClassVar, TypeVar

from relay.cluster.bus import Accepted, Outcome, Unavailable
from relay.protocol.errors import ProtocolError
from relay.protocol.requests import BadRequest, TooLarge
from relay.protocol.signatures import RequestUnsigned
from relay.wire import halves
from relay.wire.http import NO_HEADERS, Response
from relay.wire.later import Later

T = TypeVar("T")


class ApiError(Exception):
    """A request that cannot be served: the HTTP `status` and a text for the developer on the other side."""

    status = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, message: str, *, limit: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        # The name of the limit that was passed, if it was one: see ProtocolError.
        self.limit = limit


class NotFound(ApiError):
    """No such path or app."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(ApiError):
    """The path exists, with another method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class Forbidden(ApiError):
    """The app may not do this."""

    status = HTTPStatus.FORBIDDEN


class UpgradeRequired(ApiError):
    """The path is for WebSockets."""

    status = HTTPStatus.UPGRADE_REQUIRED


class TooManyRequests(ApiError):
    """The app's back ends are over their rate."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar = {"Retry-After": "1"}


class BodyTooLarge(ApiError):
    """The body is over the limit of all requests."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class RequestTimeout(ApiError):
    """The body did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class ServiceUnavailable(ApiError):
    """The other nodes cannot be reached, and nothing has happened."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar = {"Retry-After": "1"}


class OutcomeUnknown(ApiError):
    """The other nodes cannot be reached, or not all of them, and something may have happened."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


# The body of an answer that takes long to make: see LongResponse.
Parts = Iterator[bytes | Later[bytes]]

# What a handler has for an answer, and what it returns: it may come later.
Done = Response | Parts
Handled = Done | Later[Done]


def ensure_published(outcome: Outcome) -> Accepted:
    """Raises ServiceUnavailable or OutcomeUnknown unless the cluster has what was published."""
    match outcome:
        case Accepted():
            return outcome
        case Unavailable(is_unknown=False):
            raise ServiceUnavailable(f"{outcome.reason}: nobody got it, send it again")
        case Unavailable():
            text = f"{outcome.reason}: it may have been published, repeat it with an idempotency_key"
            raise OutcomeUnknown(text)


def ensure_done(outcome: Outcome) -> None:
    """Raises ServiceUnavailable or OutcomeUnknown unless all nodes do what they were told to."""
    if isinstance(outcome, Unavailable):
        if outcome.is_unknown:
            raise OutcomeUnknown(f"{outcome.reason}: it may have been done, send it again")
        raise ServiceUnavailable(f"{outcome.reason}: nothing was done, send it again")


def ensure_known(answer: T | Unavailable) -> T:
    """Raises ServiceUnavailable in the place of an answer that nobody has."""
    if isinstance(answer, Unavailable):
        raise ServiceUnavailable(f"{answer.reason}: nobody knows now, ask again")
    return answer


def json_response(body: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] = NO_HEADERS) -> Response:
    """`body` as JSON."""
    return Response(int(status), halves.dumps(body), headers=headers)


def error_response(error: ApiError | ProtocolError) -> Response:
    """The answer to a request that failed: {"error": text, "code": status}, and where one event of a batch is at fault, its
    place, from 0, as "event"."""
    match error:
        case ApiError():
            status, message, headers = int(error.status), error.message, error.headers
        case ProtocolError():
            status, message, headers = status_of(error), error.message, {}
    body: dict[str, object] = {"error": message, "code": status}
    if isinstance(error, (BadRequest, TooLarge)) and error.event is not None:
        body["event"] = error.event
    return json_response(body, status, headers)


def status_of(error: ProtocolError) -> int:
    """The HTTP status of a broken rule."""
    match error:
        case RequestUnsigned():
            return HTTPStatus.UNAUTHORIZED
        case TooLarge():
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case BadRequest():
            return HTTPStatus.BAD_REQUEST
        case _:
            raise TypeError(f"{type(error).__name__} has no HTTP status") from error
