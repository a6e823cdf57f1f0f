"""Metrics of several processes, added up to those of one. Plain values; must not know the library or the processes.

Counters and histograms are sums, and never go back: what an ended process counted stays in them. Gauges are sums of what is
alive, but for those in seconds, where the worst counts.
"""

from collections.abc import Iterable
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


_WORST: Final = "_seconds"


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
    is_worst = family.kind == "gauge" and family.name.endswith(_WORST)
    for sample in family.samples:
        key = (sample.name, sample.labels)
        before = totals.get(key, 0.0)
        totals[key] = max(before, sample.value) if is_worst else before + sample.value
