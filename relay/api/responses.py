"""Answers of the HTTP API: JSON bodies, and the one place where errors become statuses.

ApiError
├── NotFound, MethodNotAllowed, Forbidden, RequestTimeout, TooManyRequests
└── made from the protocol's own exceptions by `status_of`
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

import orjson
from aiohttp import web

from relay.protocol.errors import ProtocolError
from relay.protocol.requests import BadRequest, TooLarge
from relay.protocol.signatures import RequestUnsigned

_JSON = "application/json"


class ApiError(Exception):
    """A request that cannot be served: the HTTP `status` and a text for the developer on the other side."""

    status = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {}

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


class TooManyRequests(ApiError):
    """The app's back ends are over their rate."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar = {"Retry-After": "1"}


class RequestTimeout(ApiError):
    """The body did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


def json_response(body: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> web.Response:
    """`body` as JSON."""
    return web.Response(body=orjson.dumps(body), status=status, content_type=_JSON, headers=headers)


def error_response(error: ApiError | ProtocolError | web.HTTPException) -> web.Response:
    """The answer to a request that failed: {"error": text, "code": status}."""
    headers = None
    match error:
        case ApiError():
            status, message, headers = int(error.status), error.message, error.headers
        case ProtocolError():
            status, message = status_of(error), error.message
        case web.HTTPException():
            status, message = error.status, error.reason
    return json_response({"error": message, "code": status}, status, headers)


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
