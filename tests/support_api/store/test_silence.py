"""What it costs to look for silence, which no use case shows."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import cast

from support_api.database.engine import Transaction
from support_api.database.urls import database_of
from support_api.models.messages import Draft, Sender, SenderType
from support_api.models.operators import OperatorStatus
from support_api.models.tickets import NewTicket
from support_api.rules.assignment import LeastLoaded
from support_api.services import Services, open_services
from support_api.store import messages, silence
from support_api.wording import wording

ANNA = Sender(SenderType.VISITOR, "a" * 32, "Anna")
OLGA = Sender(SenderType.OPERATOR, "1", "Olga")


def _steps(tx: Transaction) -> int:
    """How many steps of its machine SQLite makes for all looks."""
    driver = cast(sqlite3.Connection, tx.conn.connection.driver_connection)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    driver.set_progress_handler(count, 1)
    before = tx.now + timedelta(minutes=1)
    silence.silent_and_unwarned(tx, before, 50)
    silence.silent(tx, before, 50)
    silence.unanswered(tx, before, 50)
    driver.set_progress_handler(None, 1)
    return steps


async def _talk(services: Services) -> None:
    """Anna says a lot, and Olga answers."""

    def talk(tx: Transaction) -> None:
        for _ in range(200):
            messages.add_message(tx, 1, ANNA, Draft("And another thing"))
        messages.add_message(tx, 1, OLGA, Draft("I see"))

    await services.database.writing(talk)


async def test_a_look_costs_the_same_however_much_was_said(tmp_path: Path) -> None:
    database = database_of(f"sqlite:///{tmp_path}/desk.db")
    async with open_services(database, LeastLoaded(timedelta(days=1)), wording("en")) as services:
        await services.operators.add("Olga", "olga@example.com", "hash", 1)
        await services.operators.heartbeat(1, OperatorStatus.ONLINE, None)
        await services.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
        await _talk(services)
        few = await services.database.reading(_steps)
        await _talk(services)
        assert await services.database.reading(_steps) == few
