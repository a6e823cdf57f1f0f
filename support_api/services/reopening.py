"""Conversations that go on after their end."""

from support_api.database.engine import Transaction
from support_api.errors import TooLate
from support_api.models.assignment import Candidate
from support_api.models.happenings import AccessEnded, TicketAssigned, TicketReturned
from support_api.models.messages import Notice, NoticeCode, SenderType
from support_api.models.operators import Identity
from support_api.models.tickets import OpenLimits, Ticket, TicketStatus
from support_api.models.times import Times
from support_api.rules.access import Act, may
from support_api.services.assigner import Assigner
from support_api.services.tickets import NO_LIMITS, ensure_few_open
from support_api.services.transactions import Happened, Transactions
from support_api.store import operators, sessions, tickets


class Reopening:
    """All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions, assigner: Assigner, times: Times) -> None:
        self._transactions = transactions
        self._assigner = assigner
        self._times = times

    async def reopen(
        self, ticket_id: int, identity: Identity, *, network: str | None = None, limits: OpenLimits = NO_LIMITS
    ) -> Ticket:
        """Go on with a closed ticket: with who served it, if they are free, else it waits in its old place. An open one is
        returned unchanged.

        Raises `UnknownTicket`, `Forbidden`, or for its visitor `TooLate` and `TooManyOpen`.
        """

        def reopen(tx: Transaction, happened: Happened) -> Ticket:
            ticket = tickets.read_ticket(tx, ticket_id, lock=True)
            sender = may(sessions.look_up(tx, identity), Act.REOPEN, ticket)
            if ticket.status is not TicketStatus.CLOSED:
                return ticket
            if sender.type is SenderType.VISITOR:
                self._ensure_in_time(tx, ticket)
                ensure_few_open(tx, ticket.visitor_id, network, limits)
            return self._reopen(tx, happened, ticket, network if sender.type is SenderType.VISITOR else None)

        return await self._transactions.assigning(reopen)

    def _ensure_in_time(self, tx: Transaction, ticket: Ticket) -> None:
        within = self._times.reopen_within
        if within is None or ticket.closed_at is None or tx.now - ticket.closed_at > within:
            raise TooLate

    def _reopen(self, tx: Transaction, happened: Happened, ticket: Ticket, network: str | None) -> Ticket:
        former = [one for one in operators.candidates(tx) if one.operator_id == ticket.operator_id]
        gets_it_again = self._is_free(former, tx)
        if ticket.operator_id is not None and not gets_it_again:
            # Nobody stops to hear a conversation at its end; from now on it may be a colleague's.
            happened.append(AccessEnded(ticket.operator_id, ticket.id))
        tickets.set_reopened(tx, ticket, network)
        self._assigner.say(tx, happened, ticket.id, Notice(NoticeCode.REOPENED, {}))
        waiting = tickets.read_summary(tx, ticket.id)
        happened.append(TicketReturned(waiting.ticket))
        if gets_it_again:
            taken = self._assigner.assign(tx, happened, waiting, former[0].operator_id)
            operators.recount(tx, [ticket.operator_id])
            happened.append(TicketAssigned(taken))
        self._assigner.fill(tx, happened)
        return tickets.read_ticket(tx, ticket.id)

    def _is_free(self, former: list[Candidate], tx: Transaction) -> bool:
        return self._assigner.choose(former, tx.now).operator_id is not None
