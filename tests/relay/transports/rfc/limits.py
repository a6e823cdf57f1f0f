"""Section 8: how long a message may be, and that it is masked."""

from typing import Final

from websockets.frames import Frame, Opcode

from tests.helpers.frames import client_frame
from tests.relay.transports.rfc.cases import (
    LIMIT,
    Closed,
    Heard,
    Pong,
    Talk,
    binary,
    cut,
    filler,
    fragments,
    ping,
    said,
    section,
    text,
)

_FULL: Final = said(filler(LIMIT))
_HEARD: Final = Heard(filler(LIMIT))
_HALF: Final = LIMIT // 2


def _header(length: int) -> bytes:
    """The start of a masked text that claims to be so long."""
    return b"\x81\xff" + length.to_bytes(8)


def _unmasked(frame: Frame) -> bytes:
    return frame.serialize(mask=False)


SECTION: Final = section(
    8,
    "Limits and masks (5.1, 5.3, 10.4)",
    [
        Talk("a text as long as the limit, in two fragments", fragments(_FULL[:_HALF], _FULL[_HALF:]), _HEARD),
        Talk("a text as long as the limit, in fragments with pings between", b"".join(fragment + ping(b"p") for fragment in fragments(*cut(_FULL, _HALF))), (Pong(b"p"), _HEARD, Pong(b"p"))),
        Talk("two texts as long as the limit", text(_FULL) * 2, (_HEARD, _HEARD)),
    ],
    [
        Talk("one byte over the limit, refused from its header", _header(LIMIT + 1), Closed(1009)),
        *[Talk(f"a length of {name}, refused from its header", _header(length), Closed(1009)) for name, length in (("2^32", 2**32), ("2^63 - 1", 2**63 - 1), ("2^63", 2**63), ("2^64 - 1", 2**64 - 1))],
        Talk("binary over the limit, refused from its header", b"\x82\xff" + (2**20).to_bytes(8), Closed(1009)),
        Talk("one byte over the limit, sent whole", text(_FULL + b" "), Closed(1009)),
        Talk("binary over the limit, sent whole", binary(b"x" * (LIMIT + 1)), Closed(1009)),
        Talk("4 MB sent whole: the close arrives all the same", text(b"x" * 4_000_000), Closed(1009)),
        Talk("4 MB in segments of 64 KiB: the close arrives all the same", cut(text(b"x" * 4_000_000), 65_536), Closed(1009)),
    ],
    [
        Talk("over the limit with the last of two fragments, refused from its header", [*fragments(_FULL, is_whole=False), client_frame(b"x", first=0x80)[:2]], Closed(1009)),
        Talk("over the limit with a fragment in the middle", fragments(_FULL[:_HALF], _FULL[_HALF:], b"x", is_whole=False), Closed(1009)),
        Talk("over the limit in fragments of 1,000", fragments(*cut(_FULL + b"x" * 1_000, 1_000), is_whole=False), Closed(1009)),
        Talk("binary over the limit in fragments", fragments(b"x" * LIMIT, b"x", opcode=Opcode.BINARY, is_whole=False), Closed(1009)),
    ],
    [
        Talk("text without a mask", _unmasked(Frame(Opcode.TEXT, said("x"))), Closed(1002)),
        Talk("text without a mask, refused from its header", _unmasked(Frame(Opcode.TEXT, said("x")))[:2], Closed(1002)),
        Talk("empty text without a mask", _unmasked(Frame(Opcode.TEXT, b"")), Closed(1002)),
        Talk("binary without a mask", _unmasked(Frame(Opcode.BINARY, b"x")), Closed(1002)),
        Talk("ping without a mask", _unmasked(Frame(Opcode.PING, b"x")), Closed(1002)),
        Talk("pong without a mask", _unmasked(Frame(Opcode.PONG, b"x")), Closed(1002)),
        Talk("close without a mask", _unmasked(Frame(Opcode.CLOSE, b"\x03\xe8")), Closed(1002)),
        Talk("continuation without a mask", [*fragments(b"x", is_whole=False), _unmasked(Frame(Opcode.CONT, b"x"))], Closed(1002)),
    ],
    [
        *[Talk(f"mask {mask.hex()}", client_frame(said("маска"), mask=mask), Heard("маска")) for mask in (bytes(4), b"\xff" * 4, b"\x00\x00\x00\x01", b"\x80\x00\x00\x00")],
        Talk("two texts with different masks", client_frame(said("1"), mask=b"abcd") + client_frame(said("2"), mask=b"wxyz"), (Heard("1"), Heard("2"))),
        Talk("no WebSocket at all after the handshake", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Closed(1002)),
    ],
)  # fmt: skip
