"""Which of several processes over one database does what only one may do: deliver in order, look after what waits."""

from collections.abc import Callable

from support_api.database.engine import Transaction
from support_api.services.transactions import Happened, Transactions
from support_api.store import leases


class Leases:
    """A lease is one process's for some seconds, which it renews. All methods raise `StoreUnavailable`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def take(self, name: str, holder: str, seconds: float, has_ended: Callable[[str], bool]) -> bool:
        """Take or renew a lease; False: another process has it. `has_ended`: whether a holder is known to be no more."""

        def take(tx: Transaction, _happened: Happened) -> bool:
            other = leases.holder_of(tx, name)
            gone = other if other is not None and has_ended(other) else None
            return leases.take(tx, name, holder, seconds, gone)

        return await self._transactions.writing(take)

    async def give_back(self, name: str, holder: str) -> None:
        """Let another process take it at once."""

        def give_back(tx: Transaction, _happened: Happened) -> None:
            leases.give_back(tx, name, holder)
            tx.wake(topic_of(name))

        await self._transactions.writing(give_back)


def topic_of(name: str) -> str:
    """Woken when the lease was given back."""
    return f"lease-{name}"
