"""Operators, their sessions and their presence."""

from datetime import timedelta

import pytest

from support_api.errors import EmailTaken, UnknownOperator
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.models.outbox import EventKind
from support_api.models.tickets import NewTicket, TicketStatus
from support_api.services import Services
from tests.support_api.helpers import START, SteadyClock

OLGA = "olga@example.com"
SILENCE = timedelta(seconds=120)


async def add(services: Services) -> Operator:
    return await services.operators.add("Olga", OLGA, "hash")


async def test_an_added_operator_is_there_and_offline(services: Services) -> None:
    operator = await add(services)
    assert await services.operators.everybody() == [(operator, Presence(OperatorStatus.OFFLINE, 0, 5, START))]


async def test_an_email_is_used_once(services: Services) -> None:
    await add(services)
    with pytest.raises(EmailTaken):
        await add(services)
    assert len(await services.operators.everybody()) == 1


async def test_credentials_are_found_by_email_unless_the_account_is_disabled(services: Services) -> None:
    operator = await add(services)
    found = await services.sessions.credentials(OLGA)
    assert found is not None
    assert (found.operator, found.password_hash) == (operator, "hash")
    assert await services.sessions.credentials("nobody@example.com") is None
    await services.operators.disable(OLGA)
    assert await services.sessions.credentials(OLGA) is None
    await services.operators.enable(OLGA)
    assert await services.sessions.credentials(OLGA) == found


async def test_a_session_names_its_operator_until_it_is_over(services: Services, clock: SteadyClock) -> None:
    operator = await add(services)
    await services.sessions.open(operator.id, "hash", "h1", START + timedelta(hours=1))
    assert await services.sessions.operator_of("h1") == operator
    assert await services.sessions.operator_of("h2") is None
    clock.advance(3600)
    assert await services.sessions.operator_of("h1") is None


async def test_logging_out_of_one_session_leaves_the_operator_to_the_others(
    services: Services, clock: SteadyClock
) -> None:
    operator = await add(services)
    await services.sessions.open(operator.id, "hash", "h1", START + timedelta(hours=2))
    await services.sessions.open(operator.id, "hash", "h2", START + timedelta(hours=2))
    await services.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    await services.sessions.close(operator.id, "h1")
    assert await services.sessions.operator_of("h1") is None
    assert await services.sessions.operator_of("h2") == operator
    assert await services.operators.presence(operator.id) == Presence(OperatorStatus.ONLINE, 1, 5, clock.now)
    await services.sessions.close(operator.id, "h2")
    assert await services.operators.presence(operator.id) == Presence(OperatorStatus.OFFLINE, 0, 5, clock.now)


async def test_a_session_that_is_over_does_not_hold_its_operator_at_log_out(
    services: Services, clock: SteadyClock
) -> None:
    operator = await add(services)
    await services.sessions.open(operator.id, "hash", "old", START + timedelta(hours=1))
    await services.sessions.open(operator.id, "hash", "new", START + timedelta(hours=2))
    clock.advance(3600)
    await services.sessions.close(operator.id, "new")
    assert (await services.operators.presence(operator.id)).status is OperatorStatus.OFFLINE


async def test_the_tickets_of_who_logs_out_go_to_others_or_wait(services: Services) -> None:
    petr = await _two_tickets_and_petr(services)
    await services.sessions.open(1, "hash", "h1", START + timedelta(hours=1))
    await services.sessions.close(1, "h1")
    assert await _states(services) == [(TicketStatus.ACTIVE, petr.id), (TicketStatus.WAITING, None)]
    assert await _told(services) == [("unsubscribe", "", None), *_given_to(petr)]


