r"""Halves of characters: escapes such as \ud83d that stand alone, which JSON allows (RFC 8259 8.2) and no UTF-8 can hold.

JavaScript writes them where a text was cut in the middle of an emoji. The fast decoder and encoder refuse them wherever they
stand; what is here is tried when those have refused. Must not know what the values mean.
"""

import json
import re
from itertools import islice
from typing import Any, Final, TypeVar

import orjson
from msgspec import Raw, Struct

T = TypeVar("T")

# All up to the next half that stands alone, or to the end: other characters, both halves of one, any other escape whole, so
# that none is looked for in its rest. It matches from everywhere, gives nothing back, and calls nothing: a stranger may send
# tens of thousands of escapes.
_UP_TO_A_HALF: Final = re.compile(
    rb"((?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u[dD][89a-fA-F][0-9a-fA-F]{2}).)*+)"
    rb"(\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\?\Z)",
    re.DOTALL,
)
_HALF: Final = re.compile("([\ud800-\udfff])")

# Characters that Unicode leaves to everybody's private use: those that a text does not hold stand in for halves.
_FIRST: Final = 0xE000
_LAST: Final = 0xF8FF
_PRIVATE: Final = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_PRIVATE_ESCAPES: Final = re.compile(rb"(\\u[eEfF][0-9a-fA-F]{3})")
# Bytes of an escape.
_ESCAPE: Final = 6

# Halves stand where texts were cut: few, and one more in so many bytes. Each costs a microsecond, and what holds nothing else
# is no text.
_MOST_HALVES: Final = 64
_BYTES_A_HALF: Final = 64


class HalfCharacter(ValueError):
    """Half of a character stands where only whole ones may, in the field `name`."""

    def __init__(self, name: str, half: str) -> None:
        super().__init__(name, half)
        self.name = name
        self.half = half

    def __str__(self) -> str:
        return f"half of a character, \\u{ord(self.half):04x} without its other half, in `{self.name}`"


class StandIns:
    """JSON in which each half of a character has been replaced: `json` can be decoded, `restored` puts the halves back."""

    __slots__ = ("_escapes", "_halves", "json")

    def __init__(self, data: bytes, parts: list[tuple[bytes, bytes]]) -> None:
        """`parts` are what `_UP_TO_A_HALF` finds in `data`. Raises LookupError when there are too many kinds of halves."""
        used = set(_PRIVATE.findall(data.decode("utf-8", "replace")))
        used |= {chr(int(escape[2:], 16)) for escape in set(_PRIVATE_ESCAPES.findall(data))}
        halves = [half for half in dict.fromkeys([half for _, half in parts]) if len(half) == _ESCAPE]
        # No more of them than it takes: nearly always it is one.
        free = list(islice((chr(code) for code in range(_FIRST, _LAST + 1) if chr(code) not in used), len(halves)))
        if len(halves) > len(free):
            raise LookupError("more kinds of halves than characters to stand in for them")
        pairs = list(zip(halves, free, strict=True))
        # Stand-in → the half as it was written, and as a character of a text.
        self._escapes = {_escape(character): half for half, character in pairs}
        self._halves = {ord(character): chr(int(half[2:], 16)) for half, character in pairs}
        written = {half: _escape(character) for half, character in pairs}
        self.json = b"".join([piece for before, half in parts for piece in (before, written.get(half, half))])

    def restored(self, value: T, passes_on: frozenset[str], name: str = "") -> T:
        """`value`, decoded from `json`, with the halves in JSON that is not read, and in texts of the names in `passes_on`.

        Raises HalfCharacter where one is in any other text.
        """
        result: Any = value
        match result:
            case Raw():
                result = Raw(self._restored_json(bytes(result)))
            case str():
                result = self._restored_text(result, passes_on, name)
            case list():
                result = [self.restored(item, passes_on, name) for item in result]
            case Struct():
                for field in result.__struct_fields__:
                    self._restore_field(result, field, passes_on)
        return result  # type: ignore[no-any-return] # of the type that it had

    def _restore_field(self, struct: Struct, field: str, passes_on: frozenset[str]) -> None:
        before = getattr(struct, field)
        after = self.restored(before, passes_on, field)
        # A frozen value holds texts only that may have no halves: they stay what they are.
        if after is not before:
            setattr(struct, field, after)

    def _restored_json(self, data: bytes) -> bytes:
        return b"".join([self._escapes.get(part, part) for part in _PRIVATE_ESCAPES.split(data)])

    def _restored_text(self, text: str, passes_on: frozenset[str], name: str) -> str:
        restored = text.translate(self._halves)
        if restored == text:
            return text
        if name not in passes_on:
            raise HalfCharacter(name, _HALF.findall(restored)[0])
        return restored


def stand_ins_for(data: bytes | bytearray | Raw | str) -> StandIns | None:
    """`data` with something else for its halves of characters; None where it has none, or too many, or too many kinds."""
    try:
        raw = data.encode() if isinstance(data, str) else bytes(data)
        most = _MOST_HALVES + len(raw) // _BYTES_A_HALF
        parts = [(found[1], found[2]) for found in islice(_UP_TO_A_HALF.finditer(raw), most + 1)]
        # The last one ends with the text, unless there are more of them.
        return StandIns(raw, parts) if len(parts[0][1]) == _ESCAPE and len(parts[-1][1]) < _ESCAPE else None
    except (UnicodeEncodeError, LookupError):
        return None


def text_json(text: str) -> bytes:
    """`text` as a JSON string."""
    try:
        return orjson.dumps(text)
    except TypeError:
        return b'"%b"' % b"".join([_escaped(piece) for piece in _HALF.split(text)])


def json_bytes(json_text: str) -> bytes:
    """JSON as bytes; halves of characters become escapes, which they can only be in a string of it."""
    try:
        return json_text.encode()
    except UnicodeEncodeError:
        return _HALF.sub(lambda half: _escape(half[0]).decode(), json_text).encode()


def dumps(value: object) -> bytes:
    """`value` as JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def loads(data: bytes) -> Any:
    """The value of JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def _escape(character: str) -> bytes:
    return b"\\u%04x" % ord(character)


def _escaped(piece: str) -> bytes:
    """A piece of a text, which is half of a character or has none, to stand in a JSON string."""
    return _escape(piece) if _HALF.fullmatch(piece) else orjson.dumps(piece)[1:-1]
