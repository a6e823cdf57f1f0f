"""Section 7: the closing handshake, begun by either side."""

from typing import Final

from websockets.frames import Opcode

from relay.transports.websocket import CLOSE_TIMEOUT
from tests.helpers.frames import client_frame
from tests.relay.transports.rfc.cases import (
    Case,
    Closed,
    Farewell,
    Heard,
    Talk,
    binary,
    close,
    fragments,
    frame,
    octets,
    ping,
    pong,
    raw,
    said,
    section,
    text,
)

_CLOSE: Final = 0x8
_VALID: Final = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
_INVALID: Final = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
_LATE: Final = text(said("late"))
_WHEEL_SECONDS: Final = 1.0  # by how much relay.net.liveness may be late

_FROM_THE_CLIENT: Final[tuple[list[Case], ...]] = (
    [
        Talk("close without a code, answered with 1000", frame(Opcode.CLOSE, b""), Closed(1000)),
        *[Talk(f"close with {code}, answered with the same", close(code), Closed(code)) for code in _VALID],
    ],
    [Talk(f"close with {code}", close(code), Closed(1002)) for code in _INVALID],
    [
        Talk("reason of 1 byte", close(1000, b"x"), Closed(1000)),
        Talk("reason of 123 bytes", close(1000, b"x" * 123), Closed(1000)),
        Talk("reason of 122 bytes of Cyrillic", close(1000, "й".encode() * 61), Closed(1000)),
        Talk("reason of 124 bytes", client_frame(b"\x03\xe8" + b"x" * 124, opcode=_CLOSE), Closed(1002)),
        Talk("reason of 1,000 bytes", client_frame(b"\x03\xe8" + b"x" * 1_000, opcode=_CLOSE), Closed(1002)),
        Talk("half a code", frame(Opcode.CLOSE, b"\x03"), Closed(1002)),
        Talk("reason that is no UTF-8", close(1000, b"\xff"), Closed(1007)),
        Talk("reason that is cut within a character", close(1000, b"ok \xe2\x82"), Closed(1007)),
        Talk("reason with a surrogate", close(1000, b"\xed\xa0\x80"), Closed(1007)),
    ],
    [
        Talk("close with 1000, octet by octet", octets(close(1000, b"bye")), Closed(1000)),
        Talk("a text, then a close, in one segment", text(said("before")) + close(1000), (Heard("before"), Closed(1000))),
        Talk("close, then a text, in one segment", close(1000) + _LATE, Closed(1000)),
        Talk("close, then a text, in two segments", [close(1000), _LATE], Closed(1000)),
        Talk("close, then a ping", close(1000) + ping(b"late"), Closed(1000)),
        Talk("close, then a pong", close(1000) + pong(b"late"), Closed(1000)),
        Talk("close, then another with another code", close(1000) + close(1001), Closed(1000)),
        Talk("close, then another in a second segment", [close(1000), close(1001)], Closed(1000)),
        Talk("close, then a binary", close(1000) + binary(b"x"), Closed(1000)),
        Talk("close, then a wrong frame", close(1000) + raw(b"x", 0xF3), Closed(1000)),
        Talk("close, then a wrong close", close(1000) + close(999), Closed(1000)),
        Talk("close, then the start of a frame", close(1000) + _LATE[:5], Closed(1000)),
        Talk("close in the middle of a fragmented text", [*fragments(said("late"), is_whole=False), close(1000)], Closed(1000)),
        Talk("close in the middle of a fragmented text, then its end", b"".join([*fragments(said("late"), is_whole=False), close(1000), raw(b"", 0x80)]), Closed(1000)),
    ],
)  # fmt: skip

_FROM_THE_RELAY: Final[list[Case]] = [
    Farewell("answered: the TCP connection ends at once", close(4001)),
    Farewell("answered without a code: ends at once", frame(Opcode.CLOSE, b"")),
    Farewell("answered with another code: ends at once", close(1000)),
    Farewell("answered octet by octet: ends at once", octets(close(4001, b"no such app"))),
    Farewell("answered with a close that breaks the rules: ends at once, without another close", close(1005)),
    Farewell("answered after a text and a ping: neither is answered", [_LATE, ping(b"late"), close(4001)]),
    Farewell("a broken frame instead of an answer: ends at once, without another close", raw(b"x", 0xF3)),
    Farewell("not answered: still open before CLOSE_TIMEOUT", seconds=CLOSE_TIMEOUT - 1, ends=False),
    Farewell("not answered: ended at CLOSE_TIMEOUT", seconds=CLOSE_TIMEOUT + _WHEEL_SECONDS),
    Farewell("a ping instead of an answer: no pong", ping(b"late"), ends=False),
    Farewell("pings instead of an answer: ended at CLOSE_TIMEOUT", [ping(b"late")] * 5, CLOSE_TIMEOUT + _WHEEL_SECONDS),
    Farewell("half an answer: ended at CLOSE_TIMEOUT", close(4001)[:5], CLOSE_TIMEOUT + _WHEEL_SECONDS),
]  # fmt: skip

SECTION: Final = section(7, "Closing (5.5.1, 7)", *_FROM_THE_CLIENT, _FROM_THE_RELAY)
