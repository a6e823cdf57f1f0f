"""Which content coding a client takes (RFC 9110, section 12.5.3). Pure; must not know files."""

from collections.abc import Collection
from typing import Final

# What we may have, the smallest first.
CODINGS: Final = ("br", "gzip", "identity")

_ALIASES: Final = {"x-gzip": "gzip"}

# Weight of no coding at all where the header does not name it: acceptable, below each that the header names.
_UNLISTED_IDENTITY: Final = 0.0001


def choose_coding(header: str | None, offered: Collection[str]) -> str:
    """The coding of an answer: of those offered the one that the client weighs most, of equal ones the smallest.

    `header` is Accept-Encoding; without it, and where it takes nothing that is offered, the answer is `identity`: a
    client that reads the file anyway is served better than by a 406.
    """
    weights = _weights(header or "")
    ranked = [(_weight(coding, weights), coding) for coding in CODINGS if coding in offered]
    weight, best = max(ranked, key=lambda pair: pair[0], default=(0.0, "identity"))
    return best if weight > 0 else "identity"


def _weight(coding: str, weights: dict[str, float]) -> float:
    unlisted = _UNLISTED_IDENTITY if coding == "identity" else 0.0
    return weights.get(coding, weights.get("*", unlisted))


def _weights(header: str) -> dict[str, float]:
    weights = {}
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights[_ALIASES.get(name, name)] = _quality(parameters)
    return weights


def _quality(parameters: list[str]) -> float:
    """What q says; 1 without it, and 0 where it is not a number from 0 to 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return _number(value.strip())
    return 1.0


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0
