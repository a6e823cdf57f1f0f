"""Tickets that change hands because a person says so."""

import asyncio
from datetime import timedelta

import pytest

from support_api.errors import (
    InvalidField,
    LoginNeeded,
    NotYours,
    OperatorFull,
    TicketClosed,
    TicketTaken,
    UnknownTicket,
)
from support_api.models.messages import Draft, SenderType
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.outbox import Event, EventKind
from support_api.models.tickets import NewTicket, Ticket, TicketStatus
from support_api.services import Services
from tests.support_api.helpers import SteadyClock, acting

NEW = NewTicket("a" * 32, "Anna", "anna@example.com", "Hello")
OLGA, PETR, VERA = 1, 2, 3
ANNA, BY_OLGA = Identity("a" * 32), acting(OLGA)
SILENCE = timedelta(seconds=120)


@pytest.fixture
async def staffed(services: Services) -> Services:
    """Olga has ticket 1; Petr and Vera are there and offline."""
    for name in ("Olga", "Petr", "Vera"):
        await services.operators.add(name, f"{name}@example.com", "hash", 2)
    await online(services, OLGA)
    await services.tickets.create(NEW)
    await told(services)
    return services


async def online(services: Services, operator_id: int) -> None:
    await services.operators.heartbeat(operator_id, OperatorStatus.ONLINE, None)


async def told(services: Services) -> list[Event]:
    """What was announced since the last call."""
    pending = await services.outbox.pending(1000)
    await services.outbox.forget([one.id for one in pending])
    return [one.event for one in pending]


async def counted(services: Services) -> list[int]:
    return [presence.active_tickets for _, presence in await services.operators.everybody()]


async def test_a_transferred_ticket_is_the_other_operators_and_everybody_hears_of_it_in_order(
    staffed: Services,
) -> None:
    ticket = await staffed.transfers.transfer(1, PETR, BY_OLGA)
    assert (ticket.status, ticket.operator_id, ticket.operator_name) == (TicketStatus.ACTIVE, PETR, "Petr")
    assert await staffed.tickets.read(1) == ticket
    assert await counted(staffed) == [0, 1, 0]
    state = {"ticket_id": 1, "status": "active", "operator_id": PETR, "operator_name": "Petr"}
    who = {one: state[one] for one in ("ticket_id", "operator_id", "operator_name")}
    state |= {"group_id": None, "group_name": None, "visitor_left_at": None, "snoozed_until": None}
    ended, said, assigned, queue, conversation, serves, transferred = await told(staffed)
    assert (serves.name, serves.channel, serves.payload) == ("ticket:operator", "private-ticket-1", who)
    assert (ended.kind.value, ended.channel, ended.payload) == (
        "unsubscribe",
        "private-ticket-1",
        {"user_id": "operator-1"},
    )
    assert (said.name, said.channel) == ("message:new", "private-ticket-1")
    assert (assigned.name, assigned.channel) == ("ticket:assigned", "private-operator-2")
    assert (assigned.payload["ticket_id"], assigned.payload["message"]) == (1, "Hello")
    assert (queue.name, queue.channel, queue.payload) == ("ticket:updated", "private-support-queue", state)
    assert (conversation.name, conversation.channel, conversation.payload) == (
        "ticket:updated",
        "private-ticket-1",
        state,
    )
    assert (transferred.name, transferred.channel, transferred.payload) == (
        "ticket:transferred",
        "private-operator-1",
        state,
    )


async def test_the_history_stays_and_the_visitor_reads_who_continues(staffed: Services) -> None:
    await staffed.tickets.add_message(1, Draft("What is it?"), BY_OLGA)
    await staffed.transfers.transfer(1, PETR, BY_OLGA)
    found = (await staffed.tickets.history(1, 0, 100, ANNA)).messages
    assert [(one.seq, one.sender_type) for one in found] == [
        (1, SenderType.VISITOR),
        (2, SenderType.OPERATOR),
        (3, SenderType.SYSTEM),
    ]
    last = found[-1]
    assert (last.sender_id, last.sender_name, last.content) == ("", "", "\u2068Petr\u2069 has taken over this chat.")
    assert last.notice is not None
    assert (last.notice.code, last.notice.params) == ("transferred", {"operator_name": "Petr"})
    assert (await staffed.tickets.read(1)).last_seq == 3


