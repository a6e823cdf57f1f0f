"""Lists of tickets page by page, and a visitor's other conversations."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from support_api.database.tables import tickets
from support_api.errors import LoginNeeded, NotYours, UnknownTicket
from support_api.models.messages import Draft
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.tickets import NewTicket, View, Wanted
from support_api.services import Services
from tests.support_api.helpers import SteadyClock, acting

ANNA, BORIS = "a" * 32, "b" * 32
ALL = Wanted(View.ALL)


async def opened(services: Services, clock: SteadyClock, visitor: str = ANNA, text: str = "Hello") -> int:
    clock.advance(1)
    return (await services.tickets.create(NewTicket(visitor, "Anna", "anna@example.com", text))).ticket.id


async def online(services: Services, name: str) -> Identity:
    operator = await services.operators.add(name, f"{name}@example.com", "hash", 50)
    await services.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    return acting(operator.id, name)


def number_of(identity: Identity) -> int:
    assert identity.operator is not None
    return identity.operator.id


async def listed(services: Services, wanted: Wanted, identity: Identity) -> list[int]:
    """All pages of a list, of two tickets each."""
    numbers: list[int] = []
    before, has_more = None, True
    while has_more:
        page = await services.chats.page(wanted, identity, before, 2)
        numbers += [one.ticket.id for one in page.tickets]
        before, has_more = numbers[-1] if numbers else None, page.has_more
    return numbers


@pytest.fixture
async def olga(services: Services) -> Identity:
    return await online(services, "olga")


async def test_closed_tickets_are_listed_as_they_were_closed_the_newest_first(
    services: Services, clock: SteadyClock, olga: Identity
) -> None:
    numbers = [await opened(services, clock) for _ in range(5)]
    for number in (numbers[2], numbers[0], numbers[4]):
        clock.advance(1)
        await services.tickets.close(number, olga)
    assert await listed(services, Wanted(View.CLOSED), olga) == [numbers[4], numbers[0], numbers[2]]
    assert await listed(services, Wanted(View.MINE), olga) == [numbers[3], numbers[1]]
    assert await listed(services, ALL, olga) == numbers[::-1]


async def test_tickets_of_one_moment_are_neither_doubled_nor_left_out_between_pages(
    services: Services, clock: SteadyClock, olga: Identity
) -> None:
    numbers = [await opened(services, clock) for _ in range(7)]
    await services.database.writing(lambda tx: tx.conn.execute(update(tickets).values(created_at=tx.now)).rowcount)
    assert await listed(services, ALL, olga) == numbers[::-1]


async def test_a_colleagues_active_tickets_are_in_no_list_but_waiting_and_closed_ones_are(
    services: Services, clock: SteadyClock, olga: Identity
) -> None:
    served, closed = await opened(services, clock), await opened(services, clock)
    await services.tickets.close(closed, olga)
    await services.operators.heartbeat(number_of(olga), OperatorStatus.AWAY, None)
    waits = await opened(services, clock)
    petr = acting(number_of(await online(services, "petr")), "petr")
    await services.operators.heartbeat(number_of(petr), OperatorStatus.AWAY, None)
    assert await listed(services, Wanted(View.WAITING), petr) == []
    await services.transfers.put_back(waits, petr)
    assert await listed(services, Wanted(View.WAITING), petr) == [waits]
    assert await listed(services, ALL, petr) == [waits, closed]
    assert await listed(services, Wanted(View.MINE), petr) == []
    assert await listed(services, ALL, olga) == [waits, closed, served]


async def test_a_list_is_narrowed_by_operator_group_and_time(
    services: Services, clock: SteadyClock, olga: Identity
) -> None:
    first, second, third = [await opened(services, clock) for _ in range(3)]
    moment = (await services.tickets.read(second)).created_at
    for number in (first, second, third):
        await services.tickets.close(number, olga)
    of_group = update(tickets).where(tickets.c.id == first).values(group_id=7)
    await services.database.writing(lambda tx: tx.conn.execute(of_group).rowcount)
    assert await listed(services, Wanted(View.CLOSED, operator_id=number_of(olga)), olga) == [third, second, first]
    assert await listed(services, Wanted(View.CLOSED, operator_id=4711), olga) == []
    assert await listed(services, Wanted(View.ALL, group_id=7), olga) == [first]
    assert await listed(services, Wanted(View.ALL, since=moment), olga) == [third, second]
    assert await listed(services, Wanted(View.ALL, until=moment), olga) == [first]
    later = moment + timedelta(seconds=2)
    assert await listed(services, Wanted(View.ALL, since=moment, until=later), olga) == [third, second]


async def test_after_a_ticket_that_has_no_place_in_a_list_nothing_follows(
    services: Services, clock: SteadyClock, olga: Identity
) -> None:
    number = await opened(services, clock)
    for view, before in ((View.ALL, 4711), (View.CLOSED, number)):
        page = await services.chats.page(Wanted(view), olga, before, 50)
        assert (page.tickets, page.has_more) == ([], False)


async def test_a_list_is_for_operators(services: Services) -> None:
    with pytest.raises(LoginNeeded):
        await services.chats.page(ALL, Identity(ANNA), None, 50)
    with pytest.raises(LoginNeeded):
        await services.chats.read(1, Identity(ANNA))


async def test_a_ticket_is_read_with_the_others_of_its_visitor_the_newest_first(
    services: Services, clock: SteadyClock, olga: Identity
) -> None:
    first, _, third = [await opened(services, clock, visitor) for visitor in (ANNA, BORIS, ANNA)]
    fourth = await opened(services, clock)
    await services.tickets.close(third, olga)
    chat = await services.chats.read(third, olga)
    assert (chat.ticket.id, [one.ticket.id for one in chat.others.tickets]) == (third, [fourth, first])
    petr = await online(services, "petr")
    # Closed: anybody's to read; the others of its visitor are olga's at this moment.
    chat = await services.chats.read(third, petr)
    assert [one.ticket.id for one in chat.others.tickets] == []
    with pytest.raises(NotYours):
        await services.chats.read(fourth, petr)
    with pytest.raises(UnknownTicket):
        await services.chats.read(4711, petr)


async def test_a_long_history_is_read_backwards_page_by_page(
    services: Services, clock: SteadyClock, olga: Identity
) -> None:
    number = await opened(services, clock)
    for text in ("two", "three", "four", "five"):
        await services.tickets.add_message(number, Draft(text), olga)
    last = await services.tickets.history(number, 0, 2, olga, before=6)
    assert ([one.seq for one in last.messages], last.has_more) == ([4, 5], True)
    middle = await services.tickets.history(number, 0, 2, olga, before=4)
    assert ([one.seq for one in middle.messages], middle.has_more) == ([2, 3], True)
    first = await services.tickets.history(number, 0, 2, olga, before=2)
    assert ([one.seq for one in first.messages], first.has_more) == ([1], False)
    between = await services.tickets.history(number, 1, 50, olga, before=4)
    assert ([one.seq for one in between.messages], between.has_more) == ([2, 3], False)
