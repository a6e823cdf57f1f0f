"""Who called and how, where a reverse proxy stands between. Only what a trusted proxy says of its own caller counts."""

from aiohttp import hdrs, web

from pushdesk.addresses import is_trusted, requester, site_of
from support_api.views.desk import DESK


def address_of(request: web.Request) -> str:
    """The address that the request comes from."""
    return requester(request, request.app[DESK].settings.trusted_proxies)


def network_of(request: web.Request) -> str:
    """What the request comes from counts as in a limit: its IPv4 address, or the /64 network of its IPv6 address."""
    return site_of(address_of(request))


def is_secure(request: web.Request) -> bool:
    """Whether the browser called by https."""
    if request.secure:
        return True
    return is_trusted(request.remote, request.app[DESK].settings.trusted_proxies) and (
        request.headers.get(hdrs.X_FORWARDED_PROTO, "").strip().lower() == "https"
    )
