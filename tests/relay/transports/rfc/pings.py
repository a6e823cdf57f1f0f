"""Section 2: pings and pongs."""

from typing import Final

from tests.helpers.frames import client_frame
from tests.relay.transports.rfc.cases import (
    Closed,
    Heard,
    Pong,
    Talk,
    chopped,
    octets,
    ping,
    pong,
    said,
    section,
    text,
)

_FULL: Final = bytes(range(125))
_PING, _PONG = 0x9, 0xA

SECTION: Final = section(
    2,
    "Pings and pongs (5.5.2, 5.5.3)",
    [Talk(f"ping of {size} bytes", ping(_FULL[:size]), Pong(_FULL[:size])) for size in (0, 1, 7, 124, 125)],
    [
        Talk("ping of bytes that are no UTF-8", ping(b"\x00\xff\xfe\xfd\x80"), Pong(b"\x00\xff\xfe\xfd\x80")),
        Talk("ping of 125 bytes, octet by octet", octets(ping(_FULL)), Pong(_FULL)),
        Talk("ping of 125 bytes in segments of odd sizes", chopped(ping(_FULL)), Pong(_FULL)),
        Talk("ping of 0 bytes, octet by octet", octets(ping()), Pong(b"")),
    ],
    [
        Talk("ping of 126 bytes", client_frame(b"x" * 126, opcode=_PING), Closed(1002)),
        Talk("ping of 126 bytes, refused from its header", client_frame(b"x" * 126, opcode=_PING)[:2], Closed(1002)),
        Talk("ping of 65,536 bytes", client_frame(b"x" * 65_536, opcode=_PING), Closed(1002)),
        Talk("ping of 5 bytes with its length in 16 bits", client_frame(b"x" * 5, opcode=_PING, length_bytes=2), Closed(1002)),
        Talk("ping of 5 bytes with its length in 64 bits", client_frame(b"x" * 5, opcode=_PING, length_bytes=8), Closed(1002)),
        Talk("pong of 126 bytes", client_frame(b"x" * 126, opcode=_PONG), Closed(1002)),
    ],
    [
        Talk("pong that nobody asked for", pong()),
        Talk("pong that nobody asked for, of 125 bytes", pong(_FULL)),
        Talk("pong that nobody asked for, then a ping", pong(b"a") + ping(b"b"), Pong(b"b")),
        Talk("ten pongs, then a text", pong(b"a") * 10 + text(said("after")), Heard("after")),
    ],
    [
        Talk("ten pings in one segment", b"".join(ping(b"%d" % n) for n in range(10)), tuple(Pong(b"%d" % n) for n in range(10))),
        Talk("ten pings in ten segments", [ping(b"%d" % n) for n in range(10)], tuple(Pong(b"%d" % n) for n in range(10))),
        Talk("ten pings, octet by octet", octets(b"".join(ping(b"%d" % n) for n in range(10))), tuple(Pong(b"%d" % n) for n in range(10))),
    ],
)  # fmt: skip
