"""What is looked after though nobody asks for it."""

import asyncio
import sqlite3
from datetime import timedelta

import pytest

from support_api.delivery.background import repeating
from support_api.delivery.sweep import Sweep
from support_api.errors import StoreUnavailable
from support_api.models.operators import OperatorStatus
from support_api.models.tickets import NewTicket
from support_api.services import Services
from tests.support_api.helpers import PATIENCE, SteadyClock, eventually

SILENCE = timedelta(seconds=120)


async def test_a_waiting_ticket_is_swept_up_after_another_process_made_room(services: Services) -> None:
    olga = await services.operators.add("Olga", "olga@example.com", "hash", 0)
    await services.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    other = sqlite3.connect(services.database.where)
    with other:
        other.execute("UPDATE support_operators_online SET max_tickets = 1")
    other.close()

    async def is_empty() -> bool:
        return not await services.tickets.waiting()

    async with repeating(Sweep(services, SILENCE).look, 0.01, "sweep"):
        await eventually(is_empty)
    assert len(await services.tickets.active_of(olga.id)) == 1


async def test_the_sweep_gives_an_operator_time_to_come_back_after_the_desk_itself_was_away(
    services: Services, clock: SteadyClock
) -> None:
    olga = await services.operators.add("Olga", "olga@example.com", "hash")
    await services.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    clock.advance(10_000)
    sweep = Sweep(services, SILENCE)
    await sweep.look()
    clock.advance(SILENCE.total_seconds())
    await sweep.look()
    assert len(await services.tickets.active_of(olga.id)) == 1
    clock.advance(1)
    await sweep.look()
    assert len(await services.tickets.waiting()) == 1


async def test_after_a_failure_of_the_store_operators_get_their_time_anew(
    services: Services, clock: SteadyClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await services.operators.add("Olga", "olga@example.com", "hash")
    await services.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    sweep = Sweep(services, SILENCE)
    clock.advance(SILENCE.total_seconds())
    await sweep.look()
    clock.advance(1)

    async def fail(_self: object, _silence: timedelta) -> int:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(services.assignment), "release_silent", fail)
        with pytest.raises(StoreUnavailable):
            await sweep.look()
    clock.advance(1)
    await sweep.look()
    assert len(await services.tickets.active_of(olga.id)) == 1


async def test_the_sweep_returns_the_tickets_of_operators_who_vanished(services: Services, clock: SteadyClock) -> None:
    olga = await services.operators.add("Olga", "olga@example.com", "hash")
    await services.operators.heartbeat(olga.id, OperatorStatus.ONLINE, None)
    await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))

    async def is_waiting() -> bool:
        clock.advance(1)
        return bool(await services.tickets.waiting())

    async with repeating(Sweep(services, timedelta(seconds=3)).look, 0.01, "sweep"):
        await eventually(is_waiting)


@pytest.mark.parametrize("error", [StoreUnavailable(), RuntimeError("a bug")])
async def test_the_sweep_survives_what_goes_wrong(
    services: Services, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    twice = asyncio.Event()
    calls = 0

    async def sweep(_self: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            twice.set()
        raise error

    monkeypatch.setattr(type(services.assignment), "assign_waiting", sweep)
    async with repeating(Sweep(services, SILENCE).look, 0.001, "sweep"):
        await asyncio.wait_for(twice.wait(), PATIENCE)
    assert calls >= 2
