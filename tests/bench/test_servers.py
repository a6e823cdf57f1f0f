"""A side of several processes is started with what they share, and its scenarios check what they say they check."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench import servers
from bench.process import Processes
from bench.scenarios import FAULTS, SCENARIOS
from bench.servers import Server, Side
from bench.sizes import TINY
from bench.target import Target
from tests.helpers.parts import REDIS, require

# More than a node may need on a busy machine; a scenario says what it measured, and this is not asserted.
PATIENT = replace(TINY, ghosts_deadline=40.0)


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Target]:
    require(REDIS)
    with servers.running(servers.ours(nodes=2, has_redis=True), is_pinned=False, has_uplink=True) as target:
        yield target


def test_nodes_of_a_side_have_ports_and_processes_of_their_own_and_one_redis(two_nodes: Target) -> None:
    first, second = two_nodes.nodes
    assert first.port != second.port
    assert first.pid != second.pid
    assert two_nodes.redis_pid not in {None, first.pid, second.pid}
    assert [two_nodes.node(index).port for index in range(3)] == [first.port, second.port, first.port]


@pytest.mark.parametrize("name", ["fan-out", "triggers", "cluster", "presence"])
def test_a_scenario_over_two_nodes_finds_every_delivery_once_and_in_order(two_nodes: Target, name: str) -> None:
    result = SCENARIOS[name](two_nodes, TINY)
    assert result.is_clean, result
    assert result.verdict.expected


def test_triggers_over_two_nodes_are_charged_to_each_of_them_and_to_redis(two_nodes: Target) -> None:
    figures = SCENARIOS["triggers"](two_nodes, TINY).figures
    for name in ("node_1_busy", "node_2_busy", "redis_us", "possible"):
        value = figures[f"trigger_64.{name}"]
        assert value is not None
        assert value > 0


def test_a_node_that_was_cut_off_has_delivered_everything_when_it_is_healed(two_nodes: Target) -> None:
    result = FAULTS["heal"](two_nodes, TINY)
    assert result.is_clean, result
    assert result.verdict.expected == 1 + 1 + 1 + TINY.heal_entries
    assert result.figures["heal.many_ms"] is not None


@pytest.mark.long
def test_members_of_a_killed_node_are_gone_for_everybody_else_once() -> None:
    require(REDIS)
    with servers.running(servers.ours(nodes=2, has_redis=True), is_pinned=False) as target:
        result = FAULTS["ghosts"](target, PATIENT)
    assert result.is_clean, result
    assert result.figures["ghosts.last_s"] is not None


@pytest.mark.parametrize("name", FAULTS)
def test_what_breaks_a_server_is_not_done_to_one_that_was_not_started_for_it(name: str) -> None:
    with pytest.raises(ValueError, match="needs two nodes"):
        FAULTS[name](Target("127.0.0.1", 1, "1", "key", "secret"), TINY)


def test_workers_are_processes_of_one_port_and_their_private_redis_is_counted_apart() -> None:
    require(REDIS)
    with servers.running(servers.ours(workers=2), is_pinned=False) as target:
        assert target.nodes == (target,)
        nodes, redis = Processes(target).cpu()
        result = SCENARIOS["triggers"](target, TINY)
    assert (len(nodes), len(redis)) == (3, 1)  # the supervisor too
    assert result.is_clean, result


def test_a_server_that_does_not_start_is_quoted() -> None:
    side = Side(Server("broken", ["sh", "-c", "echo no such setting >&2; exit 1"]))
    with pytest.raises(OSError, match="broken did not start: no such setting"), servers.running(side, is_pinned=False):
        pass


def test_all_processes_end_with_the_context() -> None:
    require(REDIS)
    with servers.running(servers.ours(nodes=2, has_redis=True), is_pinned=False) as target:
        ports = [node.port for node in target.nodes]
        pids = [node.pid for node in target.nodes] + [target.redis_pid]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    for port in ports:
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("side", "name"),
    [
        (servers.ours(), "relay"),
        (servers.ours(nodes=2, has_redis=True), "relay ×2 + Redis"),
        (servers.ours(workers=2), "relay, 2 workers"),
        (servers.peer(Path("soketi/start.sh")), "soketi"),
    ],
)
def test_a_side_is_called_by_what_runs(side: Side, name: str) -> None:
    assert side.name == name
    assert side.is_one_process is (name in {"relay", "soketi"})
    assert side.alone().is_one_process
