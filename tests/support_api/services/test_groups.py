"""Groups: who is in one, whom a ticket for one goes to, and what happens when all of that changes at once."""

import asyncio
import random
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from support_api.database.engine import Transaction
from support_api.database.tables import operators_online, tickets
from support_api.errors import Forbidden, GroupTaken, InvalidField, LoginNeeded, SupportError, UnknownGroup
from support_api.models.assignment import Kind
from support_api.models.groups import Group, Staff
from support_api.models.notes import NoteKind
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.outbox import Event
from support_api.models.tickets import NewTicket, Ticket, TicketStatus
from support_api.rules.assignment import suits
from support_api.services import Services
from support_api.store import operators
from support_api.store import tickets as stored
from tests.support_api.helpers import SteadyClock, acting

OLGA, PETR, VERA = 1, 2, 3
SALES, REPAIRS = 1, 2
SILENCE = timedelta(seconds=120)


def for_group(group_id: int | None, visitor: str = "a") -> NewTicket:
    return NewTicket(visitor * 32, "Anna", "anna@example.com", "Hello", group_id=group_id)


async def online(services: Services, *numbers: int) -> None:
    for number in numbers:
        await services.operators.heartbeat(number, OperatorStatus.ONLINE, None)


async def open_for(services: Services, group_id: int | None) -> Ticket:
    return (await services.tickets.create(for_group(group_id))).ticket


async def told(services: Services) -> list[Event]:
    """What was announced since the last call."""
    pending = await services.outbox.pending(1000)
    await services.outbox.forget([one.id for one in pending])
    return [one.event for one in pending]


@pytest.fixture
async def staffed(services: Services) -> Services:
    """Olga is in sales, Petr in repairs, Vera in neither; all are offline and take two tickets."""
    for name in ("Olga", "Petr", "Vera"):
        await services.operators.add(name, f"{name.lower()}@example.com", "hash", 2)
    for name, email in (("Sales", "olga@example.com"), ("Repairs", "petr@example.com")):
        await services.groups.add(name)
        await services.groups.join(name, email)
    return services


async def test_groups_are_listed_by_name_with_their_members(staffed: Services) -> None:
    await staffed.groups.join("Sales", "petr@example.com")
    await staffed.groups.join("Sales", "petr@example.com")
    listed = [Staff(Group(REPAIRS, "Repairs"), [PETR]), Staff(Group(SALES, "Sales"), [OLGA, PETR])]
    assert await staffed.groups.everyone() == listed
    await staffed.groups.leave("Sales", "petr@example.com")
    await staffed.groups.rename("Repairs", "Workshop")
    assert [one.group.name for one in await staffed.groups.everyone()] == ["Sales", "Workshop"]


async def test_a_name_is_one_groups_only(staffed: Services) -> None:
    with pytest.raises(GroupTaken):
        await staffed.groups.add("Sales")
    with pytest.raises(GroupTaken):
        await staffed.groups.rename("Repairs", "Sales")
    for attempt in (staffed.groups.remove("None"), staffed.groups.join("None", "olga@example.com")):
        with pytest.raises(UnknownGroup):
            await attempt


async def test_a_ticket_for_a_group_goes_to_a_member_and_waits_for_one(staffed: Services) -> None:
    await online(staffed, PETR, VERA)
    ticket = await open_for(staffed, SALES)
    assert (ticket.status, ticket.group_id) == (TicketStatus.WAITING, SALES)
    assert (await open_for(staffed, None)).operator_id in (PETR, VERA), "who is behind does not wait for it"
    await online(staffed, OLGA)
    taken = await staffed.tickets.read(ticket.id)
    assert (taken.operator_id, taken.group_name) == (OLGA, "Sales")


