"""What processes used is summed over those that serve, with Redis apart."""

import os
import subprocess
import sys

import pytest

from bench.loop import Loop
from bench.process import Meter, Processes, Usage, family
from bench.target import Target

TWO = Usage(2.0, 0.5, (0.6, 0.4), 0.2)


def test_the_family_of_a_process_is_itself_and_all_that_it_started() -> None:
    waits = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", waits], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        found = family(parent.pid)
        parent.communicate("\n")
    assert found[0] == parent.pid
    assert len(found) == 2


def test_nodes_are_summed_and_redis_is_counted_beside_them() -> None:
    figures = TWO.figures("g", 1_000)
    assert figures["g.server_us"] == pytest.approx(1_000)
    assert figures["g.redis_us"] == pytest.approx(200)
    assert figures["g.server_busy"] == pytest.approx(0.5)
    assert figures["g.node_1_busy"] == pytest.approx(0.3)
    assert figures["g.node_2_busy"] == pytest.approx(0.2)


def test_possible_is_what_the_busiest_process_allows_be_it_redis() -> None:
    assert TWO.figures("g", 1_000)["g.possible"] == pytest.approx(1_000 / 0.6)
    assert Usage(2.0, 0.5, (0.1, 0.1), 0.4).figures("g", 1_000)["g.possible"] == pytest.approx(2_500)


def test_a_server_that_is_not_known_has_a_rate_and_no_costs() -> None:
    figures = Usage(2.0, 0.5).figures("g", 10)
    assert figures["g.per_second"] == 5
    assert figures["g.server_us"] is None


def test_usages_of_one_server_add_up() -> None:
    both = TWO + TWO
    assert (both.seconds, both.generator_cpu, both.nodes, both.redis) == (4.0, 1.0, (1.2, 0.8), 0.4)


def test_a_meter_reads_every_node_and_redis() -> None:
    waits = [sys.executable, "-c", "print(1, flush=True); input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        node.stdout.readline()
        other = (Target("127.0.0.1", 2, "1", "k", "s", node.pid),)
        target = Target("127.0.0.1", 1, "1", "k", "s", node.pid, other, redis_pid=os.getpid())
        loop = Loop()
        usage = Meter(target, loop).stop()
        resident = Processes(target).resident()
        loop.close()
        node.communicate("\n")
    assert len(usage.nodes) == 2
    assert usage.redis is not None
    assert (resident or 0) > 2_000_000
