"""Conversations in which nobody speaks."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from support_api.database.urls import database_of
from support_api.delivery.sweep import Sweep
from support_api.errors import LoginNeeded, NotYours, TicketClosed
from support_api.models.messages import Draft, Message, SenderType
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.tickets import NewTicket, TicketStatus
from support_api.models.times import Times
from support_api.rules.assignment import LeastLoaded
from support_api.services import Services, open_services
from support_api.wording import wording
from tests.support_api.helpers import SteadyClock, acting

OLGA, PETR = 1, 2
ANNA, BY_OLGA = Identity("a" * 32), acting(OLGA)
TIMES = Times(timedelta(minutes=5), timedelta(minutes=8), timedelta(seconds=90), timedelta(hours=24))


@pytest.fixture
async def desk(database_url: str, clock: SteadyClock) -> AsyncIterator[Services]:
    """Olga serves ticket 1, and who came online stays it; Petr is away."""
    chooser = LeastLoaded(timedelta(days=1))
    async with open_services(database_of(database_url, clock=clock), chooser, wording("en"), TIMES) as services:
        for name in ("Olga", "Petr"):
            await services.operators.add(name, f"{name}@example.com", "hash", 1)
        await services.operators.heartbeat(OLGA, OperatorStatus.ONLINE, None)
        await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
        yield services


async def said(services: Services) -> list[str]:
    history = await services.tickets.history(1, 0, 100, ANNA)
    return [message.notice.code if message.notice else message.content for message in history.messages]


async def write(services: Services, who: Identity, text: str) -> Message:
    return await services.tickets.add_message(1, Draft(text), who)


async def looked(services: Services) -> tuple[int, int, int]:
    return await services.silence.warn(), await services.silence.close(), await services.silence.hand_on()


async def test_a_visitor_who_does_not_answer_is_asked_once_and_then_the_conversation_is_closed(
    desk: Services, clock: SteadyClock
) -> None:
    await write(desk, BY_OLGA, "Hello, Anna")
    clock.advance(299)
    assert await looked(desk) == (0, 0, 0)
    clock.advance(1)
    assert await looked(desk) == (1, 0, 0)
    assert await looked(desk) == (0, 0, 0), "once"
    clock.advance(179)
    assert await looked(desk) == (0, 0, 0)
    clock.advance(1)
    assert await looked(desk) == (0, 1, 0)
    assert await looked(desk) == (0, 0, 0)
    assert await said(desk) == ["Hello", "Hello, Anna", "still_there", "closed_in_silence"]
    ticket = await desk.tickets.read(1)
    assert (ticket.status, ticket.closed_by, ticket.last_seq) == (TicketStatus.CLOSED, SenderType.OPERATOR, 4)
    assert (await desk.operators.presence(OLGA)).active_tickets == 0


async def test_who_goes_on_after_the_end_has_the_whole_time_again(desk: Services, clock: SteadyClock) -> None:
    await write(desk, BY_OLGA, "Hello, Anna")
    await desk.tickets.close(1, ANNA)
    clock.advance(3600)
    await desk.reopening.reopen(1, ANNA)
    clock.advance(299)
    assert await looked(desk) == (0, 0, 0)
    clock.advance(1)
    assert await looked(desk) == (1, 0, 0)


async def test_where_nobody_is_asked_a_reopened_conversation_is_not_closed_at_once(
    database_url: str, clock: SteadyClock
) -> None:
    chooser, times = (
        LeastLoaded(timedelta(days=1)),
        Times(close_after=timedelta(minutes=8), reopen_within=TIMES.reopen_within),
    )
    async with open_services(database_of(database_url, clock=clock), chooser, wording("en"), times) as desk:
        await desk.operators.add("Olga", "olga@example.com", "hash", 1)
        await desk.operators.heartbeat(OLGA, OperatorStatus.ONLINE, None)
        await desk.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
        await write(desk, BY_OLGA, "Hello, Anna")
        await desk.tickets.close(1, ANNA)
        clock.advance(3600)
        await desk.reopening.reopen(1, ANNA)
        assert await desk.silence.close() == 0
        clock.advance(480)
        assert await desk.silence.close() == 1


async def test_who_answers_is_asked_anew_only_after_the_next_silence(desk: Services, clock: SteadyClock) -> None:
    await write(desk, BY_OLGA, "Hello, Anna")
    clock.advance(300)
    assert await desk.silence.warn() == 1
    await write(desk, ANNA, "Yes")
    clock.advance(10_000)
    assert (await desk.silence.warn(), await desk.silence.close()) == (0, 0), "it is Olga who does not answer"
    await write(desk, BY_OLGA, "Good")
    clock.advance(300)
    assert await desk.silence.warn() == 1


async def test_a_desk_that_was_away_gives_who_it_asks_their_whole_time_to_answer(
    desk: Services, clock: SteadyClock
) -> None:
    await write(desk, BY_OLGA, "Hello, Anna")
    clock.advance(10_000)
    assert await looked(desk) == (1, 0, 0)
    clock.advance(180)
    assert await looked(desk) == (0, 1, 0)


async def test_the_room_of_what_is_closed_goes_to_who_waits(desk: Services, clock: SteadyClock) -> None:
    await write(desk, BY_OLGA, "Hello, Anna")
    waiting = await desk.tickets.create(NewTicket("b" * 32, "Boris", None, "Hi"))
    assert waiting.ticket.status is TicketStatus.WAITING
    clock.advance(300)
    await desk.silence.warn()
    clock.advance(180)
    await desk.silence.close()
    assert (await desk.tickets.read(2)).operator_id == OLGA


async def test_what_an_operator_leaves_unanswered_goes_to_another_and_not_back(
    desk: Services, clock: SteadyClock
) -> None:
    clock.advance(89)
    assert await desk.silence.hand_on() == 0
    clock.advance(1)
    assert await desk.silence.hand_on() == 1
    assert (await desk.tickets.read(1)).status is TicketStatus.WAITING
    assert (await desk.operators.presence(OLGA)).active_tickets == 0
    await desk.operators.heartbeat(OLGA, OperatorStatus.ONLINE, None)
    await desk.operators.heartbeat(PETR, OperatorStatus.ONLINE, None)
    assert (await desk.tickets.read(1)).operator_id == PETR
    assert await desk.silence.hand_on() == 0, "Petr has their own time"
    clock.advance(90)
    assert await desk.silence.hand_on() == 1
    assert (await desk.tickets.read(1)).operator_id == OLGA


async def test_the_time_to_answer_runs_from_the_oldest_question(desk: Services, clock: SteadyClock) -> None:
    for _ in range(3):
        clock.advance(30)
        await write(desk, ANNA, "Anybody?")
    assert await desk.silence.hand_on() == 1


async def test_who_answered_keeps_the_conversation(desk: Services, clock: SteadyClock) -> None:
    clock.advance(80)
    await write(desk, BY_OLGA, "Hello")
    clock.advance(1000)
    assert await desk.silence.hand_on() == 0


async def test_what_rests_is_left_alone_until_its_moment_or_the_next_message(
    desk: Services, clock: SteadyClock
) -> None:
    await write(desk, BY_OLGA, "Hello, Anna")
    until = clock.now + timedelta(hours=1)
    rested = await desk.silence.snooze(1, until, BY_OLGA)
    assert rested == await desk.tickets.read(1)
    assert rested.snoozed_until == until
    clock.advance(3599)
    assert await looked(desk) == (0, 0, 0)
    clock.advance(1)
    assert await looked(desk) == (1, 0, 0)
    await desk.silence.snooze(1, clock.now + timedelta(hours=1), BY_OLGA)
    await write(desk, ANNA, "I am here")
    assert (await desk.tickets.read(1)).snoozed_until is None
    assert (await desk.silence.snooze(1, None, BY_OLGA)).snoozed_until is None


async def test_only_its_operator_lets_an_open_conversation_rest(desk: Services, clock: SteadyClock) -> None:
    for who, refusal in ((ANNA, LoginNeeded), (acting(PETR), NotYours), (Identity(), LoginNeeded)):
        with pytest.raises(refusal):
            await desk.silence.snooze(1, clock.now, who)
    await desk.tickets.close(1, ANNA)
    with pytest.raises(TicketClosed):
        await desk.silence.snooze(1, clock.now, BY_OLGA)


async def test_a_look_does_a_bounded_part(desk: Services, clock: SteadyClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support_api.services.silence.AT_ONCE", 1)
    await desk.operators.set_limit("Olga@example.com", 2)
    await desk.tickets.create(NewTicket("b" * 32, "Boris", None, "Hi"))
    for number in (1, 2):
        await desk.tickets.add_message(number, Draft("Hello"), BY_OLGA)
    clock.advance(300)
    assert [await desk.silence.warn() for _ in range(3)] == [1, 1, 0]


async def test_the_sweep_looks_for_silence(desk: Services, clock: SteadyClock) -> None:
    await write(desk, BY_OLGA, "Hello, Anna")
    clock.advance(300)
    await Sweep(desk, timedelta(days=1)).look()
    assert (await said(desk))[-1] == "still_there"


async def test_nothing_happens_by_itself_unless_it_is_asked_for(services: Services) -> None:
    assert await looked(services) == (0, 0, 0)