async def test_the_tickets_of_a_silent_operator_go_to_others_or_wait(services: Services, clock: SteadyClock) -> None:
    petr = await _two_tickets_and_petr(services)
    clock.advance(120)
    await services.operators.heartbeat(petr.id, OperatorStatus.ONLINE, None)
    assert await services.assignment.release_silent(SILENCE) == 0
    clock.advance(0.001)
    assert await services.assignment.release_silent(SILENCE) == 2
    assert await services.assignment.release_silent(SILENCE) == 0
    assert await _states(services) == [(TicketStatus.ACTIVE, petr.id), (TicketStatus.WAITING, None)]
    assert await _told(services) == _given_to(petr)
    assert [(one.active_tickets) for _, one in await services.operators.everybody()] == [0, 1]


async def test_the_oldest_ticket_of_several_silent_operators_is_the_next(
    services: Services, clock: SteadyClock
) -> None:
    for name in ("a", "b"):
        one = await services.operators.add(name, f"{name}@example.com", "hash", 2)
        await services.operators.heartbeat(one.id, OperatorStatus.ONLINE, None)
    for _ in range(4):
        await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    clock.advance(121)
    petr = await services.operators.add("Petr", "petr@example.com", "hash", 2)
    await services.operators.heartbeat(petr.id, OperatorStatus.ONLINE, None)
    assert await services.assignment.release_silent(SILENCE) == 4
    assert [one.ticket.id for one in await services.tickets.active_of(petr.id)] == [1, 2]
    assert [one.ticket.id for one in await services.tickets.waiting()] == [3, 4]


@pytest.mark.parametrize("status", [OperatorStatus.AWAY, OperatorStatus.OFFLINE])
async def test_an_operator_who_is_away_but_heard_keeps_his_tickets(
    services: Services, clock: SteadyClock, status: OperatorStatus
) -> None:
    operator = await add(services)
    await services.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    clock.advance(121)
    await services.operators.heartbeat(operator.id, status, None)
    assert await services.assignment.release_silent(SILENCE) == 0
    assert len(await services.tickets.active_of(operator.id)) == 1


async def test_a_new_password_and_a_disabled_account_end_all_sessions(services: Services) -> None:
    operator = await add(services)
    await services.sessions.open(operator.id, "hash", "h1", START + timedelta(hours=1))
    await services.operators.set_password(OLGA, "other hash")
    assert await services.sessions.operator_of("h1") is None
    await services.sessions.open(operator.id, "other hash", "h2", START + timedelta(hours=1))
    await services.operators.disable(OLGA)
    await services.operators.enable(OLGA)
    assert await services.sessions.operator_of("h2") is None


@pytest.mark.parametrize("end", ["password", "expiry"])
async def test_whose_last_session_has_ended_gets_no_new_tickets(
    services: Services, clock: SteadyClock, end: str
) -> None:
    operator = await add(services)
    await services.sessions.open(operator.id, "hash", "h1", START + timedelta(seconds=1))
    await services.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    if end == "password":
        await services.operators.set_password(OLGA, "other hash")
    else:
        clock.advance(1)
        await services.sessions.end_expired()
    opened = await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    assert opened.ticket.status is TicketStatus.WAITING
    assert (await services.operators.presence(operator.id)).status is OperatorStatus.OFFLINE


async def test_whose_other_session_goes_on_stays_online(services: Services, clock: SteadyClock) -> None:
    operator = await add(services)
    await services.sessions.open(operator.id, "hash", "h1", START + timedelta(seconds=1))
    await services.sessions.open(operator.id, "hash", "h2", START + timedelta(hours=1))
    await services.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    clock.advance(1)
    await services.sessions.end_expired()
    assert (await services.operators.presence(operator.id)).status is OperatorStatus.ONLINE


async def _access_ended(services: Services) -> list[tuple[str, str, object]]:
    """What ends access since the last call."""
    pending = await services.outbox.pending(100)
    await services.outbox.forget([one.id for one in pending])
    ended = [one.event for one in pending if one.event.kind is not EventKind.EVENT]
    return [(one.kind.value, one.channel, one.payload["user_id"]) for one in ended]


