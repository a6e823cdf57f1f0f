"""The events on their way to the relay: what delivery takes from them, and what administrators do with those refused."""

from collections.abc import Collection, Sequence

from support_api.database.engine import Transaction
from support_api.models.outbox import TOPIC, RefusedEvent, StoredEvent
from support_api.services.transactions import Happened, Transactions
from support_api.store import outbox


class StoredEvents:
    """Stored events. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def pending(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        """List the oldest events that were neither delivered nor refused, without those of these numbers."""
        known = tuple(but_not)
        return await self._transactions.reading(lambda tx: outbox.pending(tx, limit, known))

    async def next(self, limit: int, but_not: Collection[int] = ()) -> list[StoredEvent]:
        """The same, once events were stored since the last time; what another process stores may be no news."""
        known = tuple(but_not)
        return await self._transactions.following(TOPIC, lambda tx: outbox.pending(tx, limit, known))

    async def forget(self, ids: Collection[int]) -> None:
        """Remove delivered events."""
        delivered = tuple(ids)
        await self._transactions.writing(lambda tx, _: outbox.forget(tx, delivered))

    async def set_aside(self, event_id: int, refusal: str) -> None:
        """Keep an event that the relay refused, with the reason, out of the way of the others."""
        await self._transactions.writing(lambda tx, _: outbox.set_aside(tx, event_id, refusal))

    async def refused(self) -> list[RefusedEvent]:
        """List what was set aside, the oldest first."""
        return await self._transactions.reading(outbox.refused)

    async def retry(self, ids: Sequence[int] | None = None) -> list[int]:
        """Let what was set aside wait for delivery again, all of it or these; returns the numbers of those it found."""

        def retry(tx: Transaction, _happened: Happened) -> list[int]:
            tx.wake(TOPIC)
            return outbox.bring_back(tx, ids)

        return await self._transactions.writing(retry)

    async def skip(self, reason: str) -> StoredEvent | None:
        """Set the oldest waiting event aside. Returns it; None where no event waits."""

        def skip(tx: Transaction, _happened: Happened) -> StoredEvent | None:
            for oldest in outbox.pending(tx, 1):
                outbox.set_aside(tx, oldest.id, reason)
                return oldest
            return None

        return await self._transactions.writing(skip)

    async def counts(self) -> tuple[int, int]:
        """Count (waiting, refused)."""
        return await self._transactions.reading(outbox.counts)
