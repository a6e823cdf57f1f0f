"""From results to a table: medians, spread, and ratios taken round by round, so that a noisy minute harms both sides."""

import operator
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, to_builtins
from msgspec.structs import asdict

from bench.catalogue import DESK_FIGURES, FAULT_FIGURES, FIGURES, Figure
from bench.result import Result

# One round: server → scenario → result.
Round = Mapping[str, Mapping[str, Result]]


class Spread(Struct, frozen=True):
    """The median of some rounds, the least and the most."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.least)}–{number(self.most)})"


class Row(Struct, frozen=True):
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
    for figure in (*FIGURES, *FAULT_FIGURES, *DESK_FIGURES):
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
            shares = [_median(rounds, server, f"{group}.{who}_busy") for who in ("server", "generator")]
            if any(share is not None for share in shares):
                cells[server] = " · ".join("–" if share is None else f"{share:.0%}" for share in shares)
        table.append((group, cells))
    return table


def several(rounds: Sequence[Round], server: str, alone: str | None) -> list[str]:
    """A table for a server of several processes: what each of them uses, and what that is against one process alone.

    "Possible" is what the busiest process could do, had it a core of its own: the worth of their number, also where they
    have to share cores or the generator is what limits.
    """
    head = [
        f"{server}, µs of CPU",
        *(["alone", "all nodes", "adds"] if alone else ["all nodes"]),
        "Redis",
        "each · Redis",
    ]
    head += ["possible a second", *(["times alone"] if alone else [])]
    lines = [_line(head), _line(["---"] * len(head))]
    for figure in FIGURES:
        group, _, name = figure.name.partition(".")
        if name != "server_us" or _median(rounds, server, figure.name) is None:
            continue
        cells = [figure.label.replace("server CPU ", ""), _cell(rounds, server, figure.name)]
        if alone:
            cells.insert(1, _cell(rounds, alone, figure.name))
            cells.append(_against(rounds, server, alone, figure.name, operator.sub))
        cells += [_cell(rounds, server, f"{group}.redis_us"), _shares(rounds, server, group)]
        cells.append(_cell(rounds, server, f"{group}.possible"))
        if alone:
            cells.append(_against(rounds, server, alone, f"{group}.possible", operator.truediv))
        lines.append(_line(cells))
    return lines


def table(
    rounds: Sequence[Round], ours: str, other: str | None, of_several: Mapping[str, str | None] | None = None
) -> str:
    """The whole report in Markdown; `of_several` has the servers of several processes, each with its name alone or None."""
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
    for server, alone in (of_several or {}).items():
        lines += ["", *several(rounds, server, alone)]
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
        "summary": [to_builtins(row) for row in rows(rounds, ours, other)],
    }


def machine() -> str:
    """Processor, cores and system."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    cores = sum(line.startswith("processor") for line in lines)
    return f"{model}, {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _median(rounds: Sequence[Round], server: str, name: str) -> float | None:
    found = [value for value in values_of(rounds, server, name) if value is not None]
    return statistics.median(found) if found else None


def _cell(rounds: Sequence[Round], server: str, name: str) -> str:
    found = [value for value in values_of(rounds, server, name) if value is not None]
    return str(spread(found)) if found else "–"


def _against(
    rounds: Sequence[Round], server: str, alone: str, name: str, compute: Callable[[float, float], float]
) -> str:
    """Difference or ratio, taken round by round."""
    pairs = zip(values_of(rounds, server, name), values_of(rounds, alone, name), strict=True)
    found = [compute(many, one) for many, one in pairs if many is not None and one]
    return str(spread(found)) if found else "–"


def _shares(rounds: Sequence[Round], server: str, group: str) -> str:
    """How busy each process was, and Redis: "52% + 48% · 9%"."""
    shares: list[str] = []
    while (share := _median(rounds, server, f"{group}.node_{len(shares) + 1}_busy")) is not None:
        shares.append(f"{share:.0%}")
    redis = _median(rounds, server, f"{group}.redis_busy")
    return " + ".join(shares) + ("" if redis is None else f" · {redis:.0%}")


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
