"""Section 1: frames of every length, however TCP cuts them."""

from typing import Final

from tests.helpers.frames import client_frame
from tests.relay.transports.rfc.cases import (
    NOT_JSON,
    Closed,
    Heard,
    Pong,
    Reaction,
    Talk,
    binary,
    chopped,
    filler,
    octets,
    ping,
    said,
    section,
    text,
)

# Around each change of the length's form.
_SIZES: Final = (125, 126, 127, 128, 65_535, 65_536)
_LONGEST_HEADER: Final = 14


_TWO: Final = text(said("1")) + text(said("2"))
_NEXT: Final = len(_TWO) // 2


def _message(size: int) -> bytes:
    return said(filler(size)) if size else b""


def _through(size: int) -> Reaction:
    return Heard(filler(size)) if size else NOT_JSON


def _header_in_octets(data: bytes) -> list[bytes]:
    return [*octets(data[:_LONGEST_HEADER]), data[_LONGEST_HEADER:]]


SECTION: Final = section(
    1,
    "Frames: lengths, and how TCP cuts them (RFC 6455 5.2)",
    [Talk(f"text of {size} bytes", text(_message(size)), _through(size)) for size in (0, *_SIZES)],
    [Talk(f"text of {size} bytes in segments of odd sizes", chopped(text(_message(size))), _through(size)) for size in (0, *_SIZES)],
    [Talk(f"text of {size} bytes, octet by octet", octets(text(_message(size))), _through(size)) for size in (0, 125, 126, 127, 128)],
    [Talk(f"text of {size} bytes, its header octet by octet", _header_in_octets(text(_message(size))), _through(size)) for size in (65_535, 65_536)],
    [Talk(f"binary of {size} bytes", binary(b"\xfe" * size), Closed(1003)) for size in (0, *_SIZES)],
    [Talk(f"binary of {size} bytes in segments of odd sizes", chopped(binary(b"\xfe" * size)), Closed(1003)) for size in (0, *_SIZES)],
    [
        Talk(f"length {size} written in {width * 8} bits", client_frame(_message(size), length_bytes=width), Heard(filler(size)))
        for size, width in ((100, 2), (125, 2), (100, 8), (126, 8), (65_535, 8))
    ],
    [
        Talk("three texts in one segment", text(said("1")) + text(said("2")) + text(said("3")), (Heard("1"), Heard("2"), Heard("3"))),
        Talk("a segment that ends within the next header", [_TWO[:_NEXT + 1], _TWO[_NEXT + 1:]], (Heard("1"), Heard("2"))),
        Talk("a segment that ends within the next mask", [_TWO[:_NEXT + 4], _TWO[_NEXT + 4:]], (Heard("1"), Heard("2"))),
        Talk("a segment that ends within the next payload", [_TWO[:_NEXT + 20], _TWO[_NEXT + 20:]], (Heard("1"), Heard("2"))),
        Talk("text, ping and text in one segment", text(said("1")) + ping(b"p") + text(said("2")), (Heard("1"), Pong(b"p"), Heard("2"))),
    ],
)  # fmt: skip
