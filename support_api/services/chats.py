"""What operators look up: lists of tickets, one ticket with the visitor's others. Which ones they may read, access says."""

from typing import Final

from support_api.database.engine import Transaction
from support_api.models.operators import Identity
from support_api.models.tickets import Chat, Page, TicketSummary, Wanted
from support_api.rules.access import Act, ensure_operator, may, readable_by
from support_api.services.transactions import Transactions
from support_api.store import chats, tickets

# Tickets of one page at most.
CHATS_AT_ONCE: Final = 50


class Chats:
    """Reads lists. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def page(self, wanted: Wanted, identity: Identity, before: int | None, limit: int) -> Page:
        """Read a page of a list, the newest first; `before`: the number of the last ticket of the page before it.

        Raises `LoginNeeded`.
        """
        readable = readable_by(ensure_operator(identity))

        def read(tx: Transaction) -> Page:
            return _page(chats.list_chats(tx, wanted, readable, before, limit + 1), limit)

        return await self._transactions.reading(read)

    async def read(self, ticket_id: int, identity: Identity) -> Chat:
        """Read a ticket, whatever its state, with the others of its visitor.

        Raises `LoginNeeded`, `UnknownTicket`, or `NotYours` for one that a colleague serves.
        """
        operator = ensure_operator(identity)

        def read(tx: Transaction) -> Chat:
            ticket = tickets.read_ticket(tx, ticket_id)
            may(identity, Act.READ, ticket)
            visitor, readable = ticket.visitor_id, readable_by(operator)
            others = chats.others_of_visitor(tx, visitor, ticket.id, readable, CHATS_AT_ONCE + 1)
            return Chat(ticket, _page(others, CHATS_AT_ONCE))

        return await self._transactions.reading(read)


def _page(found: list[TicketSummary], limit: int) -> Page:
    return Page(found[:limit], len(found) > limit)