async def test_a_ticket_that_was_returned_waits_and_says_so(staffed: Services) -> None:
    ticket = await staffed.transfers.put_back(1, BY_OLGA)
    assert (ticket.status, ticket.operator_id, ticket.returned_by) == (TicketStatus.WAITING, None, OLGA)
    assert await counted(staffed) == [0, 0, 0]
    assert [(one.name, one.channel) for one in await told(staffed)] == [
        ("unsubscribe", "private-ticket-1"),
        ("message:new", "private-ticket-1"),
        ("ticket:updated", "private-support-queue"),
        ("ticket:updated", "private-ticket-1"),
        ("ticket:transferred", "private-operator-1"),
    ]
    last = (await staffed.tickets.history(1, 1, 100, ANNA)).messages[-1]
    assert (last.content, last.notice and last.notice.code) == (
        "This chat is waiting for another operator.",
        "returned",
    )


async def test_who_returned_a_ticket_does_not_get_it_again_by_itself(staffed: Services) -> None:
    await staffed.transfers.put_back(1, BY_OLGA)
    await online(staffed, OLGA)
    await staffed.assignment.assign_waiting()
    assert (await staffed.tickets.read(1)).status is TicketStatus.WAITING
    # It does not stand in the way of what came after it.
    assert (await staffed.tickets.create(NEW)).ticket.operator_id == OLGA
    await online(staffed, PETR)
    assert (await staffed.tickets.read(1)).operator_id == PETR


async def test_another_free_operator_gets_a_returned_ticket_at_once(staffed: Services) -> None:
    await online(staffed, PETR)
    ticket = await staffed.transfers.put_back(1, BY_OLGA)
    assert (ticket.operator_id, ticket.returned_by) == (PETR, None)
    contents = [one.content for one in (await staffed.tickets.history(1, 1, 100, ANNA)).messages]
    assert contents == ["This chat is waiting for another operator.", "\u2068Petr\u2069 has taken over this chat."]


async def test_who_returned_a_ticket_may_take_it(staffed: Services) -> None:
    await staffed.transfers.put_back(1, BY_OLGA)
    ticket = await staffed.transfers.take(1, acting(OLGA))
    assert (ticket.operator_id, ticket.returned_by, ticket.last_seq) == (OLGA, None, 3)
    assert await staffed.tickets.read(1) == ticket


