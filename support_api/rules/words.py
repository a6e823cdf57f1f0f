"""What counts as a word when texts are searched, and where in a text words stand. Pure.

Index and question are cut alike, so that no database has an opinion of its own. Case does not count, and ё is е.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

# Characters of a word that count; what differs later is the same to the search.
WORD_LENGTH: Final = 64

# Characters of a text that are shown around what was found.
EXCERPT: Final = 160

_WORD: Final = re.compile(r"[^\W_]+")


class Part(Struct, frozen=True):
    """A piece of a text; `is_hit`: a word that was looked for."""

    text: str
    is_hit: bool


def words_of(text: str) -> list[str]:
    """List the words of a text, each once, in the order in which they come."""
    return list(dict.fromkeys(_plain(word) for word in _WORD.findall(_normal(text))))


def excerpt(text: str, words: Sequence[str]) -> list[Part]:
    """Cut a text around the first word that was found, and take it apart into hits and what stands between them."""
    found = _hits(text, words)
    first = found[0][0] if found else 0
    start = max(0, first - EXCERPT // 4)
    end = min(len(text), start + EXCERPT)
    parts: list[Part] = [Part("…", is_hit=False)] if start else []
    at = start
    for begin, stop in found:
        if stop > end:
            break
        parts += [Part(text[at:begin], is_hit=False), Part(text[begin:stop], is_hit=True)]
        at = stop
    parts.append(Part(text[at:end] + ("…" if end < len(text) else ""), is_hit=False))
    return [part for part in parts if part.text]


def _hits(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where hits stand, from the first one as far as an excerpt may reach."""
    found: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        if found and match.end() > found[0][0] + EXCERPT:
            break
        if _is_hit(match[0], words):
            found.append(match.span())
    return found


def is_whole(word: str) -> bool:
    """Whether only the whole word is meant: of one letter, nearly every text has a word that begins with it."""
    return len(word) == 1


def _is_hit(piece: str, words: Sequence[str]) -> bool:
    return any(part == word if is_whole(word) else part.startswith(word) for part in words_of(piece) for word in words)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")


def _plain(word: str) -> str:
    return word[:WORD_LENGTH]
