"""permessage-deflate (RFC 7692), without context takeover: every message stands alone.

That is what lets one compressed frame go to all subscribers of a channel. Must not know connections or channels.
"""

import zlib
from typing import Final

from relay.protocol.errors import WebSocketCode
from relay.protocol.frames import FrameError, compressed_frame, payloads_of, text_frame

# Below so many bytes a message does not get smaller by more than the work is worth.
MIN_BYTES: Final = 256

# What a server promises that keeps no context, and asks of the client (7.1.1).
RESPONSE: Final = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

_TAIL: Final = b"\x00\x00\xff\xff"  # 7.2.1: ends each message, and is not sent
_LEVEL: Final = 6
_KNOWN: Final = frozenset({"server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"})


def accepts(offers: str) -> bool:
    """Whether one of the offers in a Sec-WebSocket-Extensions header can be taken (5.1).

    One that limits our window is left: its frames could not be shared with the others.
    """
    return any(_is_acceptable(offer) for offer in offers.split(","))


def _is_acceptable(offer: str) -> bool:
    name, *params = [part.strip() for part in offer.split(";")]
    return name == "permessage-deflate" and all(param.partition("=")[0].strip() in _KNOWN for param in params)


def inflate(payload: bytes | bytearray, max_message: int) -> bytearray:
    """The message in a compressed payload. Raises FrameError when it is broken, or longer than `max_message` bytes."""
    try:
        message = zlib.decompressobj(-zlib.MAX_WBITS).decompress(bytes(payload) + _TAIL, max_message + 1)
    except zlib.error:
        raise FrameError(WebSocketCode.INVALID_PAYLOAD, "the compressed message is broken") from None
    if len(message) > max_message:
        raise FrameError(WebSocketCode.TOO_BIG, f"a message may hold {max_message} bytes")
    return bytearray(message)


class Deflater:
    """Compresses text frames. A broadcast hands over the same bytes for each recipient, and is compressed once."""

    def __init__(self) -> None:
        self._frames = b""
        self._compressed = b""

    def __call__(self, frames: bytes) -> bytes:
        """What `frames.text_frame` built, once or several times, with the long messages compressed."""
        if len(frames) < MIN_BYTES:
            return frames
        if frames is not self._frames:
            self._frames, self._compressed = frames, b"".join(map(_compressed, payloads_of(frames)))
        return self._compressed


def _compressed(payload: bytes) -> bytes:
    if len(payload) < MIN_BYTES:
        return text_frame(payload)
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return compressed_frame(data.removesuffix(_TAIL))