async def test_more_tickets_than_one_look_that_suit_nobody_hold_nobody_up(
    staffed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support_api.services.assigner.AT_ONCE", 3)
    for group_id in (SALES, SALES, SALES, SALES, REPAIRS, REPAIRS, REPAIRS, None):
        await open_for(staffed, group_id)
    await online(staffed, PETR)
    held = [one.ticket.id for one in await staffed.tickets.active_of(PETR)]
    assert held == [5, 6]
    await online(staffed, VERA)
    assert [one.ticket.id for one in await staffed.tickets.active_of(VERA)] == [8]


async def test_by_hand_anybody_takes_a_groups_ticket(staffed: Services) -> None:
    ticket = await open_for(staffed, SALES)
    assert (await staffed.transfers.take(ticket.id, acting(VERA, "Vera"))).operator_id == VERA


async def test_a_page_that_names_a_group_that_was_removed_opens_a_ticket_for_everybody(staffed: Services) -> None:
    for unknown in (99, 2**62):
        assert (await open_for(staffed, unknown)).group_id is None


async def test_who_joins_a_group_gets_what_waits_for_it_and_a_removed_groups_tickets_are_everybodys(
    staffed: Services,
) -> None:
    await online(staffed, VERA)
    first, second = await open_for(staffed, SALES), await open_for(staffed, REPAIRS)
    await staffed.groups.join("Sales", "vera@example.com")
    assert (await staffed.tickets.read(first.id)).operator_id == VERA
    await staffed.groups.remove("Repairs")
    moved = await staffed.tickets.read(second.id)
    assert (moved.operator_id, moved.group_id) == (VERA, None)


async def test_a_ticket_handed_to_a_group_goes_to_a_member_with_its_note(staffed: Services) -> None:
    await online(staffed, OLGA)
    ticket = await open_for(staffed, SALES)
    await online(staffed, PETR, VERA)
    await told(staffed)
    moved = await staffed.transfers.put_back(ticket.id, acting(OLGA), group_id=REPAIRS, note="Broken hinge")
    assert (moved.operator_id, moved.group_name) == (PETR, "Repairs")
    heard = await told(staffed)
    (note,) = [one for one in heard if one.name == "note:new"]
    assert (note.channel, "Broken hinge" in str(note.payload["note"])) == ("private-operator-2", True)
    assert not any("Broken" in str(one.payload) for one in heard if one is not note)
    (kept,) = await staffed.notes.of_ticket(ticket.id, acting(PETR, "Petr"))
    assert (kept.kind, kept.operator_name, kept.after_seq) == (NoteKind.TRANSFER, "Olga", 1)
    for who, refusal in ((acting(VERA), Forbidden), (acting(OLGA), Forbidden), (Identity("a" * 32), LoginNeeded)):
        with pytest.raises(refusal):
            await staffed.notes.of_ticket(ticket.id, who)


async def test_a_note_to_a_colleague_is_theirs_and_one_to_the_queue_waits_with_the_ticket(staffed: Services) -> None:
    await online(staffed, OLGA)
    ticket = await open_for(staffed, None)
    await staffed.transfers.transfer(ticket.id, PETR, acting(OLGA), note="You know them")
    assert [one.channel for one in await told(staffed) if one.name == "note:new"] == ["private-operator-2"]
    await staffed.operators.heartbeat(OLGA, OperatorStatus.AWAY, None)
    await staffed.transfers.put_back(ticket.id, acting(PETR, "Petr"), note="Back to all")
    assert [one for one in await told(staffed) if one.name == "note:new"] == []
    seen = await staffed.notes.of_ticket(ticket.id, acting(VERA, "Vera"))
    assert [one.content for one in seen] == ["You know them", "Back to all"], "who may look at it reads them too"


async def test_a_group_that_there_is_not_gets_nothing_and_nothing_is_noted(staffed: Services) -> None:
    await online(staffed, OLGA)
    ticket = await open_for(staffed, None)
    with pytest.raises(InvalidField):
        await staffed.transfers.put_back(ticket.id, acting(OLGA), group_id=99, note="Lost")
    assert (await staffed.tickets.read(ticket.id)).operator_id == OLGA
    assert await staffed.notes.of_ticket(ticket.id, acting(OLGA)) == []


PEOPLE, GROUPS, VISITORS, ROUNDS = 4, 2, 8, 3


@pytest.mark.parametrize("seed", [4711, 4712])
async def test_whatever_happens_at_once_no_limit_is_passed_and_nobody_waits_while_somebody_suitable_is_free(
    services: Services, clock: SteadyClock, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same choices in each run, nothing secret
    for number in range(1, PEOPLE + 1):
        await services.operators.add(f"o{number}", f"o{number}", "hash", 1 + number % 2)
    for number in range(1, GROUPS + 1):
        await services.groups.add(f"g{number}")
    for _ in range(ROUNDS):
        await asyncio.gather(
            *(_visit(services, chance, f"{number:032}") for number in range(VISITORS)),
            *(_work(services, chance, number) for number in range(1, PEOPLE + 1)),
        )
        clock.advance(30)
        await services.database.reading(_check)
        clock.advance(100)
        await online(services, *chance.sample(range(1, PEOPLE + 1), 2))
        await services.assignment.release_silent(SILENCE)
        await services.database.reading(_check)
    assert await services.assignment.assign_waiting() == 0


async def _visit(services: Services, chance: random.Random, visitor: str) -> None:
    group_id = chance.choice([None, *range(1, GROUPS + 1)])
    new = NewTicket(visitor, "Anna", None, "Hello", group_id=group_id)
    ticket = (await services.tickets.create(new)).ticket
    if chance.random() < 0.5:
        await services.tickets.close(ticket.id, Identity(visitor))


async def _work(services: Services, chance: random.Random, number: int) -> None:
    me, colleague = acting(number), chance.randint(1, PEOPLE)
    group, move = chance.randint(1, GROUPS), chance.choice([services.groups.join, services.groups.leave])
    status = chance.choice([OperatorStatus.ONLINE, OperatorStatus.ONLINE, OperatorStatus.AWAY])
    await services.operators.heartbeat(number, status, None)
    await move(f"g{group}", f"o{number}")
    for summary in (await services.tickets.active_of(number))[:2]:
        with suppress(SupportError):
            match chance.randrange(4):
                case 0:
                    await services.transfers.transfer(summary.ticket.id, colleague, me, note="n")
                case 1:
                    await services.transfers.put_back(summary.ticket.id, me, group_id=group)
                case 2:
                    await services.tickets.close(summary.ticket.id, me)
                case _:
                    await services.operators.disable(f"o{number}")
                    await services.operators.enable(f"o{number}")
    for summary in (await services.tickets.waiting())[:1]:
        with suppress(SupportError):
            await services.transfers.take(summary.ticket.id, me)


def _check(tx: Transaction) -> None:
    """Counters equal rows, limits hold, nobody waits whom somebody free suits, and of one kind the oldest were first."""
    mine = (tickets.c.operator_id == operators_online.c.user_id) & (tickets.c.status == TicketStatus.ACTIVE.value)
    held = select(func.count()).select_from(tickets).where(mine).scalar_subquery().label("held")
    for row in tx.conn.execute(select(operators_online, held)):
        assert row.active_tickets == row.held <= row.max_tickets
    free = [
        one
        for one in operators.candidates(tx)
        if one.status is OperatorStatus.ONLINE
        and tx.now - one.last_seen <= timedelta(seconds=60)
        and one.active_tickets < one.max_tickets
    ]
    for summary in stored.waiting(tx):
        kind = Kind(summary.ticket.group_id, summary.ticket.returned_by)
        assert not [one.operator_id for one in free if suits(one, kind)], summary.ticket.id


async def test_first_come_first_served_for_each_operator_whom_tickets_suit(staffed: Services) -> None:
    kinds = [SALES, None, REPAIRS, SALES, None, REPAIRS, SALES, REPAIRS]
    for group_id in kinds:
        await open_for(staffed, group_id)
    await online(staffed, PETR, OLGA, VERA)
    order: dict[int, list[int]] = defaultdict(list)
    for number in (OLGA, PETR, VERA):
        order[number] = [one.ticket.id for one in await staffed.tickets.active_of(number)]
    assert order == {PETR: [2, 3], OLGA: [1, 4], VERA: [5]}
    await staffed.tickets.close(3, acting(PETR, "Petr"))
    assert [one.ticket.id for one in await staffed.tickets.active_of(PETR)] == [2, 6]
