"""Conversations, and their assignment."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from support_api.database.tables import messages, operators_online, tickets
from support_api.database.urls import database_of
from support_api.errors import Forbidden, InvalidField, SupportError, TicketClosed, TooManyOpen, UnknownTicket
from support_api.models.ids import MAX_ID
from support_api.models.messages import Draft, SenderType
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.tickets import NewTicket, OpenLimits, Ticket, TicketStatus
from support_api.rules.assignment import LeastLoaded
from support_api.serializers import message_json
from support_api.services import Services, open_services
from support_api.wording import wording
from tests.helpers.postgres import PostgresServer
from tests.support_api.helpers import START, SteadyClock, acting

NEW = NewTicket("a" * 32, "Anna", "anna@example.com", "Hello")
ANNA, STRANGER, OLGA = Identity("a" * 32), Identity("b" * 32), acting(1)


async def online(services: Services, name: str, max_tickets: int = 5) -> int:
    operator = await services.operators.add(name, f"{name}@example.com", "hash", max_tickets)
    await services.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    return operator.id


async def events(services: Services) -> list[tuple[str, str]]:
    return [(one.event.name, one.event.channel) for one in await services.outbox.pending(1000)]


async def make_room(services: Services, max_tickets: int) -> None:
    """As another process would, of which nobody here hears."""
    room = update(operators_online).values(max_tickets=max_tickets)
    await services.database.writing(lambda tx: tx.conn.execute(room).rowcount)


async def forget_events(services: Services) -> None:
    await services.outbox.forget([one.id for one in await services.outbox.pending(1000)])


async def test_a_ticket_without_an_operator_waits_and_only_the_queue_hears_of_it(services: Services) -> None:
    opened = await services.tickets.create(NEW)
    ticket = opened.ticket
    assert (ticket.id, ticket.status, ticket.operator_id, ticket.last_seq) == (1, TicketStatus.WAITING, None, 1)
    assert (ticket.visitor_name, ticket.visitor_email, ticket.created_at) == ("Anna", "anna@example.com", START)
    assert (opened.message.seq, opened.message.content, opened.message.sender_type) == (1, "Hello", SenderType.VISITOR)
    assert await services.tickets.read(1) == ticket
    (new,) = await services.outbox.pending(10)
    assert (new.event.channel, new.event.name) == ("private-support-queue", "ticket:new")
    assert new.event.payload == {
        "ticket_id": 1,
        "visitor_name": "Anna",
        "status": "waiting",
        "operator_id": None,
        "message": "Hello",
        "created_at": "2026-01-02T03:04:05.678Z",
        "group_id": None,
        "group_name": None,
    }


async def test_a_ticket_goes_to_an_operator_who_is_online(services: Services) -> None:
    operator_id = await online(services, "olga")
    opened = await services.tickets.create(NEW)
    assert opened.ticket.status is TicketStatus.ACTIVE
    assert (opened.ticket.operator_id, opened.ticket.operator_name) == (operator_id, "olga")
    assert await services.tickets.read(opened.ticket.id) == opened.ticket
    assigned, new = await services.outbox.pending(10)
    assert (assigned.event.name, assigned.event.channel) == ("ticket:assigned", f"private-operator-{operator_id}")
    assert (assigned.event.payload["ticket_id"], assigned.event.payload["message"]) == (1, "Hello")
    assert (new.event.payload["status"], new.event.payload["operator_id"]) == ("active", operator_id)
    assert (await services.operators.presence(operator_id)).active_tickets == 1


async def test_an_operator_without_a_fresh_heartbeat_gets_nothing(services: Services, clock: SteadyClock) -> None:
    await online(services, "olga")
    clock.advance(61)
    assert (await services.tickets.create(NEW)).ticket.status is TicketStatus.WAITING


async def test_tickets_take_turns_among_equals(services: Services, clock: SteadyClock) -> None:
    first, second = await online(services, "olga"), await online(services, "petr")
    taken = []
    for _ in range(4):
        clock.advance(1)
        taken.append((await services.tickets.create(NEW)).ticket.operator_id)
    assert taken == [first, second, first, second]


async def test_a_repeated_create_returns_the_same_ticket_and_tells_nobody(services: Services) -> None:
    first = await services.tickets.create(replace(NEW, client_id="c1"))
    again = await services.tickets.create(replace(NEW, client_id="c1", message="other"))
    assert again == first
    assert len(await events(services)) == 1


async def test_the_same_client_id_of_another_visitor_makes_another_ticket(services: Services) -> None:
    first = await services.tickets.create(replace(NEW, client_id="c1"))
    other = await services.tickets.create(replace(NEW, client_id="c1", visitor_id="b" * 32))
    assert other.ticket.id != first.ticket.id


async def test_two_creates_at_once_with_one_client_id_make_one_ticket(services: Services) -> None:
    opened = await asyncio.gather(*(services.tickets.create(replace(NEW, client_id="c1")) for _ in range(8)))
    assert {one.ticket.id for one in opened} == {1}


async def test_a_visitor_and_a_network_have_so_many_open_tickets_at_most(services: Services) -> None:
    limits = OpenLimits(per_visitor=2, per_network=3)
    here = replace(NEW, network="here")
    for _ in range(2):
        await services.tickets.create(here, limits)
    with pytest.raises(TooManyOpen, match="You have 2 open conversations"):
        await services.tickets.create(here, limits)
    other = replace(here, visitor_id="b" * 32)
    await services.tickets.create(other, limits)
    for visitor in ("b", "c"):
        with pytest.raises(TooManyOpen, match="3 conversations from your network are open"):
            await services.tickets.create(replace(here, visitor_id=visitor * 32), limits)
    await services.tickets.create(replace(other, network="there"), limits)
    await services.tickets.close(1, ANNA)
    await services.tickets.create(replace(here, visitor_id="c" * 32), limits)


async def test_a_repeat_finds_its_ticket_at_the_limit_too(services: Services) -> None:
    limits, first = OpenLimits(per_visitor=1), replace(NEW, client_id="c1")
    made = await services.tickets.create(first, limits)
    assert await services.tickets.create(first, limits) == made


async def test_creates_at_once_do_not_pass_the_limit_of_open_tickets(services: Services) -> None:
    limits = OpenLimits(per_visitor=3)
    answers = await asyncio.gather(*(services.tickets.create(NEW, limits) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, TooManyOpen) for one in answers) == 5
    assert len(await services.tickets.waiting()) == 3


async def test_where_a_closed_ticket_came_from_is_forgotten(services: Services) -> None:
    await services.tickets.create(replace(NEW, network="here"))
    await services.tickets.close(1, ANNA)
    networks = await services.database.reading(lambda tx: tx.conn.execute(select(tickets.c.network)).scalars().all())
    assert networks == [None]


async def test_messages_get_seq_without_gaps_and_their_event(services: Services) -> None:
    await services.tickets.create(NEW)
    await forget_events(services)
    sent = await asyncio.gather(
        *(services.tickets.add_message(1, Draft(f"m{n}", None, "1.2"), ANNA) for n in range(10))
    )
    assert sorted(one.seq for one in sent) == list(range(2, 12))
    pending = await services.outbox.pending(100)
    told = [one.event.payload["message"] for one in pending]
    assert told == [message_json(one) for one in sorted(sent, key=lambda one: one.seq)]
    assert {one.event.exclude_socket for one in pending} == {"1.2"}
    assert (await services.tickets.read(1)).last_seq == 11


async def test_a_repeated_message_returns_the_stored_one_and_tells_nobody(services: Services) -> None:
    await services.tickets.create(NEW)
    first = await services.tickets.add_message(1, Draft("one", "c1"), ANNA)
    again = await services.tickets.add_message(1, Draft("two", "c1"), ANNA)
    assert again == first
    assert (await events(services)).count(("message:new", "private-ticket-1")) == 1


async def test_a_repeat_is_answered_after_the_ticket_was_closed_too(services: Services) -> None:
    await services.tickets.create(NEW)
    first = await services.tickets.add_message(1, Draft("one", "c1"), ANNA)
    await services.tickets.close(1, ANNA)
    assert await services.tickets.add_message(1, Draft("one", "c1"), ANNA) == first
    with pytest.raises(TicketClosed):
        await services.tickets.add_message(1, Draft("two", "c2"), ANNA)


async def test_a_client_id_of_the_other_side_is_refused(services: Services) -> None:
    await online(services, "olga")
    await services.tickets.create(NEW)
    await services.tickets.add_message(1, Draft("one", "c1"), ANNA)
    with pytest.raises(InvalidField):
        await services.tickets.add_message(1, Draft("two", "c1"), OLGA)


@pytest.mark.parametrize("ticket_id", [0, -1, 2, MAX_ID, MAX_ID + 1, 10**30])
async def test_an_unknown_ticket_is_unknown_to_every_call(services: Services, ticket_id: int) -> None:
    await services.tickets.create(NEW)
    for call in (
        services.tickets.read(ticket_id),
        services.tickets.close(ticket_id, ANNA),
        services.tickets.add_message(ticket_id, Draft("x"), ANNA),
        services.tickets.history(ticket_id, 0, 10, ANNA),
    ):
        with pytest.raises(UnknownTicket):
            await call


async def test_who_is_not_admitted_changes_and_reads_nothing(services: Services) -> None:
    opened = await services.tickets.create(NEW)
    for call in (
        services.tickets.close(1, STRANGER),
        services.tickets.add_message(1, Draft("x"), STRANGER),
        services.tickets.history(1, 0, 10, STRANGER),
    ):
        with pytest.raises(Forbidden):
            await call
    assert await services.tickets.read(1) == opened.ticket


async def test_history_comes_in_parts(services: Services) -> None:
    await services.tickets.create(NEW)
    for number in range(4):
        await services.tickets.add_message(1, Draft(f"m{number}"), ANNA)
    part = await services.tickets.history(1, 1, 2, ANNA)
    assert ([one.seq for one in part.messages], part.has_more) == ([2, 3], True)
    rest = await services.tickets.history(1, 3, 2, ANNA)
    assert ([one.seq for one in rest.messages], rest.has_more) == ([4, 5], False)
    assert rest.ticket.last_seq == 5


async def test_closing_tells_the_conversation_and_the_queue_once(services: Services, clock: SteadyClock) -> None:
    operator_id = await online(services, "olga")
    await services.tickets.create(NEW)
    await forget_events(services)
    clock.advance(1)
    closed = await services.tickets.close(1, OLGA)
    assert (closed.status, closed.closed_by, closed.closed_at) == (TicketStatus.CLOSED, SenderType.OPERATOR, clock.now)
    assert await services.tickets.close(1, ANNA) == closed == await services.tickets.read(1)
    ended, updated = await services.outbox.pending(10)
    assert (ended.event.name, ended.event.channel) == ("ticket:closed", "private-ticket-1")
    assert ended.event.payload == {"ticket_id": 1, "closed_by": "operator", "closed_at": "2026-01-02T03:04:06.678Z"}
    assert (updated.event.name, updated.event.channel) == ("ticket:updated", "private-support-queue")
    assert updated.event.payload["status"] == "closed"
    assert (await services.operators.presence(operator_id)).active_tickets == 0


async def test_the_oldest_waiting_ticket_is_taken_when_one_is_closed(services: Services) -> None:
    operator_id = await online(services, "olga", max_tickets=1)
    for _ in range(3):
        await services.tickets.create(NEW)
    await forget_events(services)
    await services.tickets.close(1, OLGA)
    assert [summary.ticket.id for summary in await services.tickets.active_of(operator_id)] == [2]
    assert [summary.ticket.id for summary in await services.tickets.waiting()] == [3]
    assert (await events(services))[2:] == [
        ("ticket:assigned", f"private-operator-{operator_id}"),
        ("ticket:updated", "private-support-queue"),
        ("ticket:updated", "private-ticket-2"),
        ("ticket:operator", "private-ticket-2"),
    ]


async def test_waiting_tickets_are_taken_when_an_operator_comes_online(services: Services) -> None:
    for number in range(3):
        await services.tickets.create(replace(NEW, message=f"first {number}"))
    operator_id = await online(services, "olga", max_tickets=2)
    assert [one.first_message for one in await services.tickets.active_of(operator_id)] == ["first 0", "first 1"]
    assert [one.first_message for one in await services.tickets.waiting()] == ["first 2"]


async def test_waiting_tickets_are_taken_when_a_limit_is_raised(services: Services) -> None:
    operator_id = await online(services, "olga", max_tickets=0)
    await services.tickets.create(NEW)
    await services.operators.heartbeat(operator_id, OperatorStatus.ONLINE, 1)
    assert await services.tickets.waiting() == []
    await services.tickets.create(NEW)
    await services.operators.set_limit("olga@example.com", 2)
    assert await services.tickets.waiting() == []


async def test_the_sweep_gives_away_what_another_process_made_room_for(services: Services) -> None:
    await online(services, "olga", max_tickets=0)
    await services.tickets.create(NEW)
    assert await services.assignment.assign_waiting() == 0
    await make_room(services, 3)
    assert await services.assignment.assign_waiting() == 1
    assert await services.assignment.assign_waiting() == 0
    assert await services.tickets.waiting() == []


async def test_an_older_waiting_ticket_goes_before_a_new_one(services: Services) -> None:
    await online(services, "olga", max_tickets=0)
    await services.tickets.create(NEW)
    await make_room(services, 1)
    opened = await services.tickets.create(NEW)
    assert opened.ticket.status is TicketStatus.WAITING
    assert [summary.ticket.id for summary in await services.tickets.waiting()] == [2]
    assert [name for name, _ in await events(services)][-5:] == [
        "ticket:assigned",
        "ticket:updated",
        "ticket:updated",
        "ticket:operator",
        "ticket:new",
    ]


async def test_the_database_itself_refuses_a_second_message_with_one_seq(services: Services) -> None:
    await services.tickets.create(NEW)
    await services.tickets.add_message(1, Draft("x"), ANNA)
    with pytest.raises(IntegrityError):
        await services.database.writing(lambda tx: tx.conn.execute(update(messages).values(seq=1)).rowcount)


async def test_parallel_creates_over_many_operators_never_pass_a_limit(services: Services) -> None:
    limits = {await online(services, f"o{number}", limit): limit for number, limit in enumerate((0, 1, 2, 3, 4))}
    opened = await asyncio.gather(*(services.tickets.create(NEW) for _ in range(25)))
    held = {operator_id: len(await services.tickets.active_of(operator_id)) for operator_id in limits}
    assert held == limits
    waiting = [summary.ticket.id for summary in await services.tickets.waiting()]
    assert len(waiting) == 15
    assert min(waiting) > max(one.ticket.id for one in opened if one.ticket.operator_id is not None)


EVERYBODY = [acting(number) for number in (1, 2, 3)]

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


some_plans = hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@some_plans
@given(steps)
def test_whatever_happens_nobody_waits_while_somebody_is_free_and_counts_are_true(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    asyncio.run(_live_through(f"sqlite:///{folder}/desk.sqlite3", plan))


@hypothesis_settings(some_plans, max_examples=8)
@given(steps)
def test_the_same_holds_on_postgresql(postgres_with_tables: PostgresServer, plan: list[tuple[str, int]]) -> None:
    name = postgres_with_tables.new_database()
    asyncio.run(_live_through(postgres_with_tables.url(name), plan))
    postgres_with_tables.drop(name)


async def _live_through(url: str, plan: list[tuple[str, int]]) -> None:
    chooser = LeastLoaded(timedelta(seconds=60))
    async with open_services(database_of(url, clock=SteadyClock()), chooser, wording("en")) as services:
        for number in range(3):
            await services.operators.add(f"o{number}", f"{number}", "hash", 2)
        known = Known()
        for step, number in plan:
            await _take(services, step, number)
            await _check(services, known, agreed=step == "force")


@dataclass
class Known:
    """How many tickets each operator had after the last step; a limit may have been lowered under them since."""

    held: dict[int, int] = field(default_factory=dict)


async def _take(services: Services, step: str, number: int) -> None:
    match step:
        case "create":
            await asyncio.gather(*(services.tickets.create(NEW) for _ in range(number)))
        case "close":
            try:
                await services.tickets.close(number, ANNA)
            except UnknownTicket:
                return
        case "online" | "away":
            await services.operators.heartbeat(number + 1, OperatorStatus(step), None)
        case "limit":
            await services.operators.set_limit(f"{number % 3}", number // 3)
        case "disable":
            await services.operators.disable(f"{number}")
        case "enable":
            await services.operators.enable(f"{number}")
        case "transfer" | "put_back" | "take" | "force":
            await _move_at_once(services, step, number)


async def _move_at_once(services: Services, step: str, number: int) -> None:
    """Several people want several things of several tickets at the same time; what is refused changes nothing."""
    transfers, targets = services.transfers, [number % 3 + 1, (number + 1) % 3 + 1]
    some = [number, number % 5 + 1]
    match step:
        case "transfer":
            moves = [transfers.transfer(one, to, by) for one in some for to in targets for by in EVERYBODY]
        case "put_back":
            moves = [transfers.put_back(one, by) for one in some for by in EVERYBODY]
        case "take":
            moves = [transfers.take(one, acting(target)) for one in some for target in targets]
        case _:
            moves = [transfers.transfer(number, targets[0], by, over_limit=True) for by in EVERYBODY]
    for answer in await asyncio.gather(*moves, return_exceptions=True):
        assert isinstance(answer, (Ticket, SupportError)), answer


async def _check(services: Services, known: Known, *, agreed: bool) -> None:
    waiting = [summary.ticket for summary in await services.tickets.waiting()]
    for operator, presence in await services.operators.everybody():
        held, before = len(await services.tickets.active_of(operator.id)), known.held.get(operator.id, 0)
        assert presence.active_tickets == held
        assert agreed or held <= max(presence.max_tickets, before), "nobody agreed to more"
        known.held[operator.id] = held
        if operator.is_disabled:
            assert not held
        elif presence.status is OperatorStatus.ONLINE and any(one.returned_by != operator.id for one in waiting):
            assert held >= presence.max_tickets


async def test_whose_session_it_is_is_looked_up_in_the_transaction_of_the_message(services: Services) -> None:
    olga = await online(services, "olga")
    await services.sessions.open(olga, "hash", "h1", START + timedelta(hours=1))
    opened = await services.tickets.create(NEW)
    by_session = Identity(session="h1")
    message = await services.tickets.add_message(opened.ticket.id, Draft("Hello"), by_session)
    assert (message.sender_type, message.sender_id) == (SenderType.OPERATOR, str(olga))
    await services.sessions.close(olga, "h1")
    await services.tickets.create(replace(NEW, message="again"))
    with pytest.raises(Forbidden):
        await services.tickets.add_message(opened.ticket.id, Draft("Hello"), by_session)


async def test_a_session_that_is_unknown_or_was_not_looked_up_gives_no_rights(services: Services) -> None:
    opened = await services.tickets.create(NEW)
    for identity in (Identity(session="h9"), Identity("b" * 32, session="h9")):
        with pytest.raises(Forbidden):
            await services.tickets.add_message(opened.ticket.id, Draft("Hello"), identity)
        with pytest.raises(Forbidden):
            await services.tickets.history(opened.ticket.id, 0, 10, identity)
    of_visitor = Identity(NEW.visitor_id, session="h9")
    message = await services.tickets.add_message(opened.ticket.id, Draft("Hello"), of_visitor)
    assert message.sender_type is SenderType.VISITOR
