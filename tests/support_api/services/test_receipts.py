"""How far both sides have read, and who waits for an answer."""

import pytest

from support_api.errors import Forbidden, NotYours, UnknownTicket
from support_api.models.messages import Draft, SenderType
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.outbox import Event
from support_api.models.tickets import NewTicket
from support_api.services import Services
from tests.support_api.helpers import START, SteadyClock, acting

ANNA, STRANGER, OLGA, PETR = Identity("a" * 32), Identity("b" * 32), acting(1), acting(2)


@pytest.fixture
async def talking(services: Services) -> Services:
    """Anna's ticket is Olga's; both have written: seq 1 to 3."""
    await services.operators.add("Olga", "olga@example.com", "hash", 5)
    await services.operators.add("Petr", "petr@example.com", "hash", 5)
    await services.operators.heartbeat(1, OperatorStatus.ONLINE, None)
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    await services.tickets.add_message(1, Draft("Good day"), OLGA)
    await services.tickets.add_message(1, Draft("My parcel"), ANNA)
    await forget_events(services)
    return services


async def forget_events(services: Services) -> None:
    await services.outbox.forget([one.id for one in await services.outbox.pending(1000)])


async def events(services: Services) -> list[Event]:
    return [one.event for one in await services.outbox.pending(1000)]


async def test_what_one_side_has_read_is_kept_for_it_alone_and_told_to_the_conversation(talking: Services) -> None:
    ticket = await talking.receipts.read(1, 2, ANNA, "12.34")
    assert (ticket.visitor_read_seq, ticket.operator_read_seq) == (2, 0)
    assert await talking.tickets.read(1) == ticket
    (event,) = await events(talking)
    assert (event.channel, event.name, event.exclude_socket) == ("private-ticket-1", "message:read", "12.34")
    assert event.payload == {"ticket_id": 1, "reader": "visitor", "seq": 2}


async def test_the_operator_who_serves_has_a_pointer_of_their_own(talking: Services) -> None:
    ticket = await talking.receipts.read(1, 3, OLGA)
    assert (ticket.visitor_read_seq, ticket.operator_read_seq) == (0, 3)


@pytest.mark.parametrize("seq", [1, 2])
async def test_a_pointer_never_goes_back_and_a_repeat_is_told_to_nobody(talking: Services, seq: int) -> None:
    await talking.receipts.read(1, 2, ANNA)
    await forget_events(talking)
    assert (await talking.receipts.read(1, seq, ANNA)).visitor_read_seq == 2
    assert await events(talking) == []


async def test_nobody_has_read_what_was_not_written_yet(talking: Services) -> None:
    assert (await talking.receipts.read(1, 1000, ANNA)).visitor_read_seq == 3
    await talking.tickets.add_message(1, Draft("It was sent"), OLGA)
    assert (await talking.tickets.read(1)).visitor_read_seq == 3


async def test_what_is_said_at_the_end_can_be_read_after_it(talking: Services) -> None:
    await talking.tickets.close(1, OLGA)
    assert (await talking.receipts.read(1, 3, ANNA)).visitor_read_seq == 3


async def test_who_takes_no_part_reads_for_nobody(talking: Services) -> None:
    with pytest.raises(Forbidden):
        await talking.receipts.read(1, 3, STRANGER)
    with pytest.raises(NotYours):
        await talking.receipts.read(1, 3, PETR)
    with pytest.raises(UnknownTicket):
        await talking.receipts.read(2, 3, ANNA)
    assert await events(talking) == []


async def test_a_visitor_waits_since_the_first_message_that_nobody_answered(
    talking: Services, clock: SteadyClock
) -> None:
    assert (await talking.tickets.read(1)).waiting_since == START
    clock.advance(60)
    await talking.tickets.add_message(1, Draft("Are you there?"), ANNA)
    ticket = await talking.tickets.read(1)
    assert (ticket.waiting_since, ticket.last_sender) == (START, SenderType.VISITOR)
    assert ticket.last_message_at == clock()
    await talking.tickets.add_message(1, Draft("I am"), OLGA)
    ticket = await talking.tickets.read(1)
    assert (ticket.waiting_since, ticket.last_sender) == (None, SenderType.OPERATOR)


async def test_what_the_system_says_is_no_answer(talking: Services) -> None:
    await talking.transfers.put_back(1, OLGA)
    ticket = await talking.tickets.read(1)
    assert (ticket.last_seq, ticket.waiting_since, ticket.last_sender) == (4, START, SenderType.VISITOR)
