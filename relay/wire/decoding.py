"""Typed values from JSON that a stranger sent: every way in which it can be wrong ends in one exception.

Must not know what the values mean.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import msgspec

from relay.wire.halves import HalfCharacter, stand_ins_for

T = TypeVar("T")

# What msgspec raises for bad syntax, a wrong type or a broken limit, for bytes that are not UTF-8 or text that cannot be,
# and for JSON nested deeper than the interpreter's stack.
_DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Malformed(ValueError):
    """The JSON is broken or has another shape than expected. The text says what was expected, and where."""


def decoder(shape: type[T], passes_on: Iterable[str] = ()) -> Callable[[bytes | bytearray | msgspec.Raw | str], T]:
    """A function that decodes JSON into `shape`. It raises Malformed.

    `passes_on` names the texts that are only passed on: like JSON that is not read (Raw), they may hold halves of characters.
    """
    decode, tolerant = msgspec.json.Decoder(shape).decode, frozenset(passes_on)

    def decode_or_raise(data: bytes | bytearray | msgspec.Raw | str) -> T:
        try:
            return decode(data)
        except _DECODE_ERRORS as error:
            stand_ins = stand_ins_for(data)
            if stand_ins is None:
                raise Malformed(str(error) or type(error).__name__) from None
        try:
            return stand_ins.restored(decode(stand_ins.json), tolerant)
        except (*_DECODE_ERRORS, HalfCharacter) as error:
            raise Malformed(str(error) or type(error).__name__) from None

    return decode_or_raise
