"""Makes answers: JSON, and the one shape that every refusal has. Knows no call's meaning."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from support_api.errors import SupportError


def json_answer(value: Mapping[str, object], status: int = 200) -> web.Response:
    """A JSON object. It is about one caller, so nobody keeps it."""
    return web.Response(
        body=orjson.dumps(value), status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def refusal(status: int, code: str, message: str, field: str | None = None) -> web.Response:
    """A refusal: `code` is for programs, `message` says to people what to do."""
    error = {"code": code, "message": message}
    if field is not None:
        error["field"] = field
    return json_answer({"error": error}, status)


def refusal_of(error: SupportError) -> web.Response:
    """The answer to a request that the desk refuses."""
    answer = refusal(error.status, error.code, str(error), error.field)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer
