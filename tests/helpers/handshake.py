"""The opening handshake of RFC 6455 1.3, as a client begins it."""

from typing import Final

KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT: Final = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
HEADERS: Final = {
    b"host": b"relay:6001",
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": KEY,
}


def headers_with(changes: dict[str, bytes | None]) -> dict[bytes, bytes]:
    """The headers, with these in the place of the same, named with underscores; None takes one away."""
    headers = HEADERS | {name.replace("_", "-").encode(): value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}
