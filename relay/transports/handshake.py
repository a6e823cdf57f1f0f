"""The opening handshake of a WebSocket (RFC 6455 4.2), as values: the head of a request in, the answer out.

Must not know sockets or the Pusher protocol beyond where its address ends.
"""

import binascii
import hashlib
import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from relay.protocol import deflate
from relay.protocol.http import Answer, text_answer
from relay.protocol.signatures import parse_query

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
# Targets that are remembered: the clients of an app ask for the same one (bench/, scenario "connections").
_KNOWN_TARGETS: Final = 256
_VERSIONS: Final = frozenset({"HTTP/1.1", "HTTP/1.0"})
# RFC 9110 5.1, 5.5: no space before the colon, no control characters, and no line that goes on in the next one.
_HEADERS: Final = re.compile(rb"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*)*")
_SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
)
_COMPRESSION: Final = f"Sec-WebSocket-Extensions: {deflate.RESPONSE}\r\n".encode()


class Upgrade(Struct, frozen=True):
    """A valid request to switch to WebSocket: where to, and what `answer` needs to know."""

    app_key: str
    protocol: str | None
    """The version of the Pusher protocol that the client asks for."""
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
    """The target and the headers (names in lower case, the values of a repeated one joined by commas) of a request's head.

    Raises ValueError when the head is no HTTP/1.
    """
    request_line, *lines = head.split(b"\r\n")
    _, target, version = request_line.decode("ascii").split(" ")
    if version not in _VERSIONS:
        raise ValueError("another HTTP")
    if _HEADERS.fullmatch(head, len(request_line)) is None:
        raise ValueError("a line that is no header")
    pairs = [line.split(b":", 1) for line in lines]
    headers = {name.lower(): value.strip() for name, value in pairs}
    if len(headers) < len(pairs):
        headers = _joined(pairs)
    if version == "HTTP/1.0":
        headers.pop(b"upgrade", None)  # RFC 9110 7.8: is ignored there
    return target, headers


def _joined(pairs: list[list[bytes]]) -> dict[bytes, bytes]:
    """Headers of which some are repeated (RFC 9110 5.3). What may stand there once is valid no more, with a comma in it."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        key, text = name.lower(), value.strip()
        headers[key] = headers[key] + b", " + text if key in headers else text
    return headers


def forwarded_for(head: bytes) -> list[str]:
    """The X-Forwarded-For headers of a request's head, in their order."""
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return [value.decode("latin-1") for name, _, value in lines if name.lower() == b"x-forwarded-for"]


def parse_upgrade(prefix: str, target: str, headers: dict[bytes, bytes]) -> Upgrade | None:
    """The upgrade that the request asks for, None when it asks for none. Raises BadUpgrade.

    `prefix` is the path before the app's key, "/app/".
    """
    if not (_names(headers.get(b"upgrade"), b"websocket") and _names(headers.get(b"connection"), b"upgrade")):
        return None
    if headers.get(b"sec-websocket-version") != b"13":
        raise BadUpgrade(text_answer(426, "This server speaks WebSocket 13", {"Sec-WebSocket-Version": "13"}))
    host = headers.get(b"host")
    if host is None or b"," in host:
        raise BadUpgrade(text_answer(400, "A request has one Host"))  # RFC 9112 3.2
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
    )


@lru_cache(maxsize=_KNOWN_TARGETS)
def _address_of(target: str, prefix: str) -> tuple[str, str | None]:
    """The app's key and the protocol version in a target."""
    path, _, query = target.partition("?")
    return unquote(path.removeprefix(prefix)), parse_query(query).get("protocol")


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
