"""bench/ runs against a real relay and checks what it says it checks. Nothing here depends on how fast the machine is."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import frames, report, servers
from bench.catalogue import FIGURES, Figure
from bench.checks import stamp, verify
from bench.process import Usage
from bench.report import Round
from bench.result import Result
from bench.scenarios import SCENARIOS
from bench.sizes import TINY
from bench.target import Target

ROOT = Path(__file__).parents[2]

# TINY has groups of other sizes than the catalogue's, which need the default counts.
GROUPS = {"fanout_100": "fanout_3", "fanout_1000": "fanout_7", "fanout_one_100": "fanout_one_3"}


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with servers.running(servers.ours(), is_pinned=False) as target:
        yield target


@pytest.fixture(scope="module")
def results(relay: Target) -> dict[str, Result]:
    return {name: scenario(relay, TINY) for name, scenario in SCENARIOS.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_delivery_of_a_scenario_arrives_once_and_in_order(results: dict[str, Result], name: str) -> None:
    assert results[name].is_clean, results[name]


def test_the_scenarios_check_deliveries_and_not_nothing(results: dict[str, Result]) -> None:
    assert all(result.verdict.expected for name, result in results.items() if name != "connections")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_run_fills_every_figure_of_the_catalogue(results: dict[str, Result], figure: Figure) -> None:
    group, _, name = figure.name.partition(".")
    found = {name: value for result in results.values() for name, value in result.figures.items()}
    assert found[f"{GROUPS.get(group, group)}.{name}"] is not None


def test_the_report_holds_ratios_busy_shares_and_deliveries(results: dict[str, Result]) -> None:
    rounds: list[Round] = [{"relay": results, "peer": results}]
    document = json.loads(json.dumps(report.as_json(rounds, "relay", "peer")))
    assert document.keys() == {"machine", "rounds", "summary"}
    ratios = {row["figure"]["name"]: row["ratio"] for row in document["summary"]}
    assert ratios["trigger_64.per_second"] == {"median": 1.0, "least": 1.0, "most": 1.0}
    text = report.table(rounds, "relay", "peer")
    assert "triggers a second, 64 at once, kept alive" in text
    assert "CPU used: server · generator" in text
    assert "Deliveries of relay:" in text


def test_the_command_line_measures_a_running_server(relay: Target, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    credentials = ["--port", str(relay.port), "--app-id", relay.app_id, "--key", relay.key, "--secret", relay.secret]
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        *credentials,
        "--scenario",
        "presence",
        "--tiny",
        "--json",
        str(file),
    ]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(file.read_text())["rounds"][0]["server"]["presence"]
    assert measured["figures"]["presence.per_second"] > 0
    assert measured["figures"]["presence.server_us"] is None
    assert measured["deliveries"]["lost"] == 0


def test_a_server_of_several_processes_has_a_table_of_what_they_add() -> None:
    group = "trigger_64"
    both = Usage(1.0, 0.1, (0.03, 0.02), 0.01).figures(group, 1_000)
    one = Usage(1.0, 0.1, (0.02,)).figures(group, 1_000)
    rounds: list[Round] = [{"two": {"triggers": Result(both)}, "one": {"triggers": Result(one)}}]
    head, _, *lines = report.several(rounds, "two", "one")
    assert head.startswith("| two, µs of CPU | alone | all nodes | adds |")
    assert len(lines) == 1
    cells = [cell.split(" (")[0] for cell in lines[0].strip("| ").split(" | ")]
    assert cells[1:] == ["20.0", "50.0", "30.0", "10.0", "3% + 2% · 1%", "33,333", "0.67"]


def _stream(*numbers: int) -> bytes:
    """What a server sends: events of publisher 0 with these numbers."""
    payloads = [f'{{"event":"bench","data":"{stamp(0, number)}"}}'.encode() for number in numbers]
    return b"".join(b"\x81\x7e" + len(payload).to_bytes(2) + payload for payload in payloads)


@pytest.mark.parametrize(
    ("numbers", "lost", "doubled", "misordered"),
    [((0, 1, 2), 0, 0, 0), ((0, 2), 1, 0, 0), ((0, 1, 1, 2), 0, 1, 0), ((0, 2, 1), 0, 0, 1), ((), 3, 0, 0)],
)
def test_a_stream_with_a_fault_gets_the_verdict(
    numbers: tuple[int, ...], lost: int, doubled: int, misordered: int
) -> None:
    verdict = verify(_stream(*numbers), {0: 3})
    assert (verdict.lost, verdict.doubled, verdict.misordered) == (lost, doubled, misordered)
    assert verdict.is_clean is (numbers == (0, 1, 2))


def test_changed_data_and_a_cut_frame_are_strange() -> None:
    assert verify(_stream(0).replace(b"xxxx", b"xxyx", 1), {0: 1}).strange == 1
    assert verify(_stream(0, 1)[:-1], {0: 2}).strange == 1


def test_a_frame_of_the_generator_is_masked_as_the_rfc_asks() -> None:
    frame = frames.client_frame(b"hello")
    mask, masked = frame[2:6], frame[6:]
    assert frame[0] == 0x81
    assert frame[1] == 0x80 | 5
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked)) == b"hello"
