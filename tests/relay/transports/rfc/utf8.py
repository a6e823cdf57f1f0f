"""Section 6: text is UTF-8, and the first byte that cannot be any ends the connection, whatever is still to come (8.1)."""

from typing import Final, NamedTuple

from tests.relay.transports.rfc.cases import (
    NOT_JSON,
    Closed,
    Heard,
    Pong,
    Talk,
    chopped,
    cut,
    fragments,
    octets,
    ping,
    said,
    section,
    text,
)

_VALID: Final = {
    "U+007F": "\x7f",
    "U+0080": "\x80",
    "U+07FF": "\u07ff",
    "U+0800": "\u0800",
    "U+D7FF": "\ud7ff",
    "U+E000": "\ue000",
    "U+FEFF, a byte order mark": "\ufeff",
    "U+FFFD": "\ufffd",
    "U+FFFE, a noncharacter": "\ufffe",
    "U+FFFF, a noncharacter": "\uffff",
    "U+10000": "\U00010000",
    "U+1FFFF, a noncharacter": "\U0001ffff",
    "U+10FFFF": "\U0010ffff",
    "five letters of Greek": "κόσμε",
    "combining characters": "e\u0301й",
    "characters of one to four bytes": "aй€\U0001f600" * 5,
}


class Wrong(NamedTuple):
    """Bytes that no UTF-8 holds; `at` is the first of them that cannot follow the ones before it."""

    what: str
    data: bytes
    at: int


_WRONG: Final = (
    Wrong("lone continuation 80", b"\x80", 0),
    Wrong("lone continuation bf", b"\xbf", 0),
    Wrong("continuation after a whole character", b"\xc3\xa4\x80", 2),
    Wrong("two bytes, the second missing", b"\xc3a", 1),
    Wrong("three bytes, the second missing", b"\xe2a", 1),
    Wrong("three bytes, the third missing", b"\xe2\x82a", 2),
    Wrong("four bytes, the second missing", b"\xf0a", 1),
    Wrong("four bytes, the third missing", b"\xf0\x9fa", 2),
    Wrong("four bytes, the fourth missing", b"\xf0\x9f\x98a", 3),
    Wrong("a first byte after a first byte", b"\xc3\xc3", 1),
    Wrong("overlong / in two bytes", b"\xc0\xaf", 0),
    Wrong("overlong U+007F in two bytes", b"\xc1\xbf", 0),
    Wrong("overlong / in three bytes", b"\xe0\x80\xaf", 1),
    Wrong("overlong U+07FF in three bytes", b"\xe0\x9f\xbf", 1),
    Wrong("overlong / in four bytes", b"\xf0\x80\x80\xaf", 1),
    Wrong("overlong U+FFFF in four bytes", b"\xf0\x8f\xbf\xbf", 1),
    Wrong("five bytes", b"\xf8\x88\x80\x80\x80", 0),
    Wrong("six bytes", b"\xfc\x84\x80\x80\x80\x80", 0),
    Wrong("fe", b"\xfe", 0),
    Wrong("ff", b"\xff", 0),
    Wrong("surrogate U+D800", b"\xed\xa0\x80", 1),
    Wrong("surrogate U+DBFF", b"\xed\xaf\xbf", 1),
    Wrong("surrogate U+DC00", b"\xed\xb0\x80", 1),
    Wrong("surrogate U+DFFF", b"\xed\xbf\xbf", 1),
    Wrong("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80", 1),
    Wrong("U+110000", b"\xf4\x90\x80\x80", 1),
    Wrong("U+13FFFF", b"\xf4\xbf\xbf\xbf", 1),
    Wrong("U+140000", b"\xf5\x80\x80\x80", 0),
    Wrong("U+1FFFFF", b"\xf7\xbf\xbf\xbf", 0),
)
_CUT_SHORT: Final = {"two": b"\xc3", "three": b"\xe2\x82", "four": b"\xf0\x9f\x98"}