async def test_who_loses_a_session_loses_the_channels_by_each_way_out(services: Services, clock: SteadyClock) -> None:
    operator = await add(services)
    everything = ("unsubscribe", "", f"operator-{operator.id}")

    async def log_in(name: str, password_hash: str) -> None:
        await services.sessions.open(operator.id, password_hash, name, clock.now + timedelta(hours=1))
        assert await _access_ended(services) == []

    for name in ("h1", "h2"):
        await log_in(name, "hash")
    # Also when another session stays: its panel has its channels signed anew.
    await services.sessions.close(operator.id, "h1")
    assert await _access_ended(services) == [everything]
    await services.operators.set_password(OLGA, "other hash")
    assert await _access_ended(services) == [everything]
    await log_in("h3", "other hash")
    clock.advance(3600)
    await services.sessions.open(operator.id, "other hash", "h4", clock.now + timedelta(hours=1))
    assert await _access_ended(services) == [everything]
    await services.sessions.end_expired()
    assert await _access_ended(services) == []
    clock.advance(3600)
    await services.sessions.end_expired()
    assert await _access_ended(services) == [everything]
    await services.operators.disable(OLGA)
    assert await _access_ended(services) == [everything, ("terminate", "", f"operator-{operator.id}")]


async def test_the_tickets_of_a_disabled_operator_go_to_others_or_wait(services: Services) -> None:
    petr = await _two_tickets_and_petr(services)
    await services.operators.disable(OLGA)
    assert await _states(services) == [(TicketStatus.ACTIVE, petr.id), (TicketStatus.WAITING, None)]
    assert await _told(services) == [("unsubscribe", "", None), ("terminate", "", None), *_given_to(petr)]


async def _two_tickets_and_petr(services: Services) -> Operator:
    """Olga has two tickets, Petr has room for one."""
    olga = await add(services)
    await services.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    for _ in range(2):
        await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    petr = await services.operators.add("Petr", "petr@example.com", "hash", 1)
    await services.operators.heartbeat(petr.id, OperatorStatus.ONLINE, None)
    await services.outbox.forget([one.id for one in await services.outbox.pending(100)])
    return petr


async def _states(services: Services) -> list[tuple[TicketStatus, int | None]]:
    found = [await services.tickets.read(number) for number in (1, 2)]
    return [(one.status, one.operator_id) for one in found]


async def _told(services: Services) -> list[tuple[str, str, object]]:
    pending = await services.outbox.pending(100)
    return [(one.event.name, one.event.channel, one.event.payload.get("status")) for one in pending]


def _given_to(petr: Operator) -> list[tuple[str, str, object]]:
    return [
        ("unsubscribe", "private-ticket-1", None),
        ("ticket:updated", "private-support-queue", "waiting"),
        ("ticket:updated", "private-ticket-1", "waiting"),
        ("unsubscribe", "private-ticket-2", None),
        ("ticket:updated", "private-support-queue", "waiting"),
        ("ticket:updated", "private-ticket-2", "waiting"),
        ("ticket:assigned", f"private-operator-{petr.id}", None),
        ("ticket:updated", "private-support-queue", "active"),
        ("ticket:updated", "private-ticket-1", "active"),
        ("ticket:operator", "private-ticket-1", None),
    ]


async def test_a_heartbeat_sets_status_and_limit(services: Services) -> None:
    operator = await add(services)
    away = Presence(OperatorStatus.AWAY, 0, 7, START)
    assert await services.operators.heartbeat(operator.id, OperatorStatus.AWAY, 7) == away
    assert await services.operators.heartbeat(
        operator.id, OperatorStatus.ONLINE, None
    ) == await services.operators.presence(operator.id)


async def test_nobody_is_changed_under_an_unknown_email(services: Services) -> None:
    for call in (
        services.operators.set_password("x", "hash"),
        services.operators.set_limit("x", 1),
        services.operators.disable("x"),
        services.operators.enable("x"),
    ):
        with pytest.raises(UnknownOperator):
            await call
