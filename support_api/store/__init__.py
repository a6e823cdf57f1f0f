"""What the desk remembers. One method a transaction; methods return models. Must not know HTTP or the relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support_api.models import Chooser
from support_api.store.database import Database, DatabaseUnusable
from support_api.store.draining import Drain
from support_api.store.operators import Credentials, OperatorStore
from support_api.store.outbox import OutboxStore
from support_api.store.tickets import TicketStore, ensure_open

__all__ = ["Credentials", "Database", "DatabaseUnusable", "Store", "ensure_open", "open_store"]


class Store:
    """The parts of the store over one database."""

    def __init__(self, database: Database, choose: Chooser) -> None:
        drain = Drain(choose)
        self.database = database
        self.tickets = TicketStore(database, drain)
        self.operators = OperatorStore(database, drain)
        self.outbox = OutboxStore(database)


@asynccontextmanager
async def open_store(database: Database, choose: Chooser) -> AsyncIterator[Store]:
    """Opens the database and closes it in the end. Raises `DatabaseUnusable`."""
    try:
        await database.open()
        yield Store(database, choose)
    finally:
        await database.close()
