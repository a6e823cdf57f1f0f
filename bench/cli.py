"""The command line of the generator: measure one server, or start two in turn and compare them."""

import datetime
import gc
import json
import resource
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
from msgspec.structs import replace

from bench import desks, floor, model, report, servers
from bench.report import Round
from bench.result import Result
from bench.scenarios import DESKS, FAULTS, SCENARIOS
from bench.sizes import TINY, Sizes
from bench.target import Target

_scenarios = click.option(
    "--scenario", "names", multiple=True, type=click.Choice(list(SCENARIOS)), help="Only this one; may be repeated."
)
_json = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all values to this file.")
_scale = click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Times the usual number of events: less for more and shorter rounds.",
)
_FEW: Final = click.IntRange(1, servers.MOST_NODES)
_tiny = click.option("--tiny", is_flag=True, help="Very small counts: does it work? No figures.")


@click.group()
def main() -> None:
    """Measure Pusher-compatible servers."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Ended from outside, it still stops the server that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Nothing here makes cycles that matter within one scenario; a collection in the middle of one would be measured.
    gc.disable()


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, required=True)
@click.option("--app-id", required=True)
@click.option("--key", required=True)
@click.option("--secret", required=True)
@click.option("--pid", type=int, help="The server's process on this machine, to read its CPU and memory from /proc.")
@_scenarios
@_json
@_scale
@_tiny
def run(
    host: str,
    port: int,
    app_id: str,
    key: str,
    secret: str,
    pid: int | None,
    names: tuple[str, ...],
    json_file: Path | None,
    scale: float,
    *,
    tiny: bool,
) -> None:
    """Measure one server that runs already. Exit code 1 when a delivery was lost, doubled or out of order."""
    servers.pin_generator()
    target = Target(host, port, app_id, key, secret, pid)
    sizes = TINY if tiny else Sizes().scaled(scale)
    results = {name: SCENARIOS[name](target, sizes) for name in names or SCENARIOS}
    _finish([{"server": results}], "server", None, json_file)


@main.command()
@click.option("--peer", type=click.Path(exists=True, path_type=Path), help="Script that starts the peer.")
@click.option("--peer-app-id", default="1", show_default=True, help="The id of the app that the peer serves.")
@click.option("--nodes", type=_FEW, default=1, show_default=True, help="So many of our relays, which share a Redis.")
@click.option("--peer-nodes", type=_FEW, default=1, show_default=True, help="So many of the peer.")
@click.option("--redis", "has_redis", is_flag=True, help="Start a Redis for each side, also for a single node of ours.")
@click.option("--workers", type=_FEW, default=1, show_default=True, help="Our relay with so many workers on one port.")
@click.option("--alone", is_flag=True, help="Measure each side of several processes as one process too.")
@click.option(
    "--floor", "floor_folder", type=click.Path(exists=True, path_type=Path), help="Folder of limit.c, sink.c."
)
@click.option("--config", type=click.Path(exists=True, path_type=Path), default=servers.CONFIG, help="Our settings.")
@click.option("--rate", type=click.FloatRange(min=1), help="Triggers a second of the scenario cluster.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--scenario", "names", multiple=True, type=click.Choice([*SCENARIOS, *FAULTS]), help="Only this; may be repeated."
)
@_json
@_scale
@_tiny
def compare(
    peer: Path | None,
    peer_app_id: str,
    nodes: int,
    peer_nodes: int,
    workers: int,
    floor_folder: Path | None,
    config: Path,
    rate: float | None,
    rounds: int,
    names: tuple[str, ...],
    json_file: Path | None,
    scale: float,
    *,
    has_redis: bool,
    alone: bool,
    tiny: bool,
) -> None:
    """Start our relay and a peer in turn, round by round, a fresh one for each scenario, and compare them.

    Without a peer, our relay of several processes is compared with one process of it.
    """
    if max(nodes, peer_nodes) > 1 and not has_redis:
        raise click.UsageError("Several nodes share a Redis: add --redis.")
    servers.pin_generator()
    sizes = TINY if tiny else Sizes().scaled(scale)
    sizes = sizes if rate is None else replace(sizes, cluster_rate=rate)
    sides = [servers.ours(config, nodes, workers, has_redis=has_redis)]
    if peer is not None:
        sides.append(servers.peer(peer, peer_app_id, peer_nodes, has_redis=has_redis))
    of_several = {side.name: side.alone().name if alone else None for side in sides if not side.is_one_process}
    other = sides[1].name if peer is not None else next(iter(of_several.values()), None)
    if alone:
        sides += [side.alone() for side in sides if side.name in of_several]
    with ExitStack() as stack:
        programs = stack.enter_context(floor.compiled(floor_folder)) if floor_folder else None
        measured: list[Round] = []
        for number in range(rounds):
            click.echo(f"round {number + 1} of {rounds}", err=True)
            measured.append(_round(sides, programs, names or tuple(SCENARIOS), sizes))
            _write(measured, sides[0].name, other, json_file)
    _finish(measured, sides[0].name, other, json_file, of_several)


@main.command()
@click.option("--database", "database_url", help="URL of an empty database; else an SQLite file for each scenario.")
@click.option("--rounds", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--scenario", "names", multiple=True, type=click.Choice(list(DESKS)), help="Only this; may be repeated.")
@_json
@_scale
@_tiny
def desk(
    database_url: str | None,
    rounds: int,
    names: tuple[str, ...],
    json_file: Path | None,
    scale: float,
    *,
    tiny: bool,
) -> None:
    """Start a relay and a support desk before it, a fresh pair for each scenario, and measure the desk."""
    servers.pin_generator()
    sizes = TINY if tiny else Sizes().scaled(scale)
    side = "desk" if database_url is None else f"desk on {database_url.partition(':')[0]}"
    measured: list[Round] = []
    for number in range(rounds):
        click.echo(f"round {number + 1} of {rounds}", err=True)
        results: dict[str, Result] = {}
        for name in names or DESKS:
            click.echo(f"  {name}", err=True)
            with desks.running(database_url) as running:
                results[name] = DESKS[name](running, sizes)
        measured.append({side: results})
        _write(measured, side, None, json_file)
    _finish(measured, side, None, json_file)


def _round(
    sides: list[servers.Side], programs: Path | None, names: tuple[str, ...], sizes: Sizes
) -> dict[str, dict[str, Result]]:
    results: dict[str, dict[str, Result]] = {side.name: {} for side in sides}
    for name in names:
        for side in sides:
            if name in FAULTS and side.nodes == 1:
                continue
            click.echo(f"  {name}: {side.name}", err=True)
            with servers.running(side, has_uplink=name == "heal") as target:
                results[side.name][name] = {**SCENARIOS, **FAULTS}[name](target, sizes)
            gc.collect()
        if programs is not None and name == "fan-out":
            results["floor"] = {name: floor.run(programs, sizes)}
    return results


def _finish(
    rounds: list[Round],
    ours: str,
    other: str | None,
    json_file: Path | None,
    of_several: Mapping[str, str | None] | None = None,
) -> None:
    """Print the table and write the file."""
    click.echo(f"{report.machine()}\n{_now()}\n{_command()}\n")
    click.echo(report.table(rounds, ours, other, of_several))
    _write(rounds, ours, other, json_file)
    if not all(result.is_clean for one in rounds for result in one.get(ours, {}).values()):
        click.echo("Some deliveries did not arrive as they should: see the lines above.", err=True)
        sys.exit(1)


def _write(rounds: list[Round], ours: str, other: str | None, json_file: Path | None) -> None:
    """Write all values until now: what was measured outlives a run that is broken off."""
    if json_file is not None:
        document = {"date": _now(), "command": _command(), **report.as_json(rounds, ours, other)}
        json_file.write_text(json.dumps(document, indent=1, ensure_ascii=False))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _command() -> str:
    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])


@main.command(name="model")
def show_model() -> None:
    """Print the growth model: what nodes and Redis would be busy with, computed from measured costs, not measured."""
    click.echo(model.table())
