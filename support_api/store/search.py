"""Finds messages and tickets by words, in the index of database/search.py, and reads what it is to be made of."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, func, select

from support_api.database import search
from support_api.database.engine import Transaction
from support_api.database.tables import messages, tickets
from support_api.models.messages import Message
from support_api.models.search import TICKETS_FROM, Hit
from support_api.models.tickets import Readable, Ticket, TicketStatus, TicketSummary
from support_api.store.rows import SUMMARIES, TICKETS, is_readable, message_of, summary_of, ticket_of

_NEXT_MESSAGES: Final = (
    select(messages).where(messages.c.id > bindparam("after")).order_by(messages.c.id).limit(bindparam("most"))
)
_NEXT_TICKETS: Final = TICKETS.where(tickets.c.id > bindparam("after")).order_by(tickets.c.id).limit(bindparam("most"))


def find_messages(
    tx: Transaction, whole: Sequence[str], begun: Sequence[str], readable: Readable, before: int, limit: int
) -> list[Hit]:
    """List up to `limit` messages with a number < `before` that have all these words, the newest first."""
    index, number = search.index_of(tx.conn)
    joined = index.join(messages, messages.c.id == number).join(tickets, tickets.c.id == messages.c.ticket_id)
    query = (
        select(messages, tickets.c.visitor_id, tickets.c.visitor_name, tickets.c.status)
        .select_from(joined)
        .where(search.matches(tx.conn, whole, begun), number > 0, number < before, is_readable(readable))
        .order_by(number.desc())
        .limit(limit)
    )
    return [
        Hit(message_of(row), row.visitor_id, row.visitor_name, TicketStatus(row.status))
        for row in tx.conn.execute(query)
    ]


def find_tickets(
    tx: Transaction, whole: Sequence[str], begun: Sequence[str], readable: Readable, limit: int
) -> list[TicketSummary]:
    """List up to `limit` tickets whose number, name, e-mail or visitor's number has all these words, the newest first."""
    index, number = search.index_of(tx.conn)
    ticket_id = number - TICKETS_FROM
    matching = (
        select(ticket_id.label("id"))
        .select_from(index.join(tickets, tickets.c.id == ticket_id))
        .where(search.matches(tx.conn, whole, begun), number < 0, is_readable(readable))
        .order_by(number.desc())
        .limit(limit)
    )
    query = SUMMARIES.order_by(None).order_by(tickets.c.id.desc())
    query = query.where(tickets.c.id.in_(select(matching.subquery().c.id)))
    return [summary_of(row) for row in tx.conn.execute(query)]


def find_ticket(tx: Transaction, ticket_id: int, readable: Readable) -> TicketSummary | None:
    """Find the ticket of this number."""
    row = tx.conn.execute(SUMMARIES.where(tickets.c.id == ticket_id, is_readable(readable))).one_or_none()
    return None if row is None else summary_of(row)


def newest(tx: Transaction) -> tuple[int, int]:
    """The numbers of the newest ticket and of the newest message, 0 where there is none."""
    ticket_id, message_id = (
        tx.conn.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one() for table in (tickets, messages)
    )
    return ticket_id, message_id


def next_messages(tx: Transaction, after: int, limit: int) -> list[Message]:
    """Read up to `limit` messages in the order of their numbers."""
    return [message_of(row) for row in tx.conn.execute(_NEXT_MESSAGES, {"after": after, "most": limit})]


def next_tickets(tx: Transaction, after: int, limit: int) -> list[Ticket]:
    """Read up to `limit` tickets in the order of their numbers."""
    return [ticket_of(row) for row in tx.conn.execute(_NEXT_TICKETS, {"after": after, "most": limit})]
