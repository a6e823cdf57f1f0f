"""Lists of tickets that are read page by page, the newest first. No rules: who may read what comes in as `Readable`."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, literal, select, tuple_

from support_api.database.engine import Transaction
from support_api.database.tables import tickets
from support_api.models.tickets import Readable, TicketStatus, TicketSummary, View, Wanted
from support_api.store.rows import SUMMARIES, is_readable, summary_of

_BY_NUMBER: Final = SUMMARIES.order_by(None).order_by(tickets.c.id.desc())
_OF_VISITOR: Final = (
    _BY_NUMBER.where((tickets.c.visitor_id == bindparam("visitor_id")) & (tickets.c.id != bindparam("but_not")))
).limit(bindparam("most"))


def list_chats(
    tx: Transaction, wanted: Wanted, readable: Readable, before: int | None, limit: int
) -> list[TicketSummary]:
    """List up to `limit` tickets, the newest first; with `before` those that follow this ticket.

    One that is unknown, or has no place in this list, is followed by none.
    """
    when = _moment(wanted.view)
    query = SUMMARIES.order_by(None).order_by(when.desc(), tickets.c.id.desc()).limit(limit)
    query = _of_view(query, wanted.view, readable)
    if wanted.operator_id is not None:
        query = query.where(tickets.c.operator_id == wanted.operator_id)
    if wanted.group_id is not None:
        query = query.where(tickets.c.group_id == wanted.group_id)
    if wanted.since is not None:
        query = query.where(when >= wanted.since)
    if wanted.until is not None:
        query = query.where(when < wanted.until)
    if before is not None:
        last = tx.conn.execute(select(when).where(tickets.c.id == before)).scalar_one_or_none()
        if last is None:
            return []
        query = query.where(tuple_(when, tickets.c.id) < tuple_(literal(last, when.type), literal(before)))
    return [summary_of(row) for row in tx.conn.execute(query)]


def others_of_visitor(
    tx: Transaction, visitor_id: str, but_not: int, readable: Readable, limit: int
) -> list[TicketSummary]:
    """List up to `limit` further tickets of one visitor, the newest first."""
    query = _OF_VISITOR.where(is_readable(readable))
    values = {"visitor_id": visitor_id, "but_not": but_not, "most": limit}
    return [summary_of(row) for row in tx.conn.execute(query, values)]


def _moment(view: View) -> ColumnElement[Any]:
    return tickets.c.closed_at if view is View.CLOSED else tickets.c.created_at


def _of_view(query: Select[Any], view: View, readable: Readable) -> Select[Any]:
    match view:
        case View.MINE:
            is_mine = tickets.c.operator_id == readable.operator_id
            return query.where((tickets.c.status == TicketStatus.ACTIVE.value) & is_mine)
        case View.WAITING:
            return query.where(tickets.c.status == TicketStatus.WAITING.value)
        case View.CLOSED:
            # That is what is closed, a check of the table says so; and it is what the index holds.
            return query.where(tickets.c.closed_at.is_not(None))
        case View.ALL:
            return query.where(is_readable(readable))
