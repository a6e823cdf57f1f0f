"""The people who answer: their accounts, and their presence. Knows neither HTTP nor how passwords are hashed."""

from sqlalchemy.exc import IntegrityError

from support_api.database.engine import Transaction
from support_api.errors import EmailTaken
from support_api.models.happenings import AccountDisabled
from support_api.models.operators import Identity, Operator, OperatorStatus, Presence
from support_api.rules.access import ensure_operator
from support_api.services.assigner import Assigner
from support_api.services.sessions import after_end, go_offline
from support_api.services.transactions import Happened, Transactions
from support_api.store import operators, sessions


class Operators:
    """The use cases around operators. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions, assigner: Assigner) -> None:
        self._transactions = transactions
        self._assigner = assigner

    async def add(self, name: str, email: str, password_hash: str, max_tickets: int = 5) -> Operator:
        """Make an account; it takes no tickets until its first heartbeat. Raises `EmailTaken`."""
        try:
            return await self._transactions.writing(
                lambda tx, _: operators.insert_operator(tx, name, email, password_hash, max_tickets)
            )
        except IntegrityError as error:
            raise EmailTaken(email) from error

    async def everybody(self) -> list[tuple[Operator, Presence]]:
        """List all operators with their presence, in the order of their numbers."""
        return await self._transactions.reading(operators.everybody)

    async def set_password(self, email: str, password_hash: str) -> Operator:
        """Replace the password and end all sessions. Raises `UnknownOperator`."""

        def set_password(tx: Transaction, happened: Happened) -> Operator:
            operator = operators.by_email(tx, email)
            operators.set_password(tx, operator.id, password_hash)
            after_end(tx, happened, sessions.end_of(tx, operator.id))
            return operator

        return await self._transactions.assigning(set_password)

    async def set_limit(self, email: str, max_tickets: int) -> Operator:
        """Set how many active tickets an operator may have, and fill the room. Raises `UnknownOperator`."""

        def set_limit(tx: Transaction, happened: Happened) -> Operator:
            operator = operators.by_email(tx, email)
            operators.set_presence(tx, operator.id, {"max_tickets": max_tickets})
            self._assigner.fill(tx, happened)
            return operator

        return await self._transactions.assigning(set_limit)

    async def disable(self, email: str) -> Operator:
        """End an account: its sessions end and its active tickets wait for somebody else. Raises `UnknownOperator`."""

        def disable(tx: Transaction, happened: Happened) -> Operator:
            operator = operators.by_email(tx, email)
            operators.set_disabled(tx, operator.id, is_disabled=True)
            after_end(tx, happened, sessions.end_of(tx, operator.id))
            # Also of one who was logged in nowhere: a connection may be older than the last log-out.
            happened.append(AccountDisabled(operator.id))
            go_offline(tx, happened, self._assigner, operator.id)
            return Operator(operator.id, operator.name, operator.email, is_disabled=True)

        return await self._transactions.assigning(disable)

    async def enable(self, email: str) -> Operator:
        """Give an account back. Raises `UnknownOperator`."""

        def enable(tx: Transaction, _happened: Happened) -> Operator:
            operator = operators.by_email(tx, email)
            operators.set_disabled(tx, operator.id, is_disabled=False)
            return Operator(operator.id, operator.name, operator.email, is_disabled=False)

        return await self._transactions.assigning(enable)

    async def heartbeat(
        self, operator_id: int, status: OperatorStatus, max_tickets: int | None, *, session: str | None = None
    ) -> Presence:
        """Note that an operator is there, with which status and limit, and give them what waits.

        Raises `LoginNeeded` when the `session` that says so has ended meanwhile: who has logged out would be online again.
        """

        def heartbeat(tx: Transaction, happened: Happened) -> Presence:
            if session is not None:
                ensure_operator(sessions.look_up(tx, Identity(session=session)))
            limit = {} if max_tickets is None else {"max_tickets": max_tickets}
            operators.set_presence(tx, operator_id, {"status": status.value, "last_seen": tx.now} | limit)
            self._assigner.fill(tx, happened)
            return operators.read_presence(tx, operator_id)

        return await self._transactions.assigning(heartbeat)

    async def presence(self, operator_id: int) -> Presence:
        """Read how busy an operator is. The operator must exist."""
        return await self._transactions.reading(lambda tx: operators.read_presence(tx, operator_id))
