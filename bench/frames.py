"""WebSocket frames (RFC 6455) as a client sends and gets them. Frames to send are made before the clock starts."""

import json
from collections.abc import Iterator
from typing import Final

TEXT: Final = 0x1
CLOSE: Final = 0x8

# A mask must be there; that it never changes is the generator's own business.
_MASK: Final = b"\x37\xfa\x21\x3d"


def client_frame(payload: bytes) -> bytes:
    """A whole masked text frame of at most 65,535 bytes."""
    length = len(payload)
    head = bytes((0x81, 0x80 | length)) if length < 126 else bytes((0x81, 0xFE)) + length.to_bytes(2)
    mask = (_MASK * (length // 4 + 1))[:length]
    return head + _MASK + (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(length)


def message(event: str, data: object, channel: str | None = None) -> bytes:
    """The frame of a Pusher message."""
    body = {"event": event, "data": data} if channel is None else {"event": event, "channel": channel, "data": data}
    return client_frame(json.dumps(body, separators=(",", ":")).encode())


def subscribe(channel: str, auth: str = "", channel_data: str | None = None) -> bytes:
    """The frame that asks for a subscription."""
    data = {"channel": channel, "auth": auth}
    return message("pusher:subscribe", data if channel_data is None else {**data, "channel_data": channel_data})


def split(data: bytes | bytearray, at: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Each whole frame of a server from `at` on: its opcode, its payload, and where it ends."""
    while len(data) - at >= 2:
        length, start = data[at + 1] & 0x7F, at + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            if len(data) - start < width:
                return
            length = int.from_bytes(data[start : start + width])
            start += width
        if len(data) - start < length:
            return
        yield data[at] & 0x0F, bytes(data[start : start + length]), start + length
        at = start + length
