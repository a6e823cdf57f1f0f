"""Operators who log in and out. Knows neither cookies nor how passwords are hashed."""

from collections.abc import Sequence
from datetime import datetime

from support_api.database.engine import Transaction
from support_api.errors import WrongLogin
from support_api.models.happenings import SessionEnded
from support_api.models.operators import Credentials, Operator, OperatorStatus
from support_api.services.assigner import Assigner
from support_api.services.transactions import Happened, Transactions
from support_api.store import operators, sessions, tickets


class Sessions:
    """Opens and ends sessions, which are named by a hash. All methods raise `StoreUnavailable` when the database does not
    take part in time."""

    def __init__(self, transactions: Transactions, assigner: Assigner) -> None:
        self._transactions = transactions
        self._assigner = assigner

    async def credentials(self, email: str) -> Credentials | None:
        """Find what a log-in with this e-mail is checked against; None when nobody may log in with it."""
        return await self._transactions.reading(lambda tx: operators.find_credentials(tx, email))

    async def open(self, operator_id: int, password_hash: str, token_hash: str, expires_at: datetime) -> None:
        """Store that an operator is logged in, and forget sessions that are over.

        Raises `WrongLogin` when `password_hash`, which the log-in was checked against, counts no more: a check takes its
        time, and a password is changed, or an account disabled, to keep somebody out from that moment on.
        """

        def open_(tx: Transaction, happened: Happened) -> None:
            if not operators.has_password(tx, operator_id, password_hash):
                raise WrongLogin
            after_end(tx, happened, sessions.end_expired(tx))
            sessions.insert_session(tx, operator_id, token_hash, expires_at)

        await self._transactions.assigning(open_)

    async def operator_of(self, token_hash: str) -> Operator | None:
        """Find who is logged in with this session; None when it is over or the account is disabled."""
        return await self._transactions.reading(lambda tx: sessions.find_operator(tx, token_hash))

    async def close(self, operator_id: int, token_hash: str) -> None:
        """Log out. With their last session the operator goes offline and the active tickets wait for somebody else."""

        def close(tx: Transaction, happened: Happened) -> None:
            after_end(tx, happened, sessions.end(tx, token_hash))
            if not sessions.is_logged_in(tx, operator_id):
                go_offline(tx, happened, self._assigner, operator_id)

        await self._transactions.assigning(close)

    async def end_expired(self) -> None:
        """End the sessions that are over, which until then only counted for nothing."""
        if await self._transactions.reading(sessions.is_any_expired):
            await self._transactions.assigning(lambda tx, happened: after_end(tx, happened, sessions.end_expired(tx)))


def after_end(tx: Transaction, happened: Happened, operator_ids: Sequence[int]) -> None:
    """Report ended sessions of these operators: who is logged in elsewhere too has what they hear allowed anew."""
    for operator_id in operator_ids:
        happened.append(SessionEnded(operator_id))
        if not sessions.is_logged_in(tx, operator_id):
            # Nobody who cannot answer gets what waits; what they have is theirs until they have been silent for long.
            operators.set_presence(tx, operator_id, {"status": OperatorStatus.OFFLINE.value})


def go_offline(tx: Transaction, happened: Happened, assigner: Assigner, operator_id: int) -> None:
    """Have an operator take no tickets, and give theirs to whoever is free."""
    operators.set_presence(tx, operator_id, {"status": OperatorStatus.OFFLINE.value})
    assigner.release(tx, happened, tickets.active_of(tx, operator_id, limit=None))
