"""permessage-deflate (RFC 7692), without context takeover: every message stands alone.

That is what lets one compressed frame go to all subscribers of a channel. Must not know connections or channels.
"""

import re
import zlib
from collections.abc import Mapping, Set
from typing import Final

from relay.wire.codes import WebSocketCode
from relay.wire.frames import FrameError, compressed_frame, payloads_of, text_frame

# Below so many bytes a message does not get smaller by more than the work is worth.
MIN_BYTES: Final = 256

# What a server promises that keeps no context, and asks of the client (7.1.1).
RESPONSE: Final = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

# Blocks marked as final that may stand within one message; each costs a new inflater. Ours; 1007 refuses one more.
FINAL_BLOCKS: Final = 16

_TAIL: Final = b"\x00\x00\xff\xff"  # 7.2.1: ends each message, and is not sent
# A final block that holds nothing (RFC 1951 3.2.6). Put after a message it is read as one only if the message was whole.
_END: Final = b"\x03\x00"
_LEVEL: Final = 6
_WINDOW: Final = 32_768  # bytes, how far back a block may refer (RFC 1951 2)

# RFC 6455 9.1: the list of offers, each a name and its parameters.
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAM: Final = rf'[ \t]*;[ \t]*({_WORD})(?:[ \t]*=[ \t]*(?:({_WORD})|"({_WORD})"))?'
_OFFER: Final = re.compile(rf"[ \t]*({_WORD})((?:{_PARAM})*)[ \t]*")
_PARAMS: Final = re.compile(_PARAM)
# 7.1: a window is two to the power of 8 to 15; flags have no value. One that limits our window is not among them.
_VALUES: Final[Mapping[str, Set[str]]] = {
    "server_no_context_takeover": {""},
    "client_no_context_takeover": {""},
    "client_max_window_bits": {"", *map(str, range(8, 16))},
}


def accepts(offers: str) -> bool:
    """Whether one of the offers in a Sec-WebSocket-Extensions header can be taken (5.1); the first that can be is.

    One that limits our window is left: its frames could not be shared with the others. So is one that is not understood.
    """
    return any(_is_acceptable(offer) for offer in offers.split(","))


def _is_acceptable(offer: str) -> bool:
    match = _OFFER.fullmatch(offer)
    if match is None or match[1] != "permessage-deflate":
        return False
    params = [(name, token or quoted) for name, token, quoted in _PARAMS.findall(match[2])]
    return len(dict(params)) == len(params) and all(value in _VALUES.get(name, set()) for name, value in params)


def inflate(payload: bytes | bytearray, max_message: int) -> bytearray:
    """The message in a compressed payload. Raises FrameError when it is broken, or longer than `max_message` bytes."""
    message, rest = bytearray(), bytes(payload) + _TAIL + _END
    # 7.2.1: other blocks may follow one that is marked as final. The last one is ours.
    for _ in range(FINAL_BLOCKS + 1):
        inflater = zlib.decompressobj(-zlib.MAX_WBITS, zdict=message[-_WINDOW:])
        try:
            message += inflater.decompress(rest, max_message + 1 - len(message))
        except zlib.error:
            raise _broken() from None
        if len(message) > max_message:
            raise FrameError(WebSocketCode.TOO_BIG, f"a message may hold {max_message} bytes")
        if not inflater.eof:
            break
        rest = inflater.unused_data
        if not rest:
            return message
    raise _broken()


def _broken() -> FrameError:
    return FrameError(WebSocketCode.INVALID_PAYLOAD, "the compressed message is broken")


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
