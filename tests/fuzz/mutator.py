"""Valid input, damaged: bytes and JSON that a random generator changes a little. Must not know what they are for."""

import json
from random import Random
from typing import Final

# Numbers at the edges of what lengths, ids and counts are stored in.
EDGES: Final = (0, 1, -1, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32, 2**53, 2**63, 2**64, 10**400)
TEXTS: Final = (
    "",
    "\x00",
    "\ud800",
    "é",
    "\U0001f600",
    "a" * 300,
    "x" * 20_000,
    '"',
    "\\",
    "../..",
    "%00",
    "#",
    "presence-",
)
TOKENS: Final = (
    b"\x00",
    b"\xff",
    b"\r\n",
    b"\r\n\r\n",
    b'"',
    b"{",
    b"[",
    b"%",
    b"?",
    b"\xc3",
    b"\xed\xa0\x80",
    b" ",
    b":",
)

# Lists in lists, far more than any decoder follows.
_DEPTH: Final = 20_000


class Mutator:
    """All that it does follows from `random`."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def damaged(self, data: bytes) -> bytes:
        """`data` with up to a few changes; now and then as it is, so that what follows is still understood."""
        result = bytearray(data)
        for _ in range(self._random.choice((0, 0, 1, 1, 1, 2, 4, 16))):
            self._change(result)
        return bytes(result)

    def pieces(self, data: bytes) -> list[bytes]:
        """`data` as a network may deliver it."""
        cuts = sorted(self._random.randint(0, len(data)) for _ in range(self._random.choice((0, 0, 1, 3))))
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]

    def json_of(self, value: object) -> bytes:
        """The JSON of `value` with something changed in it, or damaged JSON."""
        if self._random.random() < 0.02:
            return b"[" * _DEPTH
        text = json.dumps(self._varied(value, 0.15)).encode()
        return self.damaged(text) if self._random.random() < 0.3 else text

    def _varied(self, value: object, chance: float) -> object:
        if self._random.random() < chance:
            return self._other(value)
        match value:
            case dict():
                items = [(key, self._varied(item, chance)) for key, item in value.items()]
                return {key: item for key, item in items if self._random.random() > chance / 3}
            case list():
                return [self._varied(item, chance) for item in value] * self._random.choice((1, 1, 1, 1, 0, 2, 200))
            case _:
                return value

    def _other(self, value: object) -> object:
        others: list[object] = [None, True, 1.5e300, [], {}, [value], {"a": value}, json.dumps(value)]
        return self._random.choice((*others, *EDGES, *TEXTS))

    def _change(self, data: bytearray) -> None:
        at = self._random.randint(0, len(data))
        end = min(len(data), at + self._random.choice((1, 1, 2, 8, 64)))
        match self._random.randrange(6):
            case 0:
                data[at:end] = b""
            case 1:
                data[at:at] = self._random.choice(TOKENS)
            case 2:
                data[at:at] = data[at:end] * self._random.choice((1, 2, 50))
            case 3:
                data[at:end] = self._random.randbytes(end - at)
            case 4:
                del data[at:]
            case _:
                data[at : at + 1] = bytes([data[at] ^ (1 << self._random.randrange(8))]) if at < len(data) else b"\x00"
