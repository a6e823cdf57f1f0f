"""Typed values from JSON that a stranger sent: every way in which it can be wrong ends in one exception.

Must not know what the values mean.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

# What msgspec raises for bad syntax, a wrong type or a broken limit, for bytes that are not UTF-8 or text that cannot be,
# and for JSON nested deeper than the interpreter's stack.
_DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Malformed(ValueError):
    """The JSON is broken or has another shape than expected. The text says what was expected, and where."""


def decoder(shape: type[T]) -> Callable[[bytes | bytearray | msgspec.Raw | str], T]:
    """A function that decodes JSON into `shape`. It raises Malformed."""
    decode = msgspec.json.Decoder(shape).decode

    def decode_or_raise(data: bytes | bytearray | msgspec.Raw | str) -> T:
        try:
            return decode(data)
        except _DECODE_ERRORS as error:
            raise Malformed(str(error) or type(error).__name__) from None

    return decode_or_raise
