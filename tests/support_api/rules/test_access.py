"""Who may do what."""

import pytest
from msgspec.structs import replace

from support_api.errors import Forbidden, LoginNeeded, NotYours, TicketClosed
from support_api.models.messages import SenderType
from support_api.models.operators import Identity, Operator
from support_api.models.tickets import Readable, Ticket, TicketStatus
from support_api.rules.access import Act, ensure_may_join, ensure_open, ensure_operator, may, readable_by
from support_api.rules.channels import OperatorChannel, QueueChannel
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


OF_BOTH_SIDES = [Act.READ, Act.MARK_READ, Act.WRITE, Act.TYPE, Act.CLOSE, Act.JOIN, Act.REOPEN]
OF_ITS_OPERATOR = [Act.TRANSFER, Act.SNOOZE]
OF_OPERATORS = [*OF_ITS_OPERATOR, Act.TAKE, Act.NOTE]


@pytest.mark.parametrize("act", OF_BOTH_SIDES)
def test_the_assigned_operator_acts_as_operator(act: Act) -> None:
    sender = may(Identity(operator=OLGA), act, ticket())
    assert (sender.type, sender.id, sender.name) == (SenderType.OPERATOR, "1", "Olga")


@pytest.mark.parametrize("act", OF_BOTH_SIDES)
def test_the_visitor_of_the_ticket_acts_as_visitor(act: Act) -> None:
    sender = may(Identity(visitor_id=ANNA), act, ticket())
    assert (sender.type, sender.id, sender.name) == (SenderType.VISITOR, ANNA, "Anna")


@pytest.mark.parametrize("act", OF_BOTH_SIDES)
def test_the_assigned_operator_who_is_also_the_visitor_acts_as_operator(act: Act) -> None:
    assert may(Identity(ANNA, OLGA), act, ticket()).type is SenderType.OPERATOR


@pytest.mark.parametrize("act", OF_BOTH_SIDES)
def test_another_operator_who_is_also_the_visitor_acts_as_visitor(act: Act) -> None:
    assert may(Identity(ANNA, PETR), act, ticket()).type is SenderType.VISITOR


@pytest.mark.parametrize("act", OF_BOTH_SIDES)
@pytest.mark.parametrize(
    "identity",
    [Identity(), Identity(BORIS), Identity(operator=PETR), Identity(BORIS, PETR), Identity(operator=GONE)],
    ids=["nobody", "another visitor", "another operator", "both others", "a disabled operator"],
)
def test_anybody_else_is_refused(identity: Identity, act: Act) -> None:
    with pytest.raises(Forbidden) as caught:
        may(identity, act, ticket())
    assert (type(caught.value) is NotYours) == (identity.operator is PETR)


NOT_SERVED = [ticket(None), replace(ticket(), status=TicketStatus.CLOSED, closed_at=START)]


@pytest.mark.parametrize("act", [act for act in OF_BOTH_SIDES if act not in (Act.READ, Act.REOPEN)])
@pytest.mark.parametrize("unserved", NOT_SERVED, ids=["waiting", "closed"])
def test_an_operator_does_nothing_in_a_ticket_that_waits_or_was_a_colleagues(act: Act, unserved: Ticket) -> None:
    with pytest.raises(Forbidden):
        may(Identity(operator=PETR), act, unserved)


@pytest.mark.parametrize("unserved", NOT_SERVED, ids=["waiting", "closed"])
def test_any_operator_reads_what_waits_and_what_is_closed(unserved: Ticket) -> None:
    assert may(Identity(operator=PETR), Act.READ, unserved).type is SenderType.OPERATOR
    for identity in (Identity(), Identity(BORIS), Identity(operator=GONE)):
        with pytest.raises(Forbidden):
            may(identity, Act.READ, unserved)


@pytest.mark.parametrize("unserved", NOT_SERVED, ids=["waiting", "closed"])
def test_any_operator_notes_on_what_waits_and_what_is_closed(unserved: Ticket) -> None:
    assert may(Identity(ANNA, PETR), Act.NOTE, unserved).id == str(PETR.id)


def test_of_what_is_served_only_its_operator_notes_also_where_another_is_its_visitor() -> None:
    assert may(Identity(operator=OLGA), Act.NOTE, ticket()).type is SenderType.OPERATOR
    for identity in (Identity(operator=PETR), Identity(ANNA, PETR)):
        with pytest.raises(NotYours):
            may(identity, Act.NOTE, ticket())


def test_what_an_operator_may_read_of_many_is_what_is_theirs_or_nobodys() -> None:
    assert readable_by(OLGA) == Readable(OLGA.id)


@pytest.mark.parametrize("act", OF_ITS_OPERATOR)
@pytest.mark.parametrize("identity", [Identity(operator=OLGA), Identity(ANNA, OLGA)], ids=["operator", "and visitor"])
def test_a_ticket_is_handed_over_by_its_operator(identity: Identity, act: Act) -> None:
    assert may(identity, act, ticket()).type is SenderType.OPERATOR


@pytest.mark.parametrize("act", OF_ITS_OPERATOR)
@pytest.mark.parametrize("identity", [Identity(operator=PETR), Identity(ANNA, PETR)], ids=["another", "and visitor"])
@pytest.mark.parametrize("operator", [OLGA, None], ids=["served", "waiting"])
def test_who_does_not_serve_a_ticket_does_not_say_who_does(
    identity: Identity, operator: Operator | None, act: Act
) -> None:
    with pytest.raises(NotYours):
        may(identity, act, ticket(operator))


@pytest.mark.parametrize("operator", [OLGA, PETR])
def test_any_operator_may_take_a_ticket(operator: Operator) -> None:
    assert may(Identity(operator=operator), Act.TAKE, ticket(None)).id == str(operator.id)


@pytest.mark.parametrize("act", OF_OPERATORS)
@pytest.mark.parametrize(
    "identity", [Identity(), Identity(ANNA), Identity(ANNA, GONE)], ids=["nobody", "visitor", "gone"]
)
def test_what_only_operators_do_needs_one_who_is_logged_in(identity: Identity, act: Act) -> None:
    with pytest.raises(LoginNeeded):
        may(identity, act, ticket())


def test_every_act_is_tried_here() -> None:
    assert {*OF_BOTH_SIDES, *OF_OPERATORS} == set(Act)


def test_a_closed_conversation_is_not_open() -> None:
    ensure_open(ticket())
    with pytest.raises(TicketClosed):
        ensure_open(replace(ticket(), status=TicketStatus.CLOSED))


@pytest.mark.parametrize("operator", [None, GONE], ids=["nobody", "disabled"])
def test_who_is_not_logged_in_as_operator_is_asked_to(operator: Operator | None) -> None:
    with pytest.raises(LoginNeeded):
        ensure_operator(Identity(ANNA, operator))


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
