"""How far both sides have read: a pointer per side, which only goes forward."""

from support_api.database.engine import Transaction
from support_api.models.happenings import MessagesRead
from support_api.models.messages import SenderType
from support_api.models.operators import Identity
from support_api.models.tickets import Ticket
from support_api.rules.access import Act, may
from support_api.services.transactions import Happened, Transactions
from support_api.store import sessions, tickets


class Receipts:
    """Notes who has read what. Raises `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def read(self, ticket_id: int, seq: int, identity: Identity, socket_id: str | None = None) -> Ticket:
        """Note that the caller's side has read up to `seq`, or to the newest message where that is older.

        What was read before changes nothing and is told to nobody. Raises `UnknownTicket` or `Forbidden`.
        """

        def read(tx: Transaction, happened: Happened) -> Ticket:
            ticket = tickets.read_ticket(tx, ticket_id, lock=True)
            reader = may(sessions.look_up(tx, identity), Act.MARK_READ, ticket).type
            reached = min(seq, ticket.last_seq)
            if reached <= _pointer(ticket, reader):
                return ticket
            happened.append(MessagesRead(ticket_id, reader, reached, socket_id))
            return tickets.set_read(tx, ticket, reader, reached)

        return await self._transactions.writing(read)


def _pointer(ticket: Ticket, reader: SenderType) -> int:
    return ticket.operator_read_seq if reader is SenderType.OPERATOR else ticket.visitor_read_seq
