"""Metrics of several processes, added up to those of one. Plain values; must not know the library or the processes.

Counters and histograms are sums, and never go back: what an ended process counted stays in them. Gauges are sums of what is
alive, but where each process says the same of all of them, or the worst is what matters: times, and what is up.
"""

from collections.abc import Callable, Iterable
from typing import Final, Literal

from msgspec import Struct

Labels = tuple[tuple[str, str], ...]


class Sample(Struct, frozen=True, gc=False):
    """One figure of a metric."""

    name: str
    labels: Labels
    value: float


class Family(Struct, frozen=True):
    """A metric with all its figures."""

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram"]
    samples: tuple[Sample, ...]


# Gauges that are not added up, by what their names end with.
_CHOSEN: Final[tuple[tuple[str, Callable[[float, float], float]], ...]] = (
    ("_seconds", max),
    ("_nodes", max),
    ("_up", min),
)


class Ended:
    """What the processes counted that have ended."""

    def __init__(self) -> None:
        self._families: list[Family] = []

    @property
    def families(self) -> list[Family]:
        """The sum of it."""
        return self._families

    def add(self, families: Iterable[Family]) -> None:
        """A process has ended that last told this."""
        counted = [family for family in families if family.kind != "gauge"]
        self._families = add_up([self._families, counted])


def add_up(processes: Iterable[Iterable[Family]]) -> list[Family]:
    """The metrics of all processes, in the order in which they first appear."""
    families: dict[str, Family] = {}
    samples: dict[str, dict[tuple[str, Labels], float]] = {}
    for process in processes:
        for family in process:
            families.setdefault(family.name, family)
            _add(samples.setdefault(family.name, {}), family)
    return [
        Family(name, family.help, family.kind, tuple(Sample(*key, value) for key, value in samples[name].items()))
        for name, family in families.items()
    ]


def _add(totals: dict[tuple[str, Labels], float], family: Family) -> None:
    together: Callable[[float, float], float] = _sum
    if family.kind == "gauge":
        together = next((choose for ending, choose in _CHOSEN if family.name.endswith(ending)), _sum)
    for sample in family.samples:
        key = (sample.name, sample.labels)
        totals[key] = together(totals[key], sample.value) if key in totals else sample.value


def _sum(one: float, other: float) -> float:
    return one + other
