"""Who may use the console: the one place where that is decided, for every path.

With a password, whoever knows it. Without one, browsers and programs of this machine that ask for it by a name of this
machine: neither what a proxy here brings from outside, nor a page whose site's name was pointed here (DNS rebinding).
Must not know what is asked for.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from pushdesk.addresses import hostname_of, is_loopback, site_of
from pushdesk.origins import authority_of

# Wrong passwords from one address in a window (seconds); after that even the right one is refused until it is over.
FAILURES: Final = 10
FAILURE_WINDOW: Final = 60.0
# Addresses whose failures are remembered; for a new one, the one that failed longest ago is forgotten.
ADDRESSES: Final = 1_024

# What a proxy adds, besides everything that begins with X-Forwarded-. Through it, everybody's requests would come from this
# machine.
FORWARDING: Final = frozenset(
    {
        "cdn-loop",
        "cf-connecting-ip",
        "cf-ray",
        "client-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-amzn-trace-id",
        "x-azure-clientip",
        "x-client-ip",
        "x-cloud-trace-context",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-original-forwarded-for",
        "x-original-host",
        "x-original-uri",
        "x-original-url",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-scheme",
    }
)
_FORWARDED: Final = "x-forwarded-"

_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Relay console", charset="UTF-8"'}
_JSON: Final = "application/json"
_LOCAL_ONLY: Final = "Without a console_password the console is for this machine alone: "
_REMEDY: Final = ". Set console_password (RELAY_CONSOLE_PASSWORD), or come through an SSH tunnel."


class Denied(Exception):
    """The request is not served: the HTTP `status`, a text for the person who sent it, and headers of the answer."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = headers or {}


class Access:
    """Lets requests in, or raises Denied. `password` empty: none is asked for."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        # Address → when its first failure was, and how many there were since; the newest last.
        self._failures: dict[str, tuple[float, int]] = {}

    def check(
        self, method: str, path: str, address: str, headers: Mapping[str, str], now: float, *, is_old: bool = False
    ) -> None:
        """Let a request of the client at `address` in at `now` (seconds, monotonic). Raises Denied.

        `headers` are found by their names in any case. `is_old`: the request is HTTP/1.0.
        """
        if path != "/":
            # A link to the page may stand anywhere; what the page fetches, only the page may fetch.
            _ensure_own_page(headers)
        if self._password:
            self._ensure_password(address, headers, now)
        else:
            _ensure_this_machine(address, headers, is_old=is_old)
        if method not in {"GET", "HEAD"}:
            _ensure_intended(headers, is_behind_proxy=bool(self._password))

    def _ensure_password(self, address: str, headers: Mapping[str, str], now: float) -> None:
        given = headers.get("Authorization")
        if given is None:
            raise Denied(HTTPStatus.UNAUTHORIZED, "The console asks for its password, with any user name", _CHALLENGE)
        caller = site_of(address)
        since, count = self._failures.get(caller, (now, 0))
        if now - since >= FAILURE_WINDOW:
            since, count = now, 0
        if count >= FAILURES:
            wait = FAILURE_WINDOW - (now - since)
            text = f"{FAILURES} wrong passwords came from this address: wait for {wait:.0f} s"
            raise Denied(HTTPStatus.TOO_MANY_REQUESTS, text, {"Retry-After": f"{wait:.0f}"})
        if not hmac.compare_digest(_password_of(given), self._password):
            self._failures.pop(caller, None)
            self._failures[caller] = since, count + 1
            if len(self._failures) > ADDRESSES:
                del self._failures[next(iter(self._failures))]
            raise Denied(HTTPStatus.UNAUTHORIZED, "This is not the console's password", _CHALLENGE)


def _ensure_this_machine(address: str, headers: Mapping[str, str], *, is_old: bool) -> None:
    """Raises Denied unless the request was made on this machine, for this machine."""
    if not is_loopback(address):
        raise Denied(HTTPStatus.FORBIDDEN, f"{_LOCAL_ONLY}this request came from {address}{_REMEDY}")
    if is_old:
        # What nginx says by itself: with nothing but proxy_pass, this is all that tells its requests from a browser's.
        text = "this request came by HTTP/1.0, as proxies send it and browsers do not"
        raise Denied(HTTPStatus.FORBIDDEN, f"{_LOCAL_ONLY}{text}{_REMEDY}")
    proxies = [name for name in headers if name.lower() in FORWARDING or name.lower().startswith(_FORWARDED)]
    if proxies:
        text = f"this request came through a proxy, which sent {', '.join(proxies)}"
        raise Denied(HTTPStatus.FORBIDDEN, f"{_LOCAL_ONLY}{text}{_REMEDY}")
    host = headers.get("Host", "")
    if not is_loopback(hostname_of(host)):
        text = f"this request was for {host[:100]!r}, not for localhost or 127.0.0.1"
        raise Denied(HTTPStatus.FORBIDDEN, f"{_LOCAL_ONLY}{text}{_REMEDY}")


def _ensure_own_page(headers: Mapping[str, str]) -> None:
    """Raises Denied when a browser says that another site's page makes it ask."""
    if headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        raise Denied(HTTPStatus.FORBIDDEN, "Only the console's own page may ask for this")


def _ensure_intended(headers: Mapping[str, str], *, is_behind_proxy: bool) -> None:
    """Raises Denied unless the console's own page sends this: what no other page can make a browser send (CSRF).

    `is_behind_proxy`: it may be, and Host then differ from what the browser sees.
    """
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != _JSON:
        raise Denied(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {_JSON}")
    if is_behind_proxy and headers.get("Sec-Fetch-Site") == "same-origin":
        return  # a browser's word, which no page can change
    if authority_of(headers.get("Origin")) != headers.get("Host", "-").lower():
        raise Denied(HTTPStatus.FORBIDDEN, "Only the console's own page may send this: Origin is not the one of Host")


def _password_of(authorization: str) -> bytes:
    """The password of a Basic authorization (RFC 7617); empty for anything else, which is never right."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
