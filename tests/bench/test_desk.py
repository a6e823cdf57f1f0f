"""The scenarios of a support desk run against a real desk and relay. Nothing here depends on how fast the machine is."""

import time
from collections.abc import Iterator

import pytest

from bench import desks, frames
from bench.catalogue import DESK_FIGURES, Figure
from bench.checks import stamp
from bench.loop import Loop
from bench.result import Result
from bench.scenarios import DESKS
from bench.sizes import TINY
from bench.talks import Ear
from bench.websocket import Client


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Result]]:
    with desks.running(is_pinned=False) as desk:
        yield {name: scenario(desk, TINY) for name, scenario in DESKS.items()}


@pytest.mark.parametrize("name", DESKS)
def test_every_message_arrives_once_and_every_call_is_answered(results: dict[str, Result], name: str) -> None:
    assert results[name].is_clean, results[name]


def test_messages_are_checked_at_the_other_side(results: dict[str, Result]) -> None:
    sides, warm_up, rates = TINY.desk_tickets * 2, TINY.desk_messages // 4, len(TINY.desk_rates)
    least = warm_up + rates * TINY.desk_messages + TINY.desk_flood // sides * sides
    assert results["desk"].verdict.arrived >= least


@pytest.mark.parametrize("figure", DESK_FIGURES, ids=lambda figure: figure.name)
def test_a_run_fills_every_figure_of_the_catalogue(results: dict[str, Result], figure: Figure) -> None:
    found = {name: value for result in results.values() for name, value in result.figures.items()}
    assert found[figure.name] is not None


def test_the_database_has_grown_before_it_is_measured(results: dict[str, Result]) -> None:
    figures = results["growth"].figures
    assert (figures["growth.tickets"] or 0) >= TINY.growth_tickets
    assert (figures["growth.messages"] or 0) >= TINY.growth_messages


class Fed:
    """A socket that brings what it was given."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, _size: int) -> bytes:
        return self._data


def told(*numbers: int, change: bytes = b"xxx") -> Ear:
    """An ear that was told these messages."""
    payloads = [stamp(0, number).encode().replace(b"xxx", change, 1) for number in numbers]
    ear = Ear(Client(Fed(b"".join(b"\x81\x7e" + len(one).to_bytes(2) + one for one in payloads))))  # type: ignore[arg-type] # all that it needs
    ear.read()
    return ear


@pytest.mark.parametrize(
    ("numbers", "doubled", "misordered"),
    [((0, 1, 2), 0, 0), ((0, 2), 0, 1), ((0, 1, 1), 1, 0), ((1, 0), 1, 1)],
)
def test_an_ear_notices_doubles_and_gaps(numbers: tuple[int, ...], doubled: int, misordered: int) -> None:
    verdict = told(*numbers).verdict
    assert (verdict.arrived, verdict.doubled, verdict.misordered) == (len(numbers), doubled, misordered)


def test_an_ear_notices_a_changed_message() -> None:
    assert told(0, change=b"yyy").verdict.strange == 1


def test_an_ear_reads_a_message_that_comes_in_two_parts() -> None:
    payload = stamp(0, 0).encode()
    whole = b"\x81\x7e" + len(payload).to_bytes(2) + payload
    assert [end for _, _, end in frames.split(whole)] == [len(whole)]
    fed = Fed(whole[:50])
    ear = Ear(Client(fed))  # type: ignore[arg-type] # all that it needs
    ear.read()
    assert ear.verdict.arrived == 0
    fed._data = whole[50:]
    ear.read()
    assert ear.verdict.arrived == 1


def test_a_loop_that_naps_waits_until_the_moment() -> None:
    loop, moment = Loop(nap=0.001), time.perf_counter() + 0.01
    loop.wait(moment)
    assert time.perf_counter() >= moment
    loop.close()
