"""The opening handshake of a WebSocket (RFC 6455 4.2), as values: the head of a request in, the answer out.

Must not know sockets, or what the target means.
"""

import binascii
import hashlib
from collections.abc import Container, Mapping
from typing import Final

from msgspec import Struct

from relay.wire import deflate
from relay.wire.http import HttpError, text_response

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b%b\r\n"
)
_COMPRESSION: Final = f"Sec-WebSocket-Extensions: {deflate.RESPONSE}\r\n".encode()


class Opening(Struct, frozen=True):
    """A valid request to switch to WebSocket: who asks, and what `answer` needs to know."""

    origin: str | None
    accept: bytes
    extensions: bytes | None
    """What Sec-WebSocket-Extensions offers."""
    subprotocol: bytes | None = None
    """The one that is chosen of those offered."""

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


def asks_for_websocket(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the request wants to be upgraded to WebSocket."""
    return _names(headers.get(b"upgrade"), b"websocket") and _names(headers.get(b"connection"), b"upgrade")


def parse_opening(headers: Mapping[bytes, bytes], subprotocols: Container[bytes]) -> Opening:
    """What a request that asks for WebSocket says; of the subprotocols offered, one of `subprotocols` is chosen.

    Raises BadUpgrade.
    """
    if headers.get(b"sec-websocket-version") != b"13":
        raise BadUpgrade(text_response(426, "This server speaks WebSocket 13", {"Sec-WebSocket-Version": "13"}))
    key = headers.get(b"sec-websocket-key", b"")
    if not _is_nonce(key):
        raise BadUpgrade(text_response(400, "Sec-WebSocket-Key must be 16 bytes in base64"))
    origin = headers.get(b"origin")
    return Opening(
        None if origin is None else origin.decode("latin-1"),
        binascii.b2a_base64(hashlib.sha1(key + _GUID, usedforsecurity=False).digest(), newline=False),
        headers.get(b"sec-websocket-extensions"),
        _chosen(headers.get(b"sec-websocket-protocol"), subprotocols),
    )


def _chosen(offered: bytes | None, spoken: Container[bytes]) -> bytes | None:
    """The first of the subprotocols offered that is spoken here (4.2.2), None for no such one."""
    if offered is None:
        return None
    names = [name.strip(b" \t") for name in offered.split(b",")]
    return next((name for name in names if name in spoken), None)


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
