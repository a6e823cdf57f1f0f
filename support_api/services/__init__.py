"""What the desk does for those who call it: one method per use case, one transaction each. The only floor where rules, store
and listeners meet. Knows neither HTTP nor the relay.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from support_api.database.engine import Database
from support_api.listeners import realtime, words
from support_api.models.assignment import Chooser
from support_api.models.messages import Wording
from support_api.models.times import Times
from support_api.services.assigner import Assigner
from support_api.services.assignment import Assignment
from support_api.services.chats import Chats
from support_api.services.groups import Groups
from support_api.services.leases import Leases
from support_api.services.notes import Notes
from support_api.services.operators import Operators
from support_api.services.outbox import StoredEvents
from support_api.services.receipts import Receipts
from support_api.services.reopening import Reopening
from support_api.services.search import Search
from support_api.services.sessions import Sessions
from support_api.services.silence import Silence
from support_api.services.tickets import Tickets
from support_api.services.transactions import Transactions
from support_api.services.transfers import Transfers

NO_TIMES: Final = Times()


class Services:
    """All use cases over one database."""

    def __init__(self, database: Database, choose: Chooser, word: Wording, times: Times = NO_TIMES) -> None:
        transactions, assigner = Transactions(database, [realtime.listen, words.listen]), Assigner(choose, word)
        self.database = database
        self.tickets = Tickets(transactions, assigner)
        self.chats = Chats(transactions)
        self.search = Search(transactions)
        self.transfers = Transfers(transactions, assigner)
        self.notes = Notes(transactions)
        self.groups = Groups(transactions, assigner)
        self.receipts = Receipts(transactions)
        self.operators = Operators(transactions, assigner)
        self.sessions = Sessions(transactions, assigner)
        self.assignment = Assignment(transactions, assigner)
        self.silence = Silence(transactions, assigner, times)
        self.reopening = Reopening(transactions, assigner, times)
        self.outbox = StoredEvents(transactions)
        self.leases = Leases(transactions)


@asynccontextmanager
async def open_services(
    database: Database, choose: Chooser, word: Wording, times: Times = NO_TIMES
) -> AsyncIterator[Services]:
    """Open the database, and close it in the end. Raises `DatabaseUnusable`."""
    try:
        await database.open()
        yield Services(database, choose, word, times)
    finally:
        await database.close()
