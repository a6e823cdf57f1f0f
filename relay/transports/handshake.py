"""The opening handshake of a WebSocket (RFC 6455 4.2), as values: the head of a request in, the answer out.

Must not know sockets, or more of the Pusher protocol than its address and its versions.
"""

import binascii
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from relay.protocol import deflate
from relay.protocol.http import HttpError, text_answer
from relay.protocol.session import SUPPORTED_PROTOCOLS
from relay.protocol.signatures import parse_query

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
# Targets that are remembered: the clients of an app ask for the same one (bench/, scenario "connections").
_KNOWN_TARGETS: Final = 256
# Where somebody looks for WebSockets: a path that ends as theirs does.
_WANTED: Final = re.compile(r"[^?]*app/[^/?]+(?:\?.*)?")
# Characters of a path that are told again.
_SHOWN: Final = 60
_SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b%b\r\n"
)
_COMPRESSION: Final = f"Sec-WebSocket-Extensions: {deflate.RESPONSE}\r\n".encode()
# What some clients offer, and then fail without: the versions of the Pusher protocol that are served.
_SUBPROTOCOLS: Final = frozenset(b"pusher-channels-protocol-%d" % version for version in SUPPORTED_PROTOCOLS)


class Upgrade(Struct, frozen=True):
    """A valid request to switch to WebSocket: where to, and what `answer` needs to know."""

    app_key: str
    protocol: str | None
    """The version of the Pusher protocol that the client asks for."""
    origin: str | None
    accept: bytes
    extensions: bytes | None
    """What Sec-WebSocket-Extensions offers."""
    misplaced: str | None = None
    """What is wrong with the path, where it is not one of WebSockets: the client is to be told after the upgrade."""
    subprotocol: bytes | None = None
    """The one that is chosen of those offered. It changes nothing: what the address says of the version counts."""

    @property
    def offers_compression(self) -> bool:
        """Whether messages may be compressed."""
        return self.extensions is not None and deflate.accepts(self.extensions.decode("latin-1"))

    def answer(self, *, is_compressed: bool) -> bytes:
        """The bytes that switch; with `is_compressed`, to messages that may be compressed."""
        subprotocol = b"" if self.subprotocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % self.subprotocol
        return _SWITCHING % (self.accept, subprotocol, _COMPRESSION if is_compressed else b"")


class BadUpgrade(HttpError):
    """The request cannot be upgraded."""


def forwarded_for(head: bytes) -> list[str]:
    """The X-Forwarded-For headers of a request's head, in their order."""
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return [value.decode("latin-1") for name, _, value in lines if name.lower() == b"x-forwarded-for"]


def parse_upgrade(prefix: str, target: str, headers: Mapping[bytes, bytes]) -> Upgrade | None:
    """The upgrade that the request asks for, None when it asks for none. Raises BadUpgrade.

    `prefix` is the path before the app's key, "/app/". A path that only looks like that is upgraded too: to client
    libraries a refused upgrade means that WebSocket is blocked (A1), and a page cannot read why.
    """
    if not (_names(headers.get(b"upgrade"), b"websocket") and _names(headers.get(b"connection"), b"upgrade")):
        return None
    misplaced = None if target.startswith(prefix) else _misplaced(target, prefix)
    if misplaced == "":
        return None
    if headers.get(b"sec-websocket-version") != b"13":
        raise BadUpgrade(text_answer(426, "This server speaks WebSocket 13", {"Sec-WebSocket-Version": "13"}))
    key = headers.get(b"sec-websocket-key", b"")
    if not _is_nonce(key):
        raise BadUpgrade(text_answer(400, "Sec-WebSocket-Key must be 16 bytes in base64"))
    app_key, protocol = _address_of(target, prefix)
    origin = headers.get(b"origin")
    accept = binascii.b2a_base64(hashlib.sha1(key + _GUID, usedforsecurity=False).digest(), newline=False)
    return Upgrade(
        app_key,
        protocol,
        None if origin is None else origin.decode("latin-1"),
        accept,
        headers.get(b"sec-websocket-extensions"),
        misplaced,
        _chosen(headers.get(b"sec-websocket-protocol")),
    )


def _misplaced(target: str, prefix: str) -> str:
    """What is wrong with a target that is not below `prefix`; empty when it has nothing to do with WebSockets."""
    if _WANTED.fullmatch(target) is None:
        return ""
    path = target.partition("?")[0]
    if "//" in path:
        hint = ": a slash too many, wsPath ends without one"
    elif "/app/" not in path:
        hint = ": a slash is missing, wsPath begins with one"
    else:
        hint = ", see wsPath"
    return f"WebSockets are at {prefix}KEY, not at {path[:_SHOWN]}{hint}"


@lru_cache(maxsize=_KNOWN_TARGETS)
def _address_of(target: str, prefix: str) -> tuple[str, str | None]:
    """The app's key and the protocol version in a target."""
    path, _, query = target.partition("?")
    return unquote(path.removeprefix(prefix)), parse_query(query).get("protocol")


def _chosen(offered: bytes | None) -> bytes | None:
    """The first of the subprotocols offered that is spoken here (4.2.2), None for no such one."""
    if offered is None:
        return None
    names = [name.strip(b" \t") for name in offered.split(b",")]
    return next((name for name in names if name in _SUBPROTOCOLS), None)


def _names(values: bytes | None, wanted: bytes) -> bool:
    """Whether a list of words, written in whatever case, has `wanted` in it (4.2.1)."""
    if values is None:
        return False
    values = values.lower()
    # Nearly all clients send nothing else; Firefox sends a list.
    return values == wanted or any(value.strip(b" \t") == wanted for value in values.split(b","))


def _is_nonce(key: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except binascii.Error:
        return False
