"""Operators, sessions and presence in the store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support_api.errors import EmailTaken, UnknownOperator
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.models.outbox import EventKind
from support_api.models.tickets import NewTicket, TicketStatus
from support_api.store import Store
from tests.support_api.helpers import START, SteadyClock

OLGA = "olga@example.com"
SILENCE = timedelta(seconds=120)


async def add(store: Store) -> Operator:
    return await store.operators.add("Olga", OLGA, "hash")


async def test_an_added_operator_is_there_and_offline(store: Store) -> None:
    operator = await add(store)
    assert await store.operators.everybody() == [(operator, Presence(OperatorStatus.OFFLINE, 0, 5, START))]


async def test_an_email_is_used_once(store: Store) -> None:
    await add(store)
    with pytest.raises(EmailTaken):
        await add(store)
    assert len(await store.operators.everybody()) == 1


async def test_credentials_are_found_by_email_unless_the_account_is_disabled(store: Store) -> None:
    operator = await add(store)
    found = await store.operators.credentials(OLGA)
    assert found is not None
    assert (found.operator, found.password_hash) == (operator, "hash")
    assert await store.operators.credentials("nobody@example.com") is None
    await store.operators.disable(OLGA)
    assert await store.operators.credentials(OLGA) is None
    await store.operators.enable(OLGA)
    assert await store.operators.credentials(OLGA) == found


async def test_a_session_names_its_operator_until_it_is_over(store: Store, clock: SteadyClock) -> None:
    operator = await add(store)
    await store.operators.open_session(operator.id, "hash", "h1", START + timedelta(hours=1))
    assert await store.operators.of_session("h1") == operator
    assert await store.operators.of_session("h2") is None
    clock.advance(3600)
    assert await store.operators.of_session("h1") is None


async def test_logging_out_of_one_session_leaves_the_operator_to_the_others(store: Store, clock: SteadyClock) -> None:
    operator = await add(store)
    await store.operators.open_session(operator.id, "hash", "h1", START + timedelta(hours=2))
    await store.operators.open_session(operator.id, "hash", "h2", START + timedelta(hours=2))
    await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    await store.operators.close_session(operator.id, "h1")
    assert await store.operators.of_session("h1") is None
    assert await store.operators.of_session("h2") == operator
    assert await store.operators.presence(operator.id) == Presence(OperatorStatus.ONLINE, 1, 5, clock.now)
    await store.operators.close_session(operator.id, "h2")
    assert await store.operators.presence(operator.id) == Presence(OperatorStatus.OFFLINE, 0, 5, clock.now)


async def test_a_session_that_is_over_does_not_hold_its_operator_at_log_out(store: Store, clock: SteadyClock) -> None:
    operator = await add(store)
    await store.operators.open_session(operator.id, "hash", "old", START + timedelta(hours=1))
    await store.operators.open_session(operator.id, "hash", "new", START + timedelta(hours=2))
    clock.advance(3600)
    await store.operators.close_session(operator.id, "new")
    assert (await store.operators.presence(operator.id)).status is OperatorStatus.OFFLINE


async def test_the_tickets_of_who_logs_out_go_to_others_or_wait(store: Store) -> None:
    petr = await _two_tickets_and_petr(store)
    await store.operators.open_session(1, "hash", "h1", START + timedelta(hours=1))
    await store.operators.close_session(1, "h1")
    assert await _states(store) == [(TicketStatus.ACTIVE, petr.id), (TicketStatus.WAITING, None)]
    assert await _told(store) == [("unsubscribe", "", None), *_given_to(petr)]


async def test_the_tickets_of_a_silent_operator_go_to_others_or_wait(store: Store, clock: SteadyClock) -> None:
    petr = await _two_tickets_and_petr(store)
    clock.advance(120)
    await store.operators.heartbeat(petr.id, OperatorStatus.ONLINE, None)
    assert await store.operators.release_silent(SILENCE) == 0
    clock.advance(0.001)
    assert await store.operators.release_silent(SILENCE) == 2
    assert await store.operators.release_silent(SILENCE) == 0
    assert await _states(store) == [(TicketStatus.ACTIVE, petr.id), (TicketStatus.WAITING, None)]
    assert await _told(store) == _given_to(petr)
    assert [(one.active_tickets) for _, one in await store.operators.everybody()] == [0, 1]


async def test_the_oldest_ticket_of_several_silent_operators_is_the_next(store: Store, clock: SteadyClock) -> None:
    for name in ("a", "b"):
        one = await store.operators.add(name, f"{name}@example.com", "hash", 2)
        await store.operators.heartbeat(one.id, OperatorStatus.ONLINE, None)
    for _ in range(4):
        await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    clock.advance(121)
    petr = await store.operators.add("Petr", "petr@example.com", "hash", 2)
    await store.operators.heartbeat(petr.id, OperatorStatus.ONLINE, None)
    assert await store.operators.release_silent(SILENCE) == 4
    assert [one.ticket.id for one in await store.tickets.active_of(petr.id)] == [1, 2]
    assert [one.ticket.id for one in await store.tickets.waiting()] == [3, 4]


@pytest.mark.parametrize("status", [OperatorStatus.AWAY, OperatorStatus.OFFLINE])
async def test_an_operator_who_is_away_but_heard_keeps_his_tickets(
    store: Store, clock: SteadyClock, status: OperatorStatus
) -> None:
    operator = await add(store)
    await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    clock.advance(121)
    await store.operators.heartbeat(operator.id, status, None)
    assert await store.operators.release_silent(SILENCE) == 0
    assert len(await store.tickets.active_of(operator.id)) == 1


async def test_a_new_password_and_a_disabled_account_end_all_sessions(store: Store) -> None:
    operator = await add(store)
    await store.operators.open_session(operator.id, "hash", "h1", START + timedelta(hours=1))
    await store.operators.set_password(OLGA, "other hash")
    assert await store.operators.of_session("h1") is None
    await store.operators.open_session(operator.id, "other hash", "h2", START + timedelta(hours=1))
    await store.operators.disable(OLGA)
    await store.operators.enable(OLGA)
    assert await store.operators.of_session("h2") is None


@pytest.mark.parametrize("end", ["password", "expiry"])
async def test_whose_last_session_has_ended_gets_no_new_tickets(store: Store, clock: SteadyClock, end: str) -> None:
    operator = await add(store)
    await store.operators.open_session(operator.id, "hash", "h1", START + timedelta(seconds=1))
    await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    if end == "password":
        await store.operators.set_password(OLGA, "other hash")
    else:
        clock.advance(1)
        await store.operators.end_expired_sessions()
    opened = await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    assert opened.ticket.status is TicketStatus.WAITING
    assert (await store.operators.presence(operator.id)).status is OperatorStatus.OFFLINE


async def test_whose_other_session_goes_on_stays_online(store: Store, clock: SteadyClock) -> None:
    operator = await add(store)
    await store.operators.open_session(operator.id, "hash", "h1", START + timedelta(seconds=1))
    await store.operators.open_session(operator.id, "hash", "h2", START + timedelta(hours=1))
    await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    clock.advance(1)
    await store.operators.end_expired_sessions()
    assert (await store.operators.presence(operator.id)).status is OperatorStatus.ONLINE


async def _access_ended(store: Store) -> list[tuple[str, str, object]]:
    """What ends access since the last call."""
    pending = await store.outbox.pending(100)
    await store.outbox.forget([one.id for one in pending])
    ended = [one.event for one in pending if one.event.kind is not EventKind.EVENT]
    return [(one.kind.value, one.channel, one.payload["user_id"]) for one in ended]


async def test_who_loses_a_session_loses_the_channels_by_each_way_out(store: Store, clock: SteadyClock) -> None:
    operator = await add(store)
    everything = ("unsubscribe", "", f"operator-{operator.id}")

    async def log_in(name: str, password_hash: str) -> None:
        await store.operators.open_session(operator.id, password_hash, name, clock.now + timedelta(hours=1))
        assert await _access_ended(store) == []

    for name in ("h1", "h2"):
        await log_in(name, "hash")
    # Also when another session stays: its panel has its channels signed anew.
    await store.operators.close_session(operator.id, "h1")
    assert await _access_ended(store) == [everything]
    await store.operators.set_password(OLGA, "other hash")
    assert await _access_ended(store) == [everything]
    await log_in("h3", "other hash")
    clock.advance(3600)
    await store.operators.open_session(operator.id, "other hash", "h4", clock.now + timedelta(hours=1))
    assert await _access_ended(store) == [everything]
    await store.operators.end_expired_sessions()
    assert await _access_ended(store) == []
    clock.advance(3600)
    await store.operators.end_expired_sessions()
    assert await _access_ended(store) == [everything]
    await store.operators.disable(OLGA)
    assert await _access_ended(store) == [everything, ("terminate", "", f"operator-{operator.id}")]


async def test_the_tickets_of_a_disabled_operator_go_to_others_or_wait(store: Store) -> None:
    petr = await _two_tickets_and_petr(store)
    await store.operators.disable(OLGA)
    assert await _states(store) == [(TicketStatus.ACTIVE, petr.id), (TicketStatus.WAITING, None)]
    assert await _told(store) == [("unsubscribe", "", None), ("terminate", "", None), *_given_to(petr)]


async def _two_tickets_and_petr(store: Store) -> Operator:
    """Olga has two tickets, Petr has room for one."""
    olga = await add(store)
    await store.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    for _ in range(2):
        await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    petr = await store.operators.add("Petr", "petr@example.com", "hash", 1)
    await store.operators.heartbeat(petr.id, OperatorStatus.ONLINE, None)
    await store.outbox.forget([one.id for one in await store.outbox.pending(100)])
    return petr


async def _states(store: Store) -> list[tuple[TicketStatus, int | None]]:
    found = [await store.tickets.read(number) for number in (1, 2)]
    return [(one.status, one.operator_id) for one in found]


async def _told(store: Store) -> list[tuple[str, str, object]]:
    pending = await store.outbox.pending(100)
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
    ]


async def test_a_heartbeat_sets_status_and_limit(store: Store) -> None:
    operator = await add(store)
    away = Presence(OperatorStatus.AWAY, 0, 7, START)
    assert await store.operators.heartbeat(operator.id, OperatorStatus.AWAY, 7) == away
    assert await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None) == await store.operators.presence(
        operator.id
    )


async def test_nobody_is_changed_under_an_unknown_email(store: Store) -> None:
    for call in (
        store.operators.set_password("x", "hash"),
        store.operators.set_limit("x", 1),
        store.operators.disable("x"),
        store.operators.enable("x"),
    ):
        with pytest.raises(UnknownOperator):
            await call
