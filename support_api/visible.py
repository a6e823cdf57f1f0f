"""What can be seen of a text. A name is shown to others as somebody's: it holds nothing that hides or turns the text around
it. Pure; must not know whose name it is.
"""

from __future__ import annotations

import unicodedata

JOINERS = frozenset("\u200c\u200d")
"""Persian and Indic names need them between letters (ZWNJ, ZWJ), emoji of several between their parts (ZWJ)."""

FLAG = "\U0001f3f4"
TAGS = range(0xE0020, 0xE0080)
"""The black flag, and what makes it England's, Scotland's or Wales's when it follows."""

BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""What Unicode calls letters, marks and symbols, and nobody sees: fillers of Hangul, the empty Braille cell and the like."""

_HIDDEN = frozenset({"Cc", "Cf"})
_SHOWN = frozenset("LNPS")


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
        elif unicodedata.category(one) not in _HIDDEN and one not in BLANKS:
            kept += one
    return kept.rstrip("\u200c\u200d")


def _is_in_flag(before: str) -> bool:
    return before.endswith(FLAG) or (before != "" and ord(before[-1]) in TAGS)
