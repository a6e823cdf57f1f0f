"""The opening handshake of a WebSocket (RFC 6455 4.2), as values: the head of a request in, the answer out.

Must not know sockets or the Pusher protocol beyond where its address ends.
"""

import binascii
import hashlib
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from relay.protocol import deflate
from relay.protocol.http import Answer, text_answer
from relay.protocol.signatures import parse_query

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
)
_COMPRESSION: Final = f"Sec-WebSocket-Extensions: {deflate.RESPONSE}\r\n".encode()


class Upgrade(Struct, frozen=True):
    """A valid request to switch to WebSocket: where to, and what `answer` needs to know."""

    app_key: str
    params: dict[str, str]
    origin: str | None
    accept: bytes
    extensions: bytes | None
    """What Sec-WebSocket-Extensions offers."""

    @property
    def offers_compression(self) -> bool:
        """Whether messages may be compressed."""
        return self.extensions is not None and deflate.accepts(self.extensions.decode("latin-1"))

    def answer(self, *, is_compressed: bool) -> bytes:
        """The bytes that switch; with `is_compressed`, to messages that may be compressed."""
        return _SWITCHING % (self.accept, _COMPRESSION if is_compressed else b"")


class BadUpgrade(Exception):
    """The request cannot be upgraded; `answer` is the HTTP response."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def parse_head(head: bytes) -> tuple[str, dict[bytes, bytes]]:
    """The target and the headers (names in lower case, the first of a repeated one) of a request's head.

    Raises ValueError when the head is no HTTP.
    """
    request_line, *lines = head.split(b"\r\n")
    _, target, _ = request_line.decode("ascii").split(" ")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("a header without a colon")
        headers.setdefault(name.lower(), value.strip())
    return target, headers


def forwarded_for(head: bytes) -> list[str]:
    """The X-Forwarded-For headers of a request's head, in their order."""
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return [value.decode("latin-1") for name, _, value in lines if name.lower() == b"x-forwarded-for"]


def parse_upgrade(prefix: str, target: str, headers: dict[bytes, bytes]) -> Upgrade | None:
    """The upgrade that the request asks for, None when it asks for none. Raises BadUpgrade.

    `prefix` is the path before the app's key, "/app/".
    """
    if (
        headers.get(b"upgrade", b"").lower() != b"websocket"
        or b"upgrade" not in headers.get(b"connection", b"").lower()
    ):
        return None
    if headers.get(b"sec-websocket-version") != b"13":
        raise BadUpgrade(text_answer(426, "This server speaks WebSocket 13", {"Sec-WebSocket-Version": "13"}))
    key = headers.get(b"sec-websocket-key", b"")
    if not _is_nonce(key):
        raise BadUpgrade(text_answer(400, "Sec-WebSocket-Key must be 16 bytes in base64"))
    path, _, query = target.partition("?")
    accept = binascii.b2a_base64(hashlib.sha1(key + _GUID, usedforsecurity=False).digest(), newline=False)
    return Upgrade(
        unquote(path.removeprefix(prefix)),
        parse_query(query),
        _origin(headers),
        accept,
        headers.get(b"sec-websocket-extensions"),
    )


def _origin(headers: dict[bytes, bytes]) -> str | None:
    origin = headers.get(b"origin")
    return None if origin is None else origin.decode("latin-1")


def _is_nonce(key: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except binascii.Error:
        return False
