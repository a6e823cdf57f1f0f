"""Who called and how, where a reverse proxy stands between. Only what a trusted proxy says of its own caller counts."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import hdrs, web

from support_api.config import Network
from support_api.views.desk import DESK


def address_of(request: web.Request) -> str:
    """The address that the request comes from."""
    forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
    return client_address(request.remote, forwarded, request.app[DESK].settings.trusted_proxies)


def is_secure(request: web.Request) -> bool:
    """Whether the browser called by https."""
    if request.secure:
        return True
    peer = _parse(request.remote or "")
    return _is_trusted(peer, request.app[DESK].settings.trusted_proxies) and (
        request.headers.get(hdrs.X_FORWARDED_PROTO, "").strip().lower() == "https"
    )


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last address that is no trusted proxy's: each proxy appends whom it was called by, the first ones anybody can
    have made up. `forwarded`: the X-Forwarded-For headers in their order."""
    address = _parse(peer or "")
    if address is None or not _is_trusted(address, trusted):
        return peer or "unknown"
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    for hop in reversed(hops):
        before = _parse(hop)
        if before is None:
            break
        address = before
        if not _is_trusted(address, trusted):
            break
    return str(address)


def _is_trusted(address: IPv4Address | IPv6Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 caller of a socket that listens on IPv6 too.
    return getattr(address, "ipv4_mapped", None) or address
