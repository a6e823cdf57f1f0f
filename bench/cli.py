"""The command line of the generator: measure one server, or start two in turn and compare them."""

import datetime
import gc
import json
import resource
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from bench import floor, report, servers
from bench.report import Round
from bench.result import Result
from bench.scenarios import SCENARIOS
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
@click.option(
    "--peer", type=click.Path(exists=True, path_type=Path), required=True, help="Script that starts the peer."
)
@click.option("--peer-app-id", default="1", show_default=True, help="The id of the app that the peer serves.")
@click.option(
    "--floor", "floor_folder", type=click.Path(exists=True, path_type=Path), help="Folder of limit.c, sink.c."
)
@click.option("--config", type=click.Path(exists=True, path_type=Path), help="Settings of our relay.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@_scenarios
@_json
@_scale
@_tiny
def compare(
    peer: Path,
    peer_app_id: str,
    floor_folder: Path | None,
    config: Path | None,
    rounds: int,
    names: tuple[str, ...],
    json_file: Path | None,
    scale: float,
    *,
    tiny: bool,
) -> None:
    """Start our relay and a peer in turn, round by round, a fresh one for each scenario, and compare them."""
    servers.pin_generator()
    sizes = TINY if tiny else Sizes().scaled(scale)
    sides = [servers.ours(config) if config else servers.ours(), servers.peer(peer, peer_app_id)]
    with ExitStack() as stack:
        programs = stack.enter_context(floor.compiled(floor_folder)) if floor_folder else None
        measured: list[Round] = []
        for number in range(rounds):
            click.echo(f"round {number + 1} of {rounds}", err=True)
            measured.append(_round(sides, programs, names or tuple(SCENARIOS), sizes))
            _write(measured, sides[0].name, sides[1].name, json_file)
    _finish(measured, sides[0].name, sides[1].name, json_file)


def _round(
    sides: list[servers.Server], programs: Path | None, names: tuple[str, ...], sizes: Sizes
) -> dict[str, dict[str, Result]]:
    results: dict[str, dict[str, Result]] = {side.name: {} for side in sides}
    for name in names:
        for side in sides:
            click.echo(f"  {name}: {side.name}", err=True)
            with servers.running(side) as target:
                results[side.name][name] = SCENARIOS[name](target, sizes)
            gc.collect()
        if programs is not None and name == "fan-out":
            results["floor"] = {name: floor.run(programs, sizes)}
    return results


def _finish(rounds: list[Round], ours: str, other: str | None, json_file: Path | None) -> None:
    """Print the table and write the file."""
    click.echo(f"{report.machine()}\n{_now()}\n{_command()}\n")
    click.echo(report.table(rounds, ours, other))
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