_GOOD: Final = "κόσμε".encode()
_TAIL: Final = b"and more"


def _up_to(wrong: Wrong) -> bytes:
    """What is sent of the text, the wrong byte being the last one."""
    return _GOOD + wrong.data[: wrong.at + 1]


def _start_of_frame(wrong: Wrong) -> bytes:
    """The frame of a longer text, up to the wrong byte."""
    header_and_mask = 6
    return text(_GOOD + wrong.data + _TAIL)[: header_and_mask + len(_up_to(wrong))]


SECTION: Final = section(
    6,
    "UTF-8, refused at the first wrong byte (8.1)",
    [Talk(what, text(said(valid)), Heard(valid)) for what, valid in _VALID.items()],
    [Talk(f"{what}, each octet in a fragment of its own", b"".join(fragments(*octets(said(valid)))), Heard(valid)) for what, valid in _VALID.items()],
    [Talk(f"{what}, octet by octet", octets(text(said(valid))), Heard(valid)) for what, valid in _VALID.items()],
    [
        Talk("a character cut by a ping", [*fragments(said("й")[:-3], is_whole=False), ping(b"p"), *fragments(b"", said("й")[-3:])[1:]], (Pong(b"p"), Heard("й"))),
        Talk("a long text of four-byte characters in segments of odd sizes", chopped(text(said("\U0001f600" * 2_000))), Heard("\U0001f600" * 2_000)),
        Talk("a long text of four-byte characters in fragments of odd sizes", fragments(*cut(said("\U0001f600" * 2_000), 997)), Heard("\U0001f600" * 2_000)),
        Talk("a text of zeros", text(b"\x00" * 10), NOT_JSON),
    ],
    [Talk(f"{wrong.what}, in a whole frame", text(_GOOD + wrong.data + _TAIL), Closed(1007)) for wrong in _WRONG],
    [Talk(f"{wrong.what}, the rest of the frame to come", _start_of_frame(wrong), Closed(1007)) for wrong in _WRONG],
    [Talk(f"{wrong.what}, octet by octet, the rest of the frame to come", octets(_start_of_frame(wrong)), Closed(1007)) for wrong in _WRONG],
    [Talk(f"{wrong.what}, the rest of the fragments to come", fragments(_GOOD, _up_to(wrong), is_whole=False), Closed(1007)) for wrong in _WRONG],
    [Talk(f"{wrong.what}, each octet a fragment, the rest to come", fragments(*octets(_up_to(wrong)), is_whole=False), Closed(1007)) for wrong in _WRONG],
    [Talk(f"a character of {size} bytes cut short by the end of the text", text(_GOOD + data), Closed(1007)) for size, data in _CUT_SHORT.items()],
    [Talk(f"a character of {size} bytes cut short by the end, octet by octet", octets(text(_GOOD + data)), Closed(1007)) for size, data in _CUT_SHORT.items()],
    [Talk(f"a character of {size} bytes cut short by the last fragment", fragments(_GOOD, data), Closed(1007)) for size, data in _CUT_SHORT.items()],
    [Talk(f"a character of {size} bytes cut short, the last fragment empty", fragments(_GOOD, data, b""), Closed(1007)) for size, data in _CUT_SHORT.items()],
    [
        Talk("a good text, then a wrong one", text(said("good")) + text(b"\xff"), (Heard("good"), Closed(1007))),
        Talk("a wrong text, then a ping and a good one", text(b"\xff") + ping() + text(said("late")), Closed(1007)),
        Talk("a wrong fragment after a ping", [*fragments(_GOOD, is_whole=False), ping(b"p"), *fragments(b"", b"\xff", is_whole=False)[1:]], (Pong(b"p"), Closed(1007))),
        Talk("65,000 good octets, then a wrong one, the rest of the frame to come", text(b"x" * 65_000 + b"\xff" + b"x" * 500)[: 8 + 65_001], Closed(1007)),
    ],
)  # fmt: skip
