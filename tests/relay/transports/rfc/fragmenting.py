"""Section 5: fragmented messages."""

from typing import Final

from websockets.frames import Opcode

from tests.relay.transports.rfc.cases import (
    LIMIT,
    NOT_JSON,
    Closed,
    Heard,
    Pong,
    Talk,
    binary,
    chopped,
    close,
    cut,
    filler,
    fragments,
    octets,
    ping,
    pong,
    raw,
    said,
    section,
    text,
)

_WHOLE: Final = said("in parts")
_A, _B, _C = _WHOLE[:10], _WHOLE[10:30], _WHOLE[30:]
_HEARD: Final = Heard("in parts")
_LONG: Final = filler(LIMIT)


def _joined(*parts: bytes | list[bytes]) -> bytes:
    return b"".join(part if isinstance(part, bytes) else b"".join(part) for part in parts)


_FIRST, _SECOND, _LAST = fragments(_A, _B, _C)

SECTION: Final = section(
    5,
    "Fragmentation (5.4)",
    [
        Talk("text in two fragments", _joined(fragments(_A, _B + _C)), _HEARD),
        Talk("text in two fragments and two segments", fragments(_A, _B + _C), _HEARD),
        Talk("text in three fragments, octet by octet", octets(_joined(_FIRST, _SECOND, _LAST)), _HEARD),
        Talk("text in three fragments in segments of odd sizes", chopped(_joined(_FIRST, _SECOND, _LAST)), _HEARD),
        Talk("text with each octet in a fragment of its own", _joined(fragments(*octets(_WHOLE))), _HEARD),
        Talk("text with each octet in a fragment of its own, octet by octet", octets(_joined(fragments(*octets(_WHOLE)))), _HEARD),
        Talk("text of 65,536 bytes in fragments of 4,096", fragments(*cut(said(_LONG), 4_096)), Heard(_LONG)),
        Talk("text of 65,536 bytes in fragments of 1,000", fragments(*cut(said(_LONG), 1_000)), Heard(_LONG)),
        Talk("two fragmented texts, one after the other", _joined(_FIRST, _SECOND, _LAST) * 2, (_HEARD, _HEARD)),
        Talk("a fragmented text between two whole ones", _joined(text(said("1")), _FIRST, _SECOND, _LAST, text(said("2"))), (Heard("1"), _HEARD, Heard("2"))),
    ],
    [
        Talk("three empty fragments", _joined(fragments(b"", b"", b"")), NOT_JSON),
        Talk("the first fragment empty", _joined(fragments(b"", _WHOLE)), _HEARD),
        Talk("the fragment in the middle empty", _joined(fragments(_A, b"", _B + _C)), _HEARD),
        Talk("the last fragment empty", _joined(fragments(_WHOLE, b"")), _HEARD),
        Talk("a hundred empty fragments in the middle", _joined(fragments(_A, *[b""] * 100, _B + _C)), _HEARD),
    ],
    [
        Talk("ping between two fragments", _joined(_FIRST, ping(b"p"), _SECOND, _LAST), (Pong(b"p"), _HEARD)),
        Talk("ping between two fragments, each in its segment", [_FIRST, ping(b"p"), _SECOND, _LAST], (Pong(b"p"), _HEARD)),
        Talk("ping between two fragments, octet by octet", octets(_joined(_FIRST, ping(b"p"), _SECOND, _LAST)), (Pong(b"p"), _HEARD)),
        Talk("ping after each fragment", _joined(_FIRST, ping(b"1"), _SECOND, ping(b"2"), _LAST, ping(b"3")), (Pong(b"1"), Pong(b"2"), _HEARD, Pong(b"3"))),
        Talk("ping of 125 bytes between fragments", _joined(_FIRST, ping(b"x" * 125), _SECOND, _LAST), (Pong(b"x" * 125), _HEARD)),
        Talk("pong between two fragments", _joined(_FIRST, pong(b"p"), _SECOND, _LAST), _HEARD),
        Talk("close between two fragments", _joined(_FIRST, close(1001), _SECOND, _LAST), Closed(1001)),
        Talk("a text whose end has not come, then a ping", _joined(_FIRST, _SECOND, ping(b"p")), Pong(b"p")),
    ],
    [
        Talk("continuation of nothing", raw(b"x", 0x80), Closed(1002)),
        Talk("continuation of nothing, empty", raw(b"", 0x80), Closed(1002)),
        Talk("continuation of nothing, without FIN", raw(b"x", 0x00), Closed(1002)),
        Talk("continuation of nothing, refused from its header", raw(b"x", 0x80)[:2], Closed(1002)),
        Talk("continuation after a whole text", _joined(text(said("1")), raw(b"x", 0x80)), (Heard("1"), Closed(1002))),
        Talk("continuation after the last fragment", _joined(_FIRST, _SECOND, _LAST, raw(b"x", 0x80)), (_HEARD, Closed(1002))),
        Talk("continuation after a ping", _joined(ping(b"p"), raw(b"x", 0x80)), (Pong(b"p"), Closed(1002))),
    ],
    [
        Talk("text within a fragmented text", _joined(_FIRST, text(said("1"))), Closed(1002)),
        Talk("text within a fragmented text, refused from its header", [_FIRST, text(said("1"))[:2]], Closed(1002)),
        Talk("first fragment within a fragmented text", _joined(_FIRST, _FIRST), Closed(1002)),
        Talk("binary within a fragmented text", _joined(_FIRST, binary(b"x")), Closed(1002)),
        Talk("text within a fragmented binary", _joined(fragments(b"x", opcode=Opcode.BINARY, is_whole=False), text(b"x")), Closed(1002)),
        Talk("text after a ping within a fragmented text", _joined(_FIRST, ping(b"p"), text(said("1"))), (Pong(b"p"), Closed(1002))),
    ],
    [
        Talk("ping without FIN", raw(b"p", 0x09), Closed(1002)),
        Talk("ping without FIN, and its continuation", raw(b"p", 0x09) + raw(b"p", 0x80), Closed(1002)),
        Talk("pong without FIN", raw(b"p", 0x0A), Closed(1002)),
        Talk("close without FIN", raw(b"\x03\xe8", 0x08), Closed(1002)),
        Talk("ping without FIN between fragments", _joined(_FIRST, raw(b"p", 0x09)), Closed(1002)),
    ],
    [
        Talk("binary in two fragments", _joined(fragments(b"\xff", b"\xfe", opcode=Opcode.BINARY)), Closed(1003)),
        Talk("binary in two fragments with a ping between", _joined(fragments(b"\xff", opcode=Opcode.BINARY, is_whole=False), ping(b"p"), raw(b"", 0x80)), (Pong(b"p"), Closed(1003))),
    ],
)  # fmt: skip
