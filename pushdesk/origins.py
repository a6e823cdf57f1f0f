"""Origins of pages: the entries of a setting that lists them, and whether a request's Origin is on the list.

Entries come from people who set up a server: what cannot be understood raises. An Origin comes from a stranger: any text is
looked at, and none raises. Must not know what is allowed to whom.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final, NamedTuple

ANY: Final = "*"
NO_ORIGIN: Final = "-"
EXPECTED: Final = (
    "origins such as https://shop.example, shop.example for any scheme and port, *.shop.example for what is below it, "
    "* for all, - for clients that name none"
)

# What pages are shown by, with the port that a browser leaves out: servers, apps made of pages, browsers' extensions.
_SCHEMES: Final[dict[str, int | None]] = {
    "https": 443,
    "http": 80,
    "capacitor": None,
    "ionic": None,
    "tauri": None,
    "chrome-extension": None,
    "moz-extension": None,
    "safari-web-extension": None,
}
_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/?#@:\\\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_MAX_HOST: Final = 253
_MAX_PORT: Final = 65_535


class BadOrigin(ValueError):
    """An entry of a list that no Origin could ever match. The text names it, and what is wrong with it."""


class _Origin(NamedTuple):
    """The parts of an origin; `port` is None where it is the usual one of the scheme."""

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" + ("" if self.port is None else f":{self.port}")


class Origins:
    """A list of origins, understood once. `entries` are as they are compared: in lower case, without a usual port."""

    __slots__ = ("_below", "_exact", "_hosts", "entries")

    def __init__(self, entries: Iterable[str]) -> None:
        """Raises BadOrigin."""
        self._exact: set[_Origin] = set()
        self._hosts: set[str] = set()
        self.entries = tuple([self._add(entry) for entry in entries])
        self._below = tuple([entry[1:] for entry in self.entries if entry.startswith("*.")])

    def allows(self, origin: str | None) -> bool:
        """Whether the list has the `Origin` header of a request on it; None for a request without one."""
        if ANY in self.entries:
            return True
        if origin is None:
            return NO_ORIGIN in self.entries
        parsed = _parse(origin)
        if parsed is None:
            return False
        return parsed in self._exact or parsed.host in self._hosts or parsed.host.endswith(self._below)

    def _add(self, entry: str) -> str:
        if entry in (ANY, NO_ORIGIN):
            return entry
        if "://" in entry:
            origin = _parse_entry(entry)
            self._exact.add(origin)
            return str(origin)
        below = entry.startswith("*.")
        host = _host(entry[2:] if below else entry)
        if host is None:
            raise BadOrigin(_fault(entry))
        if not below:
            self._hosts.add(host)
        return f"*.{host}" if below else host


def authority_of(origin: str | None) -> str | None:
    """The host of an Origin header, with its port if it names one, in lower case; None for anything else."""
    parsed = None if origin is None else _ORIGIN.fullmatch(origin.lower())
    return None if parsed is None else parsed[2] + ("" if parsed[3] is None else f":{parsed[3]}")


def _parse(text: str) -> _Origin | None:
    """The parts of an origin (RFC 6454 6.2); None for any other text, also for "null"."""
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, digits = match.groups()
    port = None if digits is None else int(digits)
    if port is not None and port > _MAX_PORT:
        return None
    address = _address(host)
    return None if address is None else _Origin(scheme, address, None if port == _SCHEMES.get(scheme) else port)


def _parse_entry(entry: str) -> _Origin:
    origin = _parse(entry.removesuffix("/"))
    if origin is None or _host(origin.host) is None:
        raise BadOrigin(_fault(entry))
    if origin.scheme not in _SCHEMES:
        raise BadOrigin(f"{entry!r} has none of the schemes {', '.join(_SCHEMES)}")
    return origin


def _address(host: str) -> str | None:
    """`host`, an address of IPv6 in its shortest form; None for brackets around anything else."""
    if not host.startswith("["):
        return host
    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        return None


def _host(text: str) -> str | None:
    """The host of an entry in lower case, None for what is none; "null" is the Origin of pages that hide theirs."""
    host = text.lower()
    if host.startswith("[") and host.endswith("]"):
        return _address(host)
    return host if _HOST.fullmatch(host) and len(host) <= _MAX_HOST and host != "null" else None


def _fault(entry: str) -> str:
    if not entry.isascii():
        return f"{entry!r} is not written as browsers send it: xn--…"
    return f"{entry!r} is not an origin: scheme, host and port without a path, or a host alone"
