"""Where a client is: the address that logs and limits name, also behind reverse proxies that are trusted.

Must not know settings or what an address is used for.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

Network = IPv4Network | IPv6Network

UNKNOWN: Final = "unknown"
# The host part of an IPv6 address is the client's to choose, a thousand times a second. Bits of the network.
_IPV6_SITE: Final = 64
# Some proxies, Azure's among them, append the port of their caller; others put IPv6 into brackets.
_WITH_PORT: Final = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks, 127.0.0.1 and 10.0.0.0/8. Raises ValueError."""
    return tuple([ip_network(text) for text in texts])


def peer_of(transport: asyncio.BaseTransport) -> str | None:
    """The address of the other side of a connection; None when the system does not know it any more."""
    name = transport.get_extra_info("peername")
    return name[0] if name else None


def requester(request: web.BaseRequest, trusted: Sequence[Network]) -> str:
    """The address of the client that made an HTTP request."""
    return client_address(request.remote, request.headers.getall("X-Forwarded-For", ()), trusted)


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last address that is not a trusted proxy's: each proxy appends whom it was called by, the first ones anybody can
    have made up. `forwarded`: the X-Forwarded-For headers in their order."""
    address = _parse(peer or "") if trusted else None
    if address is None or not _is_trusted(address, trusted):
        return peer or UNKNOWN
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    for hop in reversed(hops):
        before = _parse_hop(hop)
        if before is None:
            break
        address = before
        if not _is_trusted(address, trusted):
            break
    return str(address)


def site_of(address: str) -> str:
    """What counts as one client in a limit: an IPv4 address, or the /64 network that an IPv6 address is in."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, _IPV6_SITE), strict=False))
    return address if parsed is None else str(parsed)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine, seen from itself: nobody else reaches what listens there."""
    address = _parse(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def hostname_of(host: str) -> str:
    """The name in a Host header, without the port; empty when it is not a Host header."""
    try:
        return urlsplit(f"//{host}").hostname or "" if not set(host) & set("/?#@\\") else ""
    except ValueError:
        return ""


def is_trusted(peer: str | None, trusted: Sequence[Network]) -> bool:
    """Whether the other side of a connection is one of the trusted proxies."""
    address = _parse(peer or "")
    return address is not None and _is_trusted(address, trusted)


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of a socket that listens on IPv6 too.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _parse_hop(text: str) -> IPv4Address | IPv6Address | None:
    address = _parse(text)
    if address is None and (match := _WITH_PORT.fullmatch(text)):
        return _parse(match[1] or match[2])
    return address


class AddressCounts:
    """Open connections by where they come from. Holds only those that were entered."""

    __slots__ = ("_counts", "_site_of")

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._site_of: dict[str, str] = {}

    def count(self, address: str) -> int:
        """How many connections come from where `address` is."""
        return self._counts[site_of(address)]

    def enter(self, socket_id: str, address: str) -> None:
        """Count a connection."""
        site = self._site_of[socket_id] = site_of(address)
        self._counts[site] += 1

    def leave(self, socket_id: str) -> None:
        """Stop counting it, if it was counted."""
        site = self._site_of.pop(socket_id, None)
        if site is None:
            return
        self._counts[site] -= 1
        if not self._counts[site]:
            del self._counts[site]
