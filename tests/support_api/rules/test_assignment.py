"""The choice of an operator."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from support_api.models.assignment import Candidate
from support_api.models.operators import OperatorStatus
from support_api.rules.assignment import LeastLoaded
from tests.support_api.helpers import START

choose = LeastLoaded(timedelta(seconds=60))


def candidate(
    operator_id: int,
    *,
    active: int = 0,
    limit: int = 5,
    status: OperatorStatus = OperatorStatus.ONLINE,
    last_seen: datetime = START,
    last_assigned_at: datetime | None = None,
) -> Candidate:
    return Candidate(operator_id, status, last_seen, active, limit, last_assigned_at)


def test_nobody_gets_a_ticket_when_there_are_no_operators() -> None:
    assert choose([], START).operator_id is None
    assert choose([], START).reason == "nobody is online"


def test_the_least_loaded_operator_gets_the_ticket() -> None:
    assert choose([candidate(1, active=2), candidate(2, active=1)], START).operator_id == 2


def test_among_equals_the_one_who_waited_longest_gets_the_ticket() -> None:
    recent, older = START - timedelta(seconds=1), START - timedelta(seconds=9)
    assert choose([candidate(1, last_assigned_at=recent), candidate(2, last_assigned_at=older)], START).operator_id == 2


def test_among_equals_one_who_never_had_a_ticket_comes_first() -> None:
    assert choose([candidate(1, last_assigned_at=START - timedelta(days=9)), candidate(2)], START).operator_id == 2


def test_an_operator_at_the_limit_gets_nothing() -> None:
    choice = choose([candidate(1, active=5)], START)
    assert choice.operator_id is None
    assert choice.reason == "everybody is at the limit"


def test_an_operator_who_is_away_or_offline_gets_nothing() -> None:
    operators = [candidate(1, status=OperatorStatus.AWAY), candidate(2, status=OperatorStatus.OFFLINE)]
    assert choose(operators, START).operator_id is None


def test_an_operator_is_online_up_to_the_timeout_and_not_after_it() -> None:
    assert choose([candidate(1, last_seen=START - timedelta(seconds=60))], START).operator_id == 1
    assert choose([candidate(1, last_seen=START - timedelta(seconds=60, milliseconds=1))], START).operator_id is None


candidates = st.builds(
    Candidate,
    operator_id=st.integers(1, 50),
    status=st.sampled_from(OperatorStatus),
    last_seen=st.integers(0, 120).map(lambda age: START - timedelta(seconds=age)),
    active_tickets=st.integers(0, 6),
    max_tickets=st.integers(0, 6),
    last_assigned_at=st.none() | st.integers(0, 99).map(lambda age: START - timedelta(seconds=age)),
)


@settings(deadline=None)
@given(st.lists(candidates, max_size=8, unique_by=lambda one: one.operator_id))
def test_whoever_is_chosen_is_free_and_nobody_free_has_less_to_do(operators: list[Candidate]) -> None:
    choice = choose(operators, START)
    free = [
        one
        for one in operators
        if one.status is OperatorStatus.ONLINE
        and START - one.last_seen <= timedelta(seconds=60)
        and one.active_tickets < one.max_tickets
    ]
    if not free:
        assert choice.operator_id is None
        return
    chosen = next(one for one in free if one.operator_id == choice.operator_id)
    assert chosen.active_tickets == min(one.active_tickets for one in free)
