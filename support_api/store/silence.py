"""Active conversations in which somebody has not spoken for a while; those that rest are left out.

Only active tickets are looked at, of which operators' limits allow few; of each the newest messages by an index.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select

from support_api.database.engine import Transaction
from support_api.database.tables import messages, tickets
from support_api.models.messages import SenderType
from support_api.models.tickets import TicketStatus, TicketSummary
from support_api.store.rows import SUMMARIES, summary_of

_last = messages.alias("last_spoken")
_spoken = messages.alias("spoken")
_asked = messages.alias("asked")
_answer = messages.alias("answer")

_newest = (
    select(func.max(_spoken.c.seq))
    .where((_spoken.c.ticket_id == tickets.c.id) & (_spoken.c.sender_type != SenderType.SYSTEM.value))
    .correlate(tickets)
    .scalar_subquery()
)
_is_awake = (tickets.c.status == TicketStatus.ACTIVE.value) & or_(
    tickets.c.snoozed_until.is_(None), tickets.c.snoozed_until <= bindparam("now")
)
_by_visitor = SUMMARIES.join(_last, (_last.c.ticket_id == tickets.c.id) & (_last.c.seq == _newest)).where(
    _is_awake & (_last.c.sender_type == SenderType.OPERATOR.value) & (_last.c.created_at <= bindparam("before"))
)
_is_warned = and_(tickets.c.warned_at.is_not(None), tickets.c.warned_at >= _last.c.created_at)

_UNWARNED: Final = _by_visitor.where(~_is_warned).limit(bindparam("most"))
_SILENT: Final = _by_visitor.limit(bindparam("most"))
_WARNED: Final = _by_visitor.where(_is_warned & (tickets.c.warned_at <= bindparam("warned_before"))).limit(
    bindparam("most")
)


def _is_unanswered() -> ColumnElement[bool]:
    answered = exists().where(
        (_answer.c.ticket_id == tickets.c.id)
        & (_answer.c.sender_type == SenderType.OPERATOR.value)
        & (_answer.c.seq > _asked.c.seq)
    )
    asked = (
        (_asked.c.ticket_id == tickets.c.id)
        & (_asked.c.sender_type == SenderType.VISITOR.value)
        & (_asked.c.created_at <= bindparam("before"))
    )
    return exists().where(asked & ~answered.correlate(tickets, _asked)).correlate(tickets)


_UNANSWERED: Final = SUMMARIES.where(
    _is_awake & or_(tickets.c.assigned_at.is_(None), tickets.c.assigned_at <= bindparam("before")) & _is_unanswered()
).limit(bindparam("most"))


def silent_and_unwarned(tx: Transaction, before: datetime, limit: int) -> list[TicketSummary]:
    """List tickets whose visitor has not answered since that moment, and was not asked whether they are there."""
    return _list(tx, _UNWARNED, {"before": before, "most": limit})


def silent(tx: Transaction, before: datetime, limit: int, warned_before: datetime | None = None) -> list[TicketSummary]:
    """List tickets whose visitor has not answered since that moment; with `warned_before` those asked before this moment."""
    if warned_before is None:
        return _list(tx, _SILENT, {"before": before, "most": limit})
    return _list(tx, _WARNED, {"before": before, "warned_before": warned_before, "most": limit})


def unanswered(tx: Transaction, before: datetime, limit: int) -> list[TicketSummary]:
    """List tickets that were their operator's at that moment, with a visitor's question of then and no answer to it."""
    return _list(tx, _UNANSWERED, {"before": before, "most": limit})


def _list(tx: Transaction, query: Select[Any], values: dict[str, object]) -> list[TicketSummary]:
    return [summary_of(row) for row in tx.conn.execute(query, values | {"now": tx.now})]
