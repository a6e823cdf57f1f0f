"""From results to a table: medians, spread, and ratios taken round by round, so that a noisy minute harms both sides."""

import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.catalogue import FIGURES, Figure
from bench.result import Result

# One round: server → scenario → result.
Round = Mapping[str, Mapping[str, Result]]


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the least and the most."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.least)}–{number(self.most)})"


@dataclass(frozen=True)
class Row:
    """One figure of all servers; `ratio` is ours ÷ the peer's."""

    figure: Figure
    servers: Mapping[str, Spread]
    ratio: Spread | None


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values: Sequence[float]) -> Spread:
    """Of one value or more."""
    return Spread(statistics.median(values), min(values), max(values))


def values_of(rounds: Sequence[Round], server: str, name: str) -> list[float | None]:
    """A figure round by round, None where a round has none."""
    return [
        next(
            (found for result in one.get(server, {}).values() if (found := result.figures.get(name)) is not None), None
        )
        for one in rounds
    ]


def rows(rounds: Sequence[Round], ours: str, other: str | None) -> list[Row]:
    """The figures of the catalogue that were measured."""
    table = []
    servers = list(dict.fromkeys(server for one in rounds for server in one))
    for figure in FIGURES:
        values = {server: values_of(rounds, server, figure.name) for server in servers}
        present = {server: [value for value in found if value is not None] for server, found in values.items()}
        spreads = {server: spread(found) for server, found in present.items() if found}
        pairs = zip(values.get(ours, ()), values.get(other or "", ()), strict=False)
        ratios = [mine / theirs for mine, theirs in pairs if mine is not None and theirs]
        if spreads:
            table.append(Row(figure, spreads, spread(ratios) if ratios else None))
    return table


def busy_rows(rounds: Sequence[Round]) -> list[tuple[str, dict[str, str]]]:
    """How much of its core the server and the generator used, per group: a saturated generator measures itself."""
    servers = list(dict.fromkeys(server for one in rounds for server in one))
    groups = dict.fromkeys(
        name.removesuffix(".generator_busy")
        for one in rounds
        for scenarios in one.values()
        for result in scenarios.values()
        for name in result.figures
        if name.endswith(".generator_busy")
    )
    table = []
    for group in groups:
        cells = {}
        for server in servers:
            shares = [
                [value for value in values_of(rounds, server, f"{group}.{who}_busy") if value is not None]
                for who in ("server", "generator")
            ]
            if any(shares):
                cells[server] = " · ".join(f"{statistics.median(share):.0%}" if share else "–" for share in shares)
        table.append((group, cells))
    return table


def table(rounds: Sequence[Round], ours: str, other: str | None) -> str:
    """The whole report in Markdown."""
    servers = list(dict.fromkeys(server for one in rounds for server in one))
    head = ["figure", *servers, *(["ratio", "target"] if other else [])]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows(rounds, ours, other):
        unit = f" ({row.figure.unit})" if row.figure.unit else ""
        cells = [row.figure.label + unit, *(str(row.servers.get(server, "")) for server in servers)]
        if other:
            cells += [f"{row.ratio} ×" if row.ratio else "", _target(row)]
        lines.append(_line(cells))
    head = ["CPU used: server · generator", *servers]
    lines += ["", _line(head), _line(["---"] * len(head))]
    lines += [_line([group, *(cells.get(server, "") for server in servers)]) for group, cells in busy_rows(rounds)]
    lines += ["", *_deliveries(rounds, servers)]
    return "\n".join(lines)


def as_json(rounds: Sequence[Round], ours: str, other: str | None) -> dict[str, object]:
    """The same with every value of every round."""
    return {
        "machine": machine(),
        "rounds": [
            {
                server: {name: result.as_json() for name, result in scenarios.items()}
                for server, scenarios in one.items()
            }
            for one in rounds
        ],
        "summary": [asdict(row) for row in rows(rounds, ours, other)],
    }


def machine() -> str:
    """Processor, cores and system."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    cores = sum(line.startswith("processor") for line in lines)
    return f"{model}, {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _target(row: Row) -> str:
    if row.figure.target is None:
        return ""
    sign = "≤" if row.figure.better == "less" else "≥"
    met = row.figure.is_met(row.ratio.median) if row.ratio else None
    return f"{sign} {row.figure.target} {'' if met is None else 'met' if met else '**missed**'}".rstrip()


def _deliveries(rounds: Sequence[Round], servers: Sequence[str]) -> list[str]:
    """One line a server: what became of all deliveries."""
    lines = []
    for server in servers:
        results = [result for one in rounds for result in one.get(server, {}).values()]
        verdicts = [asdict(result.verdict) for result in results]
        sums = {name: sum(verdict[name] for verdict in verdicts) for name in verdicts[0]}
        if sums["expected"]:
            refused = sum(result.refused for result in results)
            counts = ", ".join(f"{value:,} {name}" for name, value in sums.items())
            lines.append(f"Deliveries of {server}: {counts}; {refused:,} triggers refused.")
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
