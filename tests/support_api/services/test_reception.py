"""Whether anybody is there, and who is told when."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from support_api.delivery.background import repeating
from support_api.errors import StoreUnavailable
from support_api.listeners import realtime
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.models.outbox import Event
from support_api.services.reception import LOOKS_EVERY, Reception
from tests.support_api.conftest import Running
from tests.support_api.helpers import Caller, RecordingRelay, SteadyClock, eventually

TIMEOUT = timedelta(seconds=60)


class Operators:
    """One operator, whose presence the test sets."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self.seen = clock()
        self.status = OperatorStatus.OFFLINE
        self.is_disabled = False
        self.fails = False
        self.looks = 0

    def set(self, status: OperatorStatus) -> None:
        self.status, self.seen = status, self._clock()

    async def everybody(self) -> list[tuple[Operator, Presence]]:
        self.looks += 1
        if self.fails:
            raise StoreUnavailable
        operator = Operator(1, "Anna", "anna@shop.example", self.is_disabled)
        return [(operator, Presence(self.status, 0, 5, self.seen))]


class Told:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[Event] = []

    def send(self, event: Event) -> None:
        self.sent.append(event)

    @property
    def online(self) -> list[object]:
        return [event.payload["online"] for event in self.sent]


@pytest.fixture
def operators(clock: SteadyClock) -> Operators:
    return Operators(clock)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reception(operators: Operators, told: Told, clock: SteadyClock) -> Reception:
    return Reception(operators, told, TIMEOUT, clock)


async def test_it_is_told_once_per_change_and_at_the_first_look(
    reception: Reception, operators: Operators, told: Told, clock: SteadyClock
) -> None:
    for status in (OperatorStatus.OFFLINE, OperatorStatus.ONLINE, OperatorStatus.ONLINE, OperatorStatus.AWAY):
        operators.set(status)
        await reception.look()
    assert told.online == [False, True, False]
    assert told.sent[0] == realtime.desk_status(False)
    assert told.sent[0].channel == "support-status"


async def test_an_operator_who_is_silent_or_disabled_is_not_there(
    reception: Reception, operators: Operators, clock: SteadyClock
) -> None:
    operators.set(OperatorStatus.ONLINE)
    assert await reception.look()
    clock.advance(TIMEOUT.seconds + 1)
    assert not await reception.look()
    operators.set(OperatorStatus.ONLINE)
    operators.is_disabled = True
    assert not await reception.look()


async def test_many_who_ask_cost_one_look(reception: Reception, operators: Operators, clock: SteadyClock) -> None:
    for _ in range(50):
        assert not await reception.is_staffed()
    assert operators.looks == 1
    operators.set(OperatorStatus.ONLINE)
    clock.advance(LOOKS_EVERY.seconds)
    assert await reception.is_staffed()


async def test_the_watch_goes_on_after_a_failure(reception: Reception, operators: Operators, told: Told) -> None:
    operators.fails = True
    async with repeating(reception.look, 0.001, "reception"):
        await _until(lambda: operators.looks > 1)
        assert told.sent == []
        operators.fails = False
        await _until(lambda: told.online == [False])


async def test_visitors_hear_when_operators_come_and_go(
    running: Running, nobody: Caller, relay: RecordingRelay
) -> None:
    answer = await nobody.get("/desk_status")
    assert (answer.status, answer.json) == (200, {"online": False})
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    _, anna = await running.online("Anna")
    assert (await nobody.get("/desk_status")).json == {"online": True}
    await anna.post("/operator/heartbeat", status="away")
    await anna.post("/operator/heartbeat")
    await anna.post("/operator/logout")
    assert (await nobody.get("/desk_status")).json == {"online": False}
    await relay.wait_for(lambda: len(relay.statuses) == 5)
    assert relay.statuses == [False, True, False, True, False]


async def test_any_site_may_ask(nobody: Caller) -> None:
    answer = await nobody.with_headers({"Origin": "https://anywhere.example"}).get("/desk_status")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


async def _until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds)
