"""Operators, sessions and presence in the store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support_api.errors import EmailTaken, UnknownOperator
from support_api.models import NewTicket, Operator, OperatorStatus, Presence, TicketStatus
from support_api.store import Store
from tests.support_api.helpers import START, SteadyClock

OLGA = "olga@example.com"


async def add(store: Store) -> Operator:
    return await store.operators.add("Olga", OLGA, "hash")


async def test_an_added_operator_is_there_and_offline(store: Store) -> None:
    operator = await add(store)
    assert await store.operators.everybody() == [(operator, Presence(OperatorStatus.OFFLINE, 0, 5))]


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
    await store.operators.open_session(operator.id, "h1", START + timedelta(hours=1))
    assert await store.operators.of_session("h1") == operator
    assert await store.operators.of_session("h2") is None
    clock.advance(3600)
    assert await store.operators.of_session("h1") is None


async def test_logging_out_ends_one_session_and_takes_the_operator_offline(store: Store) -> None:
    operator = await add(store)
    for name in ("h1", "h2"):
        await store.operators.open_session(operator.id, name, START + timedelta(hours=1))
    await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    await store.operators.close_session(operator.id, "h1")
    assert await store.operators.of_session("h1") is None
    assert await store.operators.of_session("h2") == operator
    assert (await store.operators.presence(operator.id)).status is OperatorStatus.OFFLINE


async def test_a_new_password_and_a_disabled_account_end_all_sessions(store: Store) -> None:
    operator = await add(store)
    await store.operators.open_session(operator.id, "h1", START + timedelta(hours=1))
    await store.operators.set_password(OLGA, "other hash")
    assert await store.operators.of_session("h1") is None
    await store.operators.open_session(operator.id, "h2", START + timedelta(hours=1))
    await store.operators.disable(OLGA)
    await store.operators.enable(OLGA)
    assert await store.operators.of_session("h2") is None


async def test_the_tickets_of_a_disabled_operator_go_to_others_or_wait(store: Store) -> None:
    operator = await add(store)
    await store.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    for _ in range(2):
        await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    petr = await store.operators.add("Petr", "petr@example.com", "hash", 1)
    await store.operators.heartbeat(petr.id, OperatorStatus.ONLINE, None)
    await store.outbox.forget([one.id for one in await store.outbox.pending(100)])
    await store.operators.disable(OLGA)
    first, second = await store.tickets.read(1), await store.tickets.read(2)
    assert (first.status, first.operator_id) == (TicketStatus.ACTIVE, petr.id)
    assert (second.status, second.operator_id) == (TicketStatus.WAITING, None)
    told = [
        (one.event.name, one.event.channel, one.event.payload.get("status")) for one in await store.outbox.pending(100)
    ]
    assert told == [
        ("ticket:updated", "private-support-queue", "waiting"),
        ("ticket:updated", "private-ticket-1", "waiting"),
        ("ticket:updated", "private-support-queue", "waiting"),
        ("ticket:updated", "private-ticket-2", "waiting"),
        ("ticket:assigned", f"private-operator-{petr.id}", None),
        ("ticket:updated", "private-support-queue", "active"),
        ("ticket:updated", "private-ticket-1", "active"),
    ]


async def test_a_heartbeat_sets_status_and_limit(store: Store) -> None:
    operator = await add(store)
    assert await store.operators.heartbeat(operator.id, OperatorStatus.AWAY, 7) == Presence(OperatorStatus.AWAY, 0, 7)
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
