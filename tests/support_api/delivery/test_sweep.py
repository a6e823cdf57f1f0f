"""What is looked after though nobody asks for it."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta

import pytest

from support_api.delivery.sweep import Round, sweeping
from support_api.errors import StoreUnavailable
from support_api.models.operators import OperatorStatus
from support_api.models.tickets import NewTicket
from support_api.store import Store
from tests.support_api.helpers import PATIENCE, SteadyClock, eventually

SILENCE = timedelta(seconds=120)


async def test_a_waiting_ticket_is_swept_up_after_another_process_made_room(store: Store) -> None:
    olga = await store.operators.add("Olga", "olga@example.com", "hash", 0)
    await store.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    other = sqlite3.connect(store.database.where)
    with other:
        other.execute("UPDATE support_operators_online SET max_tickets = 1")
    other.close()

    async def is_empty() -> bool:
        return not await store.tickets.waiting()

    async with sweeping(store, 0.01, SILENCE):
        await eventually(is_empty)
    assert len(await store.tickets.active_of(olga.id)) == 1


async def test_the_sweep_gives_an_operator_time_to_come_back_after_the_desk_itself_was_away(
    store: Store, clock: SteadyClock
) -> None:
    olga = await store.operators.add("Olga", "olga@example.com", "hash")
    await store.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    clock.advance(10_000)
    round_ = Round(store, SILENCE)
    await round_.go()
    clock.advance(SILENCE.total_seconds())
    await round_.go()
    assert len(await store.tickets.active_of(olga.id)) == 1
    clock.advance(1)
    await round_.go()
    assert len(await store.tickets.waiting()) == 1


async def test_after_a_failure_of_the_store_operators_get_their_time_anew(
    store: Store, clock: SteadyClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await store.operators.add("Olga", "olga@example.com", "hash")
    await store.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    round_ = Round(store, SILENCE)
    clock.advance(1000)

    async def fail(_self: object, _silence: timedelta) -> int:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(store.operators), "release_silent", fail)
        await round_.go()
    clock.advance(1)
    await round_.go()
    assert len(await store.tickets.active_of(olga.id)) == 1


async def test_the_sweep_returns_the_tickets_of_operators_who_vanished(store: Store, clock: SteadyClock) -> None:
    olga = await store.operators.add("Olga", "olga@example.com", "hash")
    await store.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await store.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))

    async def is_waiting() -> bool:
        clock.advance(1)
        return bool(await store.tickets.waiting())

    async with sweeping(store, 0.01, timedelta(seconds=3)):
        await eventually(is_waiting)


@pytest.mark.parametrize("error", [StoreUnavailable(), RuntimeError("a bug")])
async def test_the_sweep_survives_what_goes_wrong(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    twice = asyncio.Event()
    calls = 0

    async def sweep(_self: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            twice.set()
        raise error

    monkeypatch.setattr(type(store.tickets), "sweep", sweep)
    async with sweeping(store, 0.001, SILENCE):
        await asyncio.wait_for(twice.wait(), PATIENCE)
    assert calls >= 2
