"""What the desk remembers. One method a transaction; methods return models. Must not know HTTP or the relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support_api.database.legacy import Database
from support_api.models.assignment import Chooser
from support_api.models.messages import Wording
from support_api.store.assigning import Assigner
from support_api.store.draining import Drain
from support_api.store.operators import Credentials, OperatorStore
from support_api.store.outbox import OutboxStore
from support_api.store.rows import ensure_open
from support_api.store.tickets import TicketStore
from support_api.store.transfers import TransferStore

__all__ = ["Credentials", "Store", "ensure_open", "open_store"]


class Store:
    """The parts of the store over one database."""

    def __init__(self, database: Database, choose: Chooser, word: Wording) -> None:
        assigner = Assigner(word)
        drain = Drain(choose, assigner)
        self.database = database
        self.tickets = TicketStore(database, drain)
        self.transfers = TransferStore(database, drain, assigner)
        self.operators = OperatorStore(database, drain, assigner)
        self.outbox = OutboxStore(database)


@asynccontextmanager
async def open_store(database: Database, choose: Chooser, word: Wording) -> AsyncIterator[Store]:
    """Opens the database and closes it in the end. Raises `DatabaseUnusable`."""
    try:
        await database.open()
        yield Store(database, choose, word)
    finally:
        await database.close()