async def test_a_queue_full_of_what_one_operator_returned_does_not_hide_the_rest(
    staffed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support_api.services.assigner.AT_ONCE", 2)
    await staffed.tickets.create(NEW)
    for ticket_id in (1, 2):
        await staffed.transfers.put_back(ticket_id, BY_OLGA)
    assert (await staffed.tickets.create(NEW)).ticket.operator_id == OLGA


async def test_the_room_that_a_transfer_makes_goes_to_who_waits(staffed: Services) -> None:
    for _ in range(2):
        await staffed.tickets.create(NEW)
    assert (await staffed.tickets.read(3)).status is TicketStatus.WAITING
    await staffed.transfers.transfer(1, PETR, BY_OLGA)
    assert (await staffed.tickets.read(3)).operator_id == OLGA
    assert await counted(staffed) == [2, 1, 0]


async def test_an_operator_who_is_full_gets_a_ticket_only_after_a_question(staffed: Services) -> None:
    await staffed.operators.set_limit("Petr@example.com", 0)
    await told(staffed)
    with pytest.raises(OperatorFull) as caught:
        await staffed.transfers.transfer(1, PETR, BY_OLGA)
    assert str(caught.value) == "Petr has 0 conversations and takes 0; send over_limit=true to go over the limit."
    assert (await staffed.tickets.read(1)).operator_id == OLGA
    assert await told(staffed) == []
    assert (await staffed.transfers.transfer(1, PETR, BY_OLGA, over_limit=True)).operator_id == PETR
    assert await counted(staffed) == [0, 1, 0]


@pytest.mark.parametrize("target", [OLGA, VERA, 4711, 0, -1, 2**63, 10**30])
async def test_nobody_who_cannot_have_it_gets_a_ticket(staffed: Services, target: int) -> None:
    await staffed.operators.disable("Vera@example.com")
    await told(staffed)
    with pytest.raises(InvalidField, match="another operator"):
        await staffed.transfers.transfer(1, target, BY_OLGA, over_limit=True)
    assert (await staffed.tickets.read(1)).operator_id == OLGA
    assert await told(staffed) == []


async def test_a_closed_or_unknown_ticket_changes_no_hands(staffed: Services) -> None:
    await staffed.tickets.close(1, BY_OLGA)
    await told(staffed)
    for ticket_id, expected in ((1, TicketClosed), (2, UnknownTicket), (0, UnknownTicket), (2**63, UnknownTicket)):
        for move in (
            staffed.transfers.transfer(ticket_id, PETR, BY_OLGA),
            staffed.transfers.put_back(ticket_id, BY_OLGA),
            staffed.transfers.take(ticket_id, acting(PETR)),
        ):
            with pytest.raises(expected):
                await move
    assert await told(staffed) == []


async def test_who_does_not_have_a_ticket_hands_nothing_over(staffed: Services) -> None:
    for move in (staffed.transfers.transfer(1, PETR, acting(VERA)), staffed.transfers.put_back(1, acting(VERA))):
        with pytest.raises(NotYours):
            await move
    assert await told(staffed) == []


async def test_a_waiting_ticket_is_taken_by_who_asks_first_also_offline(services: Services) -> None:
    for name in ("Olga", "Petr"):
        await services.operators.add(name, f"{name}@example.com", "hash", 1)
    await services.tickets.create(NEW)
    await told(services)
    ticket = await services.transfers.take(1, acting(PETR))
    assert (ticket.status, ticket.operator_id, ticket.operator_name, ticket.last_seq) == (
        TicketStatus.ACTIVE,
        PETR,
        "Petr",
        1,
    )
    assert await services.tickets.read(1) == ticket
    assert await counted(services) == [0, 1]
    names = [(one.name, one.channel) for one in await told(services)]
    assert names == [
        ("ticket:assigned", "private-operator-2"),
        ("ticket:updated", "private-support-queue"),
        ("ticket:updated", "private-ticket-1"),
        ("ticket:operator", "private-ticket-1"),
    ]
    # A repeat after a lost answer says the same; a colleague was too late.
    assert await services.transfers.take(1, acting(PETR)) == ticket
    with pytest.raises(TicketTaken):
        await services.transfers.take(1, acting(OLGA))
    assert await told(services) == []


async def test_who_is_full_takes_a_ticket_only_after_a_question(services: Services) -> None:
    await services.operators.add("Olga", "o", "hash", 0)
    await services.tickets.create(NEW)
    with pytest.raises(OperatorFull):
        await services.transfers.take(1, acting(OLGA))
    assert (await services.transfers.take(1, acting(OLGA), over_limit=True)).operator_id == OLGA


async def test_who_was_disabled_meanwhile_takes_nothing(services: Services) -> None:
    await services.operators.add("Olga", "o", "hash", 5)
    await services.tickets.create(NEW)
    await services.operators.disable("o")
    with pytest.raises(LoginNeeded):
        await services.transfers.take(1, acting(OLGA))
    assert (await services.tickets.read(1)).status is TicketStatus.WAITING


async def test_of_many_who_take_one_ticket_at_once_one_gets_it(services: Services) -> None:
    for number in range(5):
        await services.operators.add(f"o{number}", f"{number}", "hash", 5)
    await services.tickets.create(NEW)
    answers = await asyncio.gather(
        *(services.transfers.take(1, acting(one)) for one in range(1, 6)), return_exceptions=True
    )
    assert sum(isinstance(one, Ticket) for one in answers) == 1
    assert sum(isinstance(one, TicketTaken) for one in answers) == 4
    assert sum(await counted(services)) == 1


async def test_a_ticket_handed_over_twice_at_once_goes_to_one(staffed: Services) -> None:
    moves = [staffed.transfers.transfer(1, target, BY_OLGA) for target in (PETR, VERA)]
    answers = await asyncio.gather(*moves, return_exceptions=True)
    assert sum(isinstance(one, NotYours) for one in answers) == 1
    assert sum(await counted(staffed)) == 1


async def test_what_the_former_operator_sends_after_the_transfer_is_not_stored(staffed: Services) -> None:
    await staffed.transfers.transfer(1, PETR, BY_OLGA)
    for attempt in (staffed.tickets.add_message(1, Draft("too late"), BY_OLGA), staffed.tickets.close(1, BY_OLGA)):
        with pytest.raises(NotYours):
            await attempt
    ticket = await staffed.tickets.read(1)
    assert (ticket.last_seq, ticket.status) == (2, TicketStatus.ACTIVE)


async def test_who_is_handed_a_ticket_while_away_has_as_long_to_come_as_after_a_heartbeat(
    staffed: Services, clock: SteadyClock
) -> None:
    clock.advance(1000)
    await online(staffed, OLGA)
    await staffed.tickets.create(NEW)
    await staffed.transfers.transfer(1, PETR, BY_OLGA)
    assert await staffed.assignment.release_silent(SILENCE) == 0
    clock.advance(120)
    await online(staffed, OLGA)
    assert await staffed.assignment.release_silent(SILENCE) == 0
    clock.advance(0.001)
    assert await staffed.assignment.release_silent(SILENCE) == 1
    assert (await staffed.tickets.read(1)).operator_id == OLGA
    assert await counted(staffed) == [2, 0, 0]


async def test_a_ticket_handed_to_who_is_away_does_not_hold_the_others_of_theirs(
    staffed: Services, clock: SteadyClock
) -> None:
    await staffed.tickets.create(NEW)
    await staffed.transfers.transfer(2, PETR, BY_OLGA)
    clock.advance(1000)
    await online(staffed, OLGA)
    await staffed.transfers.transfer(1, PETR, BY_OLGA)
    assert await staffed.assignment.release_silent(SILENCE) == 1
    assert [(await staffed.tickets.read(number)).operator_id for number in (1, 2)] == [PETR, OLGA]


async def test_who_takes_a_ticket_is_there(staffed: Services, clock: SteadyClock) -> None:
    await staffed.transfers.put_back(1, BY_OLGA)
    clock.advance(1000)
    await staffed.transfers.take(1, acting(VERA))
    assert await staffed.assignment.release_silent(SILENCE) == 0
    clock.advance(120.001)
    assert await staffed.assignment.release_silent(SILENCE) == 1


async def test_whoever_loses_a_ticket_loses_its_channel_first(staffed: Services, clock: SteadyClock) -> None:
    clock.advance(121)
    await staffed.assignment.release_silent(SILENCE)
    released = await told(staffed)
    assert (released[0].name, released[0].channel, released[0].payload) == (
        "unsubscribe",
        "private-ticket-1",
        {"user_id": "operator-1"},
    )
    await staffed.transfers.take(1, acting(PETR))
    assert all(one.kind is EventKind.EVENT for one in await told(staffed)), "nobody lost it"
    await staffed.operators.disable("Petr@example.com")
    ended = [one for one in await told(staffed) if one.kind is not EventKind.EVENT]
    assert [(one.channel, one.payload["user_id"]) for one in ended] == [
        ("", "operator-2"),
        ("", "operator-2"),
        ("private-ticket-1", "operator-2"),
    ]
