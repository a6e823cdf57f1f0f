"""What can be seen of a text. A name is shown to others as somebody's: it holds nothing that hides or turns the text around
it. Pure; must not know whose name it is.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

# Persian and Indic names need them between letters (ZWNJ, ZWJ), emoji of several between their parts (ZWJ).
JOINERS: Final = frozenset("\u200c\u200d")

FLAG: Final = "\U0001f3f4"
# The black flag, and what makes it England's, Scotland's or Wales's when it follows.
TAGS: Final = range(0xE0020, 0xE0080)

# What Unicode calls letters, marks and symbols, and nobody sees: fillers of Hangul, the empty Braille cell and the like.
BLANKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159")

# They choose a form of the emoji, ideograph or Mongolian letter before them. After a letter of ours they change nothing, and
# make another name that looks the same.
VARIATIONS: Final = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))

# What Unicode keeps for characters that will not be seen either.
RESERVED: Final = (range(0x2065, 0x2066), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))

# Marks over and under one letter, more than any language has: a pile of them covers the lines around.
MAX_MARKS: Final = 6

_HIDDEN: Final = frozenset({"Cc", "Cf"})
_SHOWN: Final = frozenset("LNPS")
_CASED: Final = frozenset({"Lu", "Ll"})


def shows_something(text: str) -> bool:
    """Whether anybody sees anything of a text: a letter, a digit, a sign, an emoji."""
    return any(unicodedata.category(one)[0] in _SHOWN and one not in BLANKS for one in text)


def clean_name(text: str) -> str:
    """A name in one line: runs of white space are one space, what cannot be seen is gone. Empty when nothing is left that
    can be seen."""
    name = " ".join(_clean_word(word) for word in text.split())
    return " ".join(name.split()) if shows_something(name) else ""


def _clean_word(word: str) -> str:
    kept = ""
    for one in word:
        if one in JOINERS:
            kept = kept.rstrip("\u200c\u200d") + one if kept else ""
        elif ord(one) in TAGS:
            kept += one if _is_in_flag(kept) else ""
        elif _is_kept(one, kept):
            kept += one
    return kept.rstrip("\u200c\u200d")


def _is_kept(one: str, before: str) -> bool:
    if _is_of(VARIATIONS, one):
        return before != "" and not _is_of(VARIATIONS, before[-1]) and unicodedata.category(before[-1]) not in _CASED
    category = unicodedata.category(one)
    if category in _HIDDEN or one in BLANKS or _is_of(RESERVED, one):
        return False
    return category[0] != "M" or len(before) < MAX_MARKS or not all(map(_is_mark, before[-MAX_MARKS:]))


def _is_mark(one: str) -> bool:
    return unicodedata.category(one)[0] == "M"


def _is_of(ranges: Sequence[range], one: str) -> bool:
    return any(ord(one) in some for some in ranges)


def _is_in_flag(before: str) -> bool:
    return before.endswith(FLAG) or (before != "" and ord(before[-1]) in TAGS)
