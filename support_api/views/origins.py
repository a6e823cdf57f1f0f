"""Which site's page sent a request, and what follows: the defence against cross-site requests, and CORS.

A page of another site never acts with our cookies: for its requests they count as absent. Must not know what a call does.
"""

from collections.abc import Mapping
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from pushdesk.origins import authority_of
from support_api.errors import ForeignOrigin
from support_api.views.desk import CALLERS, DESK, Callers
from support_api.views.responses import refusal_of

# How long a browser may keep the answer to a preflight request.
PREFLIGHT_SECONDS: Final = 7200

STATIC_PREFIX: Final = "/client_js/"

_log = structlog.get_logger("support_api.http")

_CHANGES_NOTHING: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


def is_foreign(request: web.Request) -> bool:
    """Whether a page of another origin sent the request.

    Only host and port are compared: behind a proxy that ends TLS this process does not know its own scheme. Where the
    browser says itself how the sites are related (Sec-Fetch-Site), that counts too.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    relation = request.headers.get("Sec-Fetch-Site")
    if origin is None:
        return relation == "cross-site"
    return authority_of(origin) != request.host.lower() or relation not in (None, "same-origin", "none")


@web.middleware
async def guard_origins(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what another site's page may not do, and tells browsers what it may."""
    callers = _callers_of(request)
    headers = _cors_headers(request, callers)
    if _is_preflight(request) and not _is_unknown(request):
        return web.Response(status=204, headers=headers) if headers else _refuse(request)
    if request.method not in _CHANGES_NOTHING and is_foreign(request) and not headers:
        return _refuse(request)
    response = await handler(request)
    response.headers.update(headers)
    return response


def _refuse(request: web.Request) -> web.Response:
    origin = request.headers.get(hdrs.ORIGIN)
    shown = origin if origin is None or origin.isprintable() else ascii(origin)
    _log.info("origin_refused", origin=shown, method=request.method, path=request.rel_url.raw_path)
    return refusal_of(ForeignOrigin())


def _callers_of(request: web.Request) -> Callers:
    if request.path.startswith(STATIC_PREFIX):
        return Callers.ANY
    return request.app[CALLERS].get(request.path, Callers.OWN)


def _cors_headers(request: web.Request, callers: Callers) -> Mapping[str, str]:
    origin = request.headers.get(hdrs.ORIGIN)
    if callers is Callers.ANY:
        return {str(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN): "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    if callers is Callers.OWN or origin is None or not is_foreign(request) or not _is_allowed(request, origin):
        return {}
    headers: dict[str, str] = {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.VARY: hdrs.ORIGIN}
    if _is_preflight(request):
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "authorization, content-type"
        headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET, POST"
        headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_SECONDS)
    return headers


def _is_allowed(request: web.Request, origin: str) -> bool:
    return request.app[DESK].origins.allows(origin)


def _is_preflight(request: web.Request) -> bool:
    return request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers


def _is_unknown(request: web.Request) -> bool:
    return isinstance(request.match_info.http_exception, web.HTTPNotFound)
