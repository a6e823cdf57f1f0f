"""Answers of the HTTP API: JSON bodies, and the one place where errors become statuses.

ApiError
├── NotFound, MethodNotAllowed, Forbidden, RequestTimeout, UpgradeRequired
└── made from the protocol's own exceptions by `status_of`
"""

from http import HTTPStatus

import orjson
from aiohttp import web

from relay.protocol.errors import ProtocolError
from relay.protocol.requests import BadRequest, TooLarge
from relay.protocol.signatures import RequestUnsigned

_JSON = "application/json"


class ApiError(Exception):
    """A request that cannot be served: the HTTP `status` and a text for the developer on the other side."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(ApiError):
    """No such path or app."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(ApiError):
    """The path exists, with another method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class Forbidden(ApiError):
    """The app may not do this."""

    status = HTTPStatus.FORBIDDEN


class RequestTimeout(ApiError):
    """The body did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class UpgradeRequired(ApiError):
    """The path is for WebSockets."""

    status = HTTPStatus.UPGRADE_REQUIRED


def json_response(body: object, status: int = HTTPStatus.OK) -> web.Response:
    """`body` as JSON."""
    return web.Response(body=orjson.dumps(body), status=status, content_type=_JSON)


def error_response(error: ApiError | ProtocolError | web.HTTPException) -> web.Response:
    """The answer to a request that failed: {"error": text, "code": status}."""
    match error:
        case ApiError():
            status, message = int(error.status), error.message
        case ProtocolError():
            status, message = status_of(error), error.message
        case web.HTTPException():
            status, message = error.status, error.reason
    return json_response({"error": message, "code": status}, status)


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
