"""Section 3: reserved bits. Section 4: reserved opcodes."""

from typing import Final

from tests.relay.transports.rfc.cases import (
    COMPRESSING,
    Closed,
    Heard,
    Pong,
    Talk,
    close,
    fragments,
    octets,
    ping,
    raw,
    said,
    section,
    text,
)

_FIN: Final = 0x80
_OPCODES: Final = {"text": 0x1, "binary": 0x2, "close": 0x8, "ping": 0x9, "pong": 0xA}
_PAYLOADS: Final = {0x8: b"\x03\xe8"}
# Three bits: RSV1 is 4. RSV1 alone is what compression, where agreed, gives a meaning.
_ALL: Final = range(1, 8)
_NEVER_AGREED: Final = (1, 2, 3, 5, 6, 7)


def _names(bits: int) -> str:
    return " and ".join(name for name, bit in (("RSV1", 4), ("RSV2", 2), ("RSV3", 1)) if bits & bit)


def _reserved(bits: int, opcode: int) -> bytes:
    return raw(_PAYLOADS.get(opcode, b"x"), _FIN | bits << 4 | opcode)


BITS: Final = section(
    3,
    "Reserved bits (5.2; RFC 7692 6)",
    [Talk(f"text with {_names(bits)}", _reserved(bits, 0x1), Closed(1002)) for bits in _ALL],
    [
        Talk(f"{kind} with {_names(bits)}", _reserved(bits, opcode), Closed(1002))
        for kind, opcode in _OPCODES.items()
        if kind != "text"
        for bits in (4, 2, 1)
    ],
    [Talk(f"text with {_names(bits)}, compression agreed", _reserved(bits, 0x1), Closed(1002), COMPRESSING) for bits in _NEVER_AGREED],
    [
        Talk(f"{kind} with {_names(bits)}, compression agreed", _reserved(bits, _OPCODES[kind]), Closed(1002), COMPRESSING)
        for kind in ("close", "ping", "pong")
        for bits in (4, 2, 1)
    ],
    [
        Talk("a good text, then one with RSV2", text(said("good")) + _reserved(2, 0x1) + ping(), (Heard("good"), Closed(1002))),
        Talk("a good text, then one with RSV3, octet by octet", octets(text(said("good")) + _reserved(1, 0x1)), (Heard("good"), Closed(1002))),
        Talk("a ping, then a ping with RSV1", ping(b"p") + _reserved(4, 0x9), (Pong(b"p"), Closed(1002))),
        *[Talk(f"continuation with {_names(bits)}", [*fragments(b"a", is_whole=False), raw(b"b", _FIN | bits << 4)], Closed(1002)) for bits in (4, 2, 1)],
        Talk("RSV3, refused from the first two bytes", _reserved(1, 0x1)[:2], Closed(1002)),
    ],
)  # fmt: skip

OPCODES: Final = section(
    4,
    "Reserved opcodes (5.2)",
    [Talk(f"opcode {opcode}, empty", raw(b"", _FIN | opcode), Closed(1002)) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    [Talk(f"opcode {opcode} with a payload", raw(b"payload", _FIN | opcode), Closed(1002)) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    [
        Talk(f"opcode {opcode} after a good text and before a ping", text(said("good")) + raw(b"", _FIN | opcode) + ping(), (Heard("good"), Closed(1002)))
        for opcode in (3, 7, 11, 15)
    ],
    [
        Talk(f"opcode {opcode} within a fragmented message", [*fragments(b"a", is_whole=False), raw(b"", _FIN | opcode)], Closed(1002))
        for opcode in (3, 7, 11, 15)
    ],
    [
        Talk("opcode 5 with RSV1, compression agreed", raw(b"", _FIN | 0x45), Closed(1002), COMPRESSING),
        Talk("opcode 3 without FIN", raw(b"", 3), Closed(1002)),
        Talk("opcode 11, refused from the first two bytes", raw(b"payload", _FIN | 11)[:2], Closed(1002)),
        Talk("a close, then opcode 3: the close counts", close(1000) + raw(b"", _FIN | 3), Closed(1000)),
    ],
)  # fmt: skip
