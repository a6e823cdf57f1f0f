"""What is assigned though nobody asks for it: use cases of the sweep."""

from datetime import timedelta

from support_api.database.engine import Transaction
from support_api.services.assigner import Assigner
from support_api.services.transactions import Happened, Transactions
from support_api.store import tickets


class Assignment:
    """Looks after tickets that wait although somebody is free, and those of operators who vanished."""

    def __init__(self, transactions: Transactions, assigner: Assigner) -> None:
        self._transactions = transactions
        self._assigner = assigner

    async def assign_waiting(self) -> int:
        """Give away what waits although somebody is free (another process may have made room). Returns how many."""
        if not await self._transactions.reading(tickets.is_any_waiting):
            return 0
        return await self._transactions.assigning(self._assigner.fill)

    async def release_silent(self, silence: timedelta) -> int:
        """Take the active tickets of operators without a heartbeat for longer than `silence`, whatever their status.

        They wait for somebody else, or go to them at once. Who was handed a ticket by hand has as long to come as after a
        heartbeat. Returns how many were taken.
        """

        def look(tx: Transaction) -> bool:
            return tickets.is_any_held_in_silence(tx, tx.now - silence)

        def release(tx: Transaction, happened: Happened) -> int:
            # Asked again: a heartbeat may have come since.
            held = tickets.held_in_silence(tx, tx.now - silence)
            self._assigner.release(tx, happened, held)
            return len(held)

        return await self._transactions.assigning(release) if await self._transactions.reading(look) else 0
