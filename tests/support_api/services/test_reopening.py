"""Conversations that go on after their end."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from support_api.database.urls import database_of
from support_api.errors import Forbidden, TooLate, TooManyOpen
from support_api.models.messages import Draft
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.outbox import EventKind
from support_api.models.tickets import NewTicket, OpenLimits, TicketStatus
from support_api.models.times import Times
from support_api.rules.assignment import LeastLoaded
from support_api.services import Services, open_services
from support_api.wording import wording
from tests.support_api.helpers import SteadyClock, acting

OLGA, PETR = 1, 2
ANNA, BY_OLGA, BY_PETR = Identity("a" * 32), acting(OLGA), acting(PETR, "Petr")


@pytest.fixture
async def desk(database_url: str, clock: SteadyClock) -> AsyncIterator[Services]:
    """Olga has served ticket 1, which is closed; Petr is there too and has nothing to do."""
    chooser, times = LeastLoaded(timedelta(days=30)), Times(reopen_within=timedelta(hours=24))
    async with open_services(database_of(database_url, clock=clock), chooser, wording("en"), times) as services:
        for name in ("Olga", "Petr"):
            await services.operators.add(name, f"{name}@example.com", "hash", 1)
        await services.operators.heartbeat(OLGA, OperatorStatus.ONLINE, None)
        await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
        await services.tickets.close(1, ANNA)
        await services.operators.heartbeat(PETR, OperatorStatus.ONLINE, None)
        yield services


@pytest.mark.parametrize("who", [ANNA, BY_OLGA, BY_PETR], ids=["its visitor", "its operator", "another operator"])
async def test_a_closed_ticket_goes_on_with_who_served_it(desk: Services, who: Identity) -> None:
    ticket = await desk.reopening.reopen(1, who)
    assert (ticket.status, ticket.operator_id, ticket.closed_at) == (TicketStatus.ACTIVE, OLGA, None)
    assert (await desk.operators.presence(OLGA)).active_tickets == 1
    assert await desk.reopening.reopen(1, ANNA) == ticket, "once"
    history = await desk.tickets.history(1, 0, 10, ANNA)
    assert [message.content for message in history.messages] == ["Hello", "This chat was opened again."]
    events = [(one.event.name, one.event.channel) for one in await desk.outbox.pending(100)][-6:]
    assert events == [
        ("ticket:updated", "private-support-queue"),
        ("ticket:updated", "private-ticket-1"),
        ("ticket:assigned", "private-operator-1"),
        ("ticket:updated", "private-support-queue"),
        ("ticket:updated", "private-ticket-1"),
        ("ticket:operator", "private-ticket-1"),
    ]
    await desk.tickets.add_message(1, Draft("One more thing"), ANNA)


async def test_where_who_served_it_has_no_room_it_goes_to_another_or_waits(desk: Services) -> None:
    await desk.operators.heartbeat(PETR, OperatorStatus.AWAY, None)
    await desk.tickets.create(NewTicket("b" * 32, "Boris", None, "Hi"))
    waiting = await desk.reopening.reopen(1, ANNA)
    assert (waiting.status, waiting.operator_id) == (TicketStatus.WAITING, None)
    await desk.operators.heartbeat(PETR, OperatorStatus.ONLINE, None)
    assert (await desk.tickets.read(1)).operator_id == PETR


async def test_who_served_it_and_does_not_get_it_again_stops_to_hear_it_before_anything_is_said(desk: Services) -> None:
    await desk.operators.heartbeat(OLGA, OperatorStatus.AWAY, None)
    known = {one.id for one in await desk.outbox.pending(100)}
    assert (await desk.reopening.reopen(1, ANNA)).operator_id == PETR
    told = [one.event for one in await desk.outbox.pending(100) if one.id not in known]
    assert (told[0].kind, told[0].channel, told[0].payload) == (
        EventKind.UNSUBSCRIBE,
        "private-ticket-1",
        {"user_id": "operator-1"},
    )
    assert told[1].name == "message:new"


async def test_who_gets_it_again_goes_on_hearing_it(desk: Services) -> None:
    assert (await desk.reopening.reopen(1, ANNA)).operator_id == OLGA
    assert EventKind.UNSUBSCRIBE not in {one.event.kind for one in await desk.outbox.pending(100)}


async def test_a_visitor_comes_too_late_and_an_operator_never(desk: Services, clock: SteadyClock) -> None:
    clock.advance(24 * 3600 + 1)
    with pytest.raises(TooLate):
        await desk.reopening.reopen(1, ANNA)
    assert (await desk.reopening.reopen(1, BY_PETR)).status is TicketStatus.ACTIVE


async def test_where_it_is_off_only_operators_open_tickets_again(services: Services) -> None:
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    await services.tickets.close(1, ANNA)
    with pytest.raises(TooLate):
        await services.reopening.reopen(1, ANNA)


async def test_to_go_on_is_no_way_around_the_limits_of_open_tickets(desk: Services) -> None:
    await desk.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello again", network="n"))
    for limits in (OpenLimits(per_visitor=1), OpenLimits(per_network=1)):
        with pytest.raises(TooManyOpen):
            await desk.reopening.reopen(1, ANNA, network="n", limits=limits)
    await desk.reopening.reopen(1, ANNA, network="n", limits=OpenLimits(2, 2))
    with pytest.raises(TooManyOpen):
        await desk.tickets.create(NewTicket("c" * 32, "Vera", None, "Hi", network="n"), OpenLimits(9, 2))


async def test_anybody_else_is_refused(desk: Services) -> None:
    for who in (Identity("b" * 32), Identity()):
        with pytest.raises(Forbidden):
            await desk.reopening.reopen(1, who)
    assert (await desk.tickets.read(1)).status is TicketStatus.CLOSED
