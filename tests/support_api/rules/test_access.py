"""Who may do what."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_api.errors import Forbidden, LoginNeeded
from support_api.models.messages import SenderType
from support_api.models.operators import Identity, Operator
from support_api.models.tickets import Ticket, TicketStatus
from support_api.rules.access import ensure_may_join, ensure_operator, role_in
from support_api.rules.channels import OperatorChannel, QueueChannel, TicketChannel, parse_channel
from tests.support_api.helpers import START

ANNA, BORIS = "a" * 32, "b" * 32
OLGA = Operator(1, "Olga", "olga@example.com", is_disabled=False)
PETR = Operator(2, "Petr", "petr@example.com", is_disabled=False)
GONE = Operator(1, "Olga", "olga@example.com", is_disabled=True)


def ticket(operator: Operator | None = OLGA) -> Ticket:
    return Ticket(
        id=7,
        visitor_id=ANNA,
        visitor_name="Anna",
        visitor_email=None,
        operator_id=operator.id if operator else None,
        operator_name=operator.name if operator else None,
        status=TicketStatus.ACTIVE if operator else TicketStatus.WAITING,
        created_at=START,
        closed_at=None,
        closed_by=None,
        last_seq=1,
    )


def test_the_assigned_operator_acts_as_operator() -> None:
    sender = role_in(ticket(), Identity(operator=OLGA))
    assert (sender.type, sender.id, sender.name) == (SenderType.OPERATOR, "1", "Olga")


def test_the_visitor_of_the_ticket_acts_as_visitor() -> None:
    sender = role_in(ticket(), Identity(visitor_id=ANNA))
    assert (sender.type, sender.id, sender.name) == (SenderType.VISITOR, ANNA, "Anna")


def test_the_assigned_operator_who_is_also_the_visitor_acts_as_operator() -> None:
    assert role_in(ticket(), Identity(ANNA, OLGA)).type is SenderType.OPERATOR


def test_another_operator_who_is_also_the_visitor_acts_as_visitor() -> None:
    assert role_in(ticket(), Identity(ANNA, PETR)).type is SenderType.VISITOR


@pytest.mark.parametrize(
    "identity",
    [Identity(), Identity(BORIS), Identity(operator=PETR), Identity(BORIS, PETR), Identity(operator=GONE)],
    ids=["nobody", "another visitor", "another operator", "both others", "a disabled operator"],
)
def test_anybody_else_is_refused(identity: Identity) -> None:
    with pytest.raises(Forbidden):
        role_in(ticket(), identity)


def test_an_operator_is_nobody_in_a_ticket_that_waits() -> None:
    with pytest.raises(Forbidden):
        role_in(ticket(None), Identity(operator=OLGA))


@pytest.mark.parametrize("operator", [None, GONE], ids=["nobody", "disabled"])
def test_who_is_not_logged_in_as_operator_is_asked_to(operator: Operator | None) -> None:
    with pytest.raises(LoginNeeded):
        ensure_operator(Identity(ANNA, operator))


def test_channels_of_the_desk_are_understood() -> None:
    assert parse_channel("private-ticket-12") == TicketChannel(12)
    assert parse_channel("private-operator-3") == OperatorChannel(3)
    assert parse_channel("private-support-queue") == QueueChannel()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ticket-1",
        "private-ticket-",
        "private-ticket-0",
        "private-ticket-01",
        "private-ticket-1 ",
        "private-ticket-1\n",
        "private-ticket--1",
        "private-ticket-1x",
        "private-ticket-١",
        "private-ticket-9999999999999999999",
        "private-ticket-99999999999999999999",
        "private-operator-01",
        "private-support-queue2",
        "presence-ticket-1",
        "private-encrypted-ticket-1",
        "PRIVATE-TICKET-1",
    ],
)
def test_any_other_channel_is_refused(name: str) -> None:
    with pytest.raises(Forbidden):
        parse_channel(name)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_channel_name_is_either_refused_or_the_one_spelling_of_a_channel(name: str) -> None:
    try:
        channel = parse_channel(name)
    except Forbidden:
        return
    match channel:
        case TicketChannel(number):
            assert name == f"private-ticket-{number}"
        case OperatorChannel(number):
            assert name == f"private-operator-{number}"
        case QueueChannel():
            assert name == "private-support-queue"


def test_an_operator_joins_his_own_channel_and_the_queue() -> None:
    ensure_may_join(OperatorChannel(1), Identity(operator=OLGA))
    ensure_may_join(QueueChannel(), Identity(operator=OLGA))


@pytest.mark.parametrize("identity", [Identity(), Identity(ANNA), Identity(operator=GONE)])
def test_nobody_else_joins_the_queue(identity: Identity) -> None:
    with pytest.raises(Forbidden):
        ensure_may_join(QueueChannel(), identity)


@pytest.mark.parametrize("identity", [Identity(), Identity(ANNA), Identity(operator=PETR), Identity(operator=GONE)])
def test_nobody_else_joins_an_operators_channel(identity: Identity) -> None:
    with pytest.raises(Forbidden):
        ensure_may_join(OperatorChannel(1), identity)
