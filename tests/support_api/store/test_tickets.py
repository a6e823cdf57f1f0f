"""Conversations in the store, and their assignment."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from support_api.database.tables import tickets
from support_api.errors import Forbidden, InvalidField, SupportError, TicketClosed, TooManyOpen, UnknownTicket
from support_api.models.ids import MAX_ID
from support_api.models.messages import Draft, Sender, SenderType
from support_api.models.operators import OperatorStatus
from support_api.models.tickets import NewTicket, OpenLimits, Ticket, TicketStatus
from support_api.serializers import message_json
from support_api.store import Store
from tests.support_api.helpers import START, SteadyClock, operator_of, visitor_of

NEW = NewTicket("a" * 32, "Anna", "anna@example.com", "Hello")


async def online(store: Store, name: str, max_tickets: int = 5) -> int:
    operator = await store.operators.add(name, f"{name}@example.com", "hash", max_tickets)
    await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    return operator.id


async def events(store: Store) -> list[tuple[str, str]]:
    return [(one.event.name, one.event.channel) for one in await store.outbox.pending(1000)]


async def forget_events(store: Store) -> None:
    await store.outbox.forget([one.id for one in await store.outbox.pending(1000)])


def refuse(_ticket: Ticket) -> Sender:
    raise Forbidden


async def test_a_ticket_without_an_operator_waits_and_only_the_queue_hears_of_it(store: Store) -> None:
    opened = await store.tickets.create(NEW)
    ticket = opened.ticket
    assert (ticket.id, ticket.status, ticket.operator_id, ticket.last_seq) == (1, TicketStatus.WAITING, None, 1)
    assert (ticket.visitor_name, ticket.visitor_email, ticket.created_at) == ("Anna", "anna@example.com", START)
    assert (opened.message.seq, opened.message.content, opened.message.sender_type) == (1, "Hello", SenderType.VISITOR)
    assert await store.tickets.read(1) == ticket
    (new,) = await store.outbox.pending(10)
    assert (new.event.channel, new.event.name) == ("private-support-queue", "ticket:new")
    assert new.event.payload == {
        "ticket_id": 1,
        "visitor_name": "Anna",
        "status": "waiting",
        "operator_id": None,
        "message": "Hello",
        "created_at": "2026-01-02T03:04:05.678Z",
    }


async def test_a_ticket_goes_to_an_operator_who_is_online(store: Store) -> None:
    operator_id = await online(store, "olga")
    opened = await store.tickets.create(NEW)
    assert opened.ticket.status is TicketStatus.ACTIVE
    assert (opened.ticket.operator_id, opened.ticket.operator_name) == (operator_id, "olga")
    assert await store.tickets.read(opened.ticket.id) == opened.ticket
    assigned, new = await store.outbox.pending(10)
    assert (assigned.event.name, assigned.event.channel) == ("ticket:assigned", f"private-operator-{operator_id}")
    assert (assigned.event.payload["ticket_id"], assigned.event.payload["message"]) == (1, "Hello")
    assert (new.event.payload["status"], new.event.payload["operator_id"]) == ("active", operator_id)
    assert (await store.operators.presence(operator_id)).active_tickets == 1


async def test_an_operator_without_a_fresh_heartbeat_gets_nothing(store: Store, clock: SteadyClock) -> None:
    await online(store, "olga")
    clock.advance(61)
    assert (await store.tickets.create(NEW)).ticket.status is TicketStatus.WAITING


async def test_tickets_take_turns_among_equals(store: Store, clock: SteadyClock) -> None:
    first, second = await online(store, "olga"), await online(store, "petr")
    taken = []
    for _ in range(4):
        clock.advance(1)
        taken.append((await store.tickets.create(NEW)).ticket.operator_id)
    assert taken == [first, second, first, second]


async def test_a_repeated_create_returns_the_same_ticket_and_tells_nobody(store: Store) -> None:
    first = await store.tickets.create(replace(NEW, client_id="c1"))
    again = await store.tickets.create(replace(NEW, client_id="c1", message="other"))
    assert again == first
    assert len(await events(store)) == 1


async def test_the_same_client_id_of_another_visitor_makes_another_ticket(store: Store) -> None:
    first = await store.tickets.create(replace(NEW, client_id="c1"))
    other = await store.tickets.create(replace(NEW, client_id="c1", visitor_id="b" * 32))
    assert other.ticket.id != first.ticket.id


async def test_two_creates_at_once_with_one_client_id_make_one_ticket(store: Store) -> None:
    opened = await asyncio.gather(*(store.tickets.create(replace(NEW, client_id="c1")) for _ in range(8)))
    assert {one.ticket.id for one in opened} == {1}


async def test_a_visitor_and_a_network_have_so_many_open_tickets_at_most(store: Store) -> None:
    limits = OpenLimits(per_visitor=2, per_network=3)
    here = replace(NEW, network="here")
    for _ in range(2):
        await store.tickets.create(here, limits)
    with pytest.raises(TooManyOpen, match="You have 2 open conversations"):
        await store.tickets.create(here, limits)
    other = replace(here, visitor_id="b" * 32)
    await store.tickets.create(other, limits)
    for visitor in ("b", "c"):
        with pytest.raises(TooManyOpen, match="3 conversations from your network are open"):
            await store.tickets.create(replace(here, visitor_id=visitor * 32), limits)
    await store.tickets.create(replace(other, network="there"), limits)
    await store.tickets.close(1, visitor_of)
    await store.tickets.create(replace(here, visitor_id="c" * 32), limits)


async def test_a_repeat_finds_its_ticket_at_the_limit_too(store: Store) -> None:
    limits, first = OpenLimits(per_visitor=1), replace(NEW, client_id="c1")
    made = await store.tickets.create(first, limits)
    assert await store.tickets.create(first, limits) == made


async def test_creates_at_once_do_not_pass_the_limit_of_open_tickets(store: Store) -> None:
    limits = OpenLimits(per_visitor=3)
    answers = await asyncio.gather(*(store.tickets.create(NEW, limits) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, TooManyOpen) for one in answers) == 5
    assert len(await store.tickets.waiting()) == 3


async def test_where_a_closed_ticket_came_from_is_forgotten(store: Store) -> None:
    await store.tickets.create(replace(NEW, network="here"))
    await store.tickets.close(1, visitor_of)
    async with store.database.reading() as conn:
        assert (await conn.execute(select(tickets.c.network))).scalars().all() == [None]


async def test_messages_get_seq_without_gaps_and_their_event(store: Store) -> None:
    await store.tickets.create(NEW)
    await forget_events(store)
    sent = await asyncio.gather(
        *(store.tickets.add_message(1, Draft(f"m{n}", None, "1.2"), visitor_of) for n in range(10))
    )
    assert sorted(one.seq for one in sent) == list(range(2, 12))
    pending = await store.outbox.pending(100)
    told = [one.event.payload["message"] for one in pending]
    assert told == [message_json(one) for one in sorted(sent, key=lambda one: one.seq)]
    assert {one.event.exclude_socket for one in pending} == {"1.2"}
    assert (await store.tickets.read(1)).last_seq == 11


async def test_a_repeated_message_returns_the_stored_one_and_tells_nobody(store: Store) -> None:
    await store.tickets.create(NEW)
    first = await store.tickets.add_message(1, Draft("one", "c1"), visitor_of)
    again = await store.tickets.add_message(1, Draft("two", "c1"), visitor_of)
    assert again == first
    assert (await events(store)).count(("message:new", "private-ticket-1")) == 1


async def test_a_repeat_is_answered_after_the_ticket_was_closed_too(store: Store) -> None:
    await store.tickets.create(NEW)
    first = await store.tickets.add_message(1, Draft("one", "c1"), visitor_of)
    await store.tickets.close(1, visitor_of)
    assert await store.tickets.add_message(1, Draft("one", "c1"), visitor_of) == first
    with pytest.raises(TicketClosed):
        await store.tickets.add_message(1, Draft("two", "c2"), visitor_of)


async def test_a_client_id_of_the_other_side_is_refused(store: Store) -> None:
    await online(store, "olga")
    await store.tickets.create(NEW)
    await store.tickets.add_message(1, Draft("one", "c1"), visitor_of)
    with pytest.raises(InvalidField):
        await store.tickets.add_message(1, Draft("two", "c1"), operator_of)


@pytest.mark.parametrize("ticket_id", [0, -1, 2, MAX_ID, MAX_ID + 1, 10**30])
async def test_an_unknown_ticket_is_unknown_to_every_call(store: Store, ticket_id: int) -> None:
    await store.tickets.create(NEW)
    for call in (
        store.tickets.read(ticket_id),
        store.tickets.close(ticket_id, visitor_of),
        store.tickets.add_message(ticket_id, Draft("x"), visitor_of),
        store.tickets.history(ticket_id, 0, 10, visitor_of),
    ):
        with pytest.raises(UnknownTicket):
            await call


async def test_who_is_not_admitted_changes_and_reads_nothing(store: Store) -> None:
    opened = await store.tickets.create(NEW)
    for call in (
        store.tickets.close(1, refuse),
        store.tickets.add_message(1, Draft("x"), refuse),
        store.tickets.history(1, 0, 10, refuse),
    ):
        with pytest.raises(Forbidden):
            await call
    assert await store.tickets.read(1) == opened.ticket


async def test_history_comes_in_parts(store: Store) -> None:
    await store.tickets.create(NEW)
    for number in range(4):
        await store.tickets.add_message(1, Draft(f"m{number}"), visitor_of)
    part = await store.tickets.history(1, 1, 2, visitor_of)
    assert ([one.seq for one in part.messages], part.has_more) == ([2, 3], True)
    rest = await store.tickets.history(1, 3, 2, visitor_of)
    assert ([one.seq for one in rest.messages], rest.has_more) == ([4, 5], False)
    assert rest.ticket.last_seq == 5


async def test_closing_tells_the_conversation_and_the_queue_once(store: Store, clock: SteadyClock) -> None:
    operator_id = await online(store, "olga")
    await store.tickets.create(NEW)
    await forget_events(store)
    clock.advance(1)
    closed = await store.tickets.close(1, operator_of)
    assert (closed.status, closed.closed_by, closed.closed_at) == (TicketStatus.CLOSED, SenderType.OPERATOR, clock.now)
    assert await store.tickets.close(1, visitor_of) == closed == await store.tickets.read(1)
    ended, updated = await store.outbox.pending(10)
    assert (ended.event.name, ended.event.channel) == ("ticket:closed", "private-ticket-1")
    assert ended.event.payload == {"ticket_id": 1, "closed_by": "operator", "closed_at": "2026-01-02T03:04:06.678Z"}
    assert (updated.event.name, updated.event.channel) == ("ticket:updated", "private-support-queue")
    assert updated.event.payload["status"] == "closed"
    assert (await store.operators.presence(operator_id)).active_tickets == 0


async def test_the_oldest_waiting_ticket_is_taken_when_one_is_closed(store: Store) -> None:
    operator_id = await online(store, "olga", max_tickets=1)
    for _ in range(3):
        await store.tickets.create(NEW)
    await forget_events(store)
    await store.tickets.close(1, operator_of)
    assert [listed.ticket.id for listed in await store.tickets.active_of(operator_id)] == [2]
    assert [listed.ticket.id for listed in await store.tickets.waiting()] == [3]
    assert (await events(store))[2:] == [
        ("ticket:assigned", f"private-operator-{operator_id}"),
        ("ticket:updated", "private-support-queue"),
        ("ticket:updated", "private-ticket-2"),
    ]


async def test_waiting_tickets_are_taken_when_an_operator_comes_online(store: Store) -> None:
    for number in range(3):
        await store.tickets.create(replace(NEW, message=f"first {number}"))
    operator_id = await online(store, "olga", max_tickets=2)
    assert [one.first_message for one in await store.tickets.active_of(operator_id)] == ["first 0", "first 1"]
    assert [one.first_message for one in await store.tickets.waiting()] == ["first 2"]


async def test_waiting_tickets_are_taken_when_a_limit_is_raised(store: Store) -> None:
    operator_id = await online(store, "olga", max_tickets=0)
    await store.tickets.create(NEW)
    await store.operators.heartbeat(operator_id, OperatorStatus.ONLINE, 1)
    assert await store.tickets.waiting() == []
    await store.tickets.create(NEW)
    await store.operators.set_limit("olga@example.com", 2)
    assert await store.tickets.waiting() == []


async def test_the_sweep_gives_away_what_another_process_made_room_for(store: Store) -> None:
    await online(store, "olga", max_tickets=0)
    await store.tickets.create(NEW)
    assert await store.tickets.sweep() == 0
    other = sqlite3.connect(store.database.where)
    with other:
        other.execute("UPDATE support_operators_online SET max_tickets = 3")
    other.close()
    assert await store.tickets.sweep() == 1
    assert await store.tickets.sweep() == 0
    assert await store.tickets.waiting() == []


async def test_an_older_waiting_ticket_goes_before_a_new_one(store: Store) -> None:
    await online(store, "olga", max_tickets=0)
    await store.tickets.create(NEW)
    other = sqlite3.connect(store.database.where)
    with other:
        other.execute("UPDATE support_operators_online SET max_tickets = 1")
    other.close()
    opened = await store.tickets.create(NEW)
    assert opened.ticket.status is TicketStatus.WAITING
    assert [listed.ticket.id for listed in await store.tickets.waiting()] == [2]
    assert [name for name, _ in await events(store)][-4:] == [
        "ticket:assigned",
        "ticket:updated",
        "ticket:updated",
        "ticket:new",
    ]


async def test_the_database_itself_refuses_a_second_message_with_one_seq(store: Store) -> None:
    from sqlalchemy import update

    from support_api.database.tables import messages

    await store.tickets.create(NEW)
    await store.tickets.add_message(1, Draft("x"), visitor_of)
    with pytest.raises(IntegrityError):
        async with store.database.writing() as tx:
            await tx.conn.execute(update(messages).values(seq=1))


async def test_parallel_creates_over_many_operators_never_pass_a_limit(store: Store) -> None:
    limits = {await online(store, f"o{number}", limit): limit for number, limit in enumerate((0, 1, 2, 3, 4))}
    opened = await asyncio.gather(*(store.tickets.create(NEW) for _ in range(25)))
    held = {operator_id: len(await store.tickets.active_of(operator_id)) for operator_id in limits}
    assert held == limits
    waiting = [listed.ticket.id for listed in await store.tickets.waiting()]
    assert len(waiting) == 15
    assert min(waiting) > max(one.ticket.id for one in opened if one.ticket.operator_id is not None)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.integers(1, 4)),
        st.tuples(st.just("close"), st.integers(1, 12)),
        st.tuples(st.just("online"), st.integers(0, 2)),
        st.tuples(st.just("away"), st.integers(0, 2)),
        st.tuples(st.just("limit"), st.integers(0, 8)),
        st.tuples(st.just("disable"), st.integers(0, 2)),
        st.tuples(st.just("enable"), st.integers(0, 2)),
        st.tuples(st.just("transfer"), st.integers(1, 12)),
        st.tuples(st.just("put_back"), st.integers(1, 12)),
        st.tuples(st.just("take"), st.integers(1, 12)),
        st.tuples(st.just("force"), st.integers(1, 12)),
    ),
    max_size=16,
)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps)
def test_whatever_happens_nobody_waits_while_somebody_is_free_and_counts_are_true(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    asyncio.run(_live_through(f"sqlite:///{folder}/desk.sqlite3", plan))


async def _live_through(url: str, plan: list[tuple[str, int]]) -> None:
    from datetime import timedelta

    from support_api.database.legacy import Database
    from support_api.rules.assignment import LeastLoaded
    from support_api.store import open_store
    from support_api.wording import wording

    chooser = LeastLoaded(timedelta(seconds=60))
    async with open_store(Database(url, clock=SteadyClock()), chooser, wording("en")) as store:
        for number in range(3):
            await store.operators.add(f"o{number}", f"{number}", "hash", 2)
        known = Known()
        for step, number in plan:
            await _take(store, step, number)
            await _check(store, known, agreed=step == "force")


@dataclass
class Known:
    """How many tickets each operator had after the last step; a limit may have been lowered under them since."""

    held: dict[int, int] = field(default_factory=dict)


async def _take(store: Store, step: str, number: int) -> None:
    match step:
        case "create":
            await asyncio.gather(*(store.tickets.create(NEW) for _ in range(number)))
        case "close":
            try:
                await store.tickets.close(number, visitor_of)
            except UnknownTicket:
                return
        case "online" | "away":
            await store.operators.heartbeat(number + 1, OperatorStatus(step), None)
        case "limit":
            await store.operators.set_limit(f"{number % 3}", number // 3)
        case "disable":
            await store.operators.disable(f"{number}")
        case "enable":
            await store.operators.enable(f"{number}")
        case "transfer" | "put_back" | "take" | "force":
            await _move_at_once(store, step, number)


async def _move_at_once(store: Store, step: str, number: int) -> None:
    """Several people want several things of several tickets at the same time; what is refused changes nothing."""
    transfers, targets = store.transfers, [number % 3 + 1, (number + 1) % 3 + 1]
    some = [number, number % 5 + 1]
    match step:
        case "transfer":
            moves = [transfers.transfer(one, target, operator_of_active) for one in some for target in targets]
        case "put_back":
            moves = [transfers.put_back(one, operator_of_active) for one in some]
        case "take":
            moves = [transfers.take(one, target) for one in some for target in targets]
        case _:
            moves = [transfers.transfer(number, targets[0], operator_of_active, over_limit=True)]
    for answer in await asyncio.gather(*moves, return_exceptions=True):
        assert isinstance(answer, (Ticket, SupportError)), answer


def operator_of_active(ticket: Ticket) -> Sender:
    if ticket.operator_id is None:
        raise Forbidden
    return operator_of(ticket)


async def _check(store: Store, known: Known, *, agreed: bool) -> None:
    waiting = [listed.ticket for listed in await store.tickets.waiting()]
    for operator, presence in await store.operators.everybody():
        held, before = len(await store.tickets.active_of(operator.id)), known.held.get(operator.id, 0)
        assert presence.active_tickets == held
        assert agreed or held <= max(presence.max_tickets, before), "nobody agreed to more"
        known.held[operator.id] = held
        if operator.is_disabled:
            assert not held
        elif presence.status is OperatorStatus.ONLINE and any(one.returned_by != operator.id for one in waiting):
            assert held >= presence.max_tickets
