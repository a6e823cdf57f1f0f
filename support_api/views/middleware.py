"""What happens around every handler: refusals become JSON, answers get their security headers. Knows no call's meaning."""

from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from pushdesk.http_server import SlowBody, has_left
from support_api.errors import LoginsBusy, SupportError, TooMany, TooManyOpen
from support_api.views.desk import DESK
from support_api.views.proxies import address_of
from support_api.views.responses import refusal, refusal_of

# For answers that are not pages.
NO_CONTENT_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"

_log = structlog.get_logger("support_api.http")


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The one place where exceptions become answers. A bug is logged with its traceback and answered without detail."""
    try:
        return await handler(request)
    except SupportError as error:
        if isinstance(error, (TooMany, TooManyOpen, LoginsBusy)):
            what = {"method": request.method, "path": request.rel_url.raw_path, "code": error.code}
            _log.info("refused_for_now", address=address_of(request), **what)
        return refusal_of(error)
    except web.HTTPException as error:
        return _plain_refusal(error)
    except Exception as error:
        if has_left(request, error):
            raise  # nobody is there to be answered
        _log.exception("handler_has_a_bug", method=request.method, path=request.rel_url.raw_path)
        return refusal(500, "internal_error", "Something went wrong on our side; try again.")


@web.middleware
async def add_security_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells browsers what our answers may never do."""
    response = await handler(request)
    is_page = response.content_type == "text/html"
    relay_url = request.app[DESK].settings.browser_relay_url
    response.headers["Content-Security-Policy"] = page_policy(relay_url) if is_page else NO_CONTENT_POLICY
    response.headers["Server"] = "Pushdesk"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def page_policy(relay_url: str) -> str:
    """The Content-Security-Policy of our pages: our own scripts and styles, and connections to us and the relay."""
    parts = urlsplit(relay_url)
    socket_scheme = "wss" if parts.scheme == "https" else "ws"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {socket_scheme}://{parts.netloc} {parts.scheme}://{parts.netloc}",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _plain_refusal(error: web.HTTPException) -> web.StreamResponse:
    match error:
        case SlowBody():
            return refusal(error.status, "too_slow", f"{error.reason}; send it again.")
        case web.HTTPNotFound():
            return refusal(404, "not_found", "There is nothing at this address.")
        case web.HTTPMethodNotAllowed():
            answer = refusal(405, "method_not_allowed", f"Use {', '.join(sorted(error.allowed_methods))} here.")
            answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
            return answer
    return refusal(error.status, "refused", error.reason)
