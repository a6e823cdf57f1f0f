"""Active conversations in which somebody has not spoken for a while; those that rest are left out.

Only active tickets are looked at, of which operators' limits allow few, and no message but the first: who spoke last, and
since when somebody waits, stands with the ticket.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, or_

from support_api.database.engine import Transaction
from support_api.database.tables import tickets
from support_api.models.messages import SenderType
from support_api.models.tickets import TicketStatus, TicketSummary
from support_api.store.rows import SUMMARIES, summary_of

_is_awake = (tickets.c.status == TicketStatus.ACTIVE.value) & or_(
    tickets.c.snoozed_until.is_(None), tickets.c.snoozed_until <= bindparam("now")
)
# Who goes on with a conversation after its end has not been silent in it before.
_is_silent = (tickets.c.last_message_at <= bindparam("before")) & or_(
    tickets.c.reopened_at.is_(None), tickets.c.reopened_at <= bindparam("before")
)
_by_visitor = SUMMARIES.where(_is_awake & (tickets.c.last_sender == SenderType.OPERATOR.value) & _is_silent)
_is_warned = and_(tickets.c.warned_at.is_not(None), tickets.c.warned_at >= tickets.c.last_message_at)

_UNWARNED: Final = _by_visitor.where(~_is_warned).limit(bindparam("most"))
_SILENT: Final = _by_visitor.limit(bindparam("most"))
_WARNED: Final = _by_visitor.where(_is_warned & (tickets.c.warned_at <= bindparam("warned_before"))).limit(
    bindparam("most")
)
_UNANSWERED: Final = SUMMARIES.where(
    _is_awake
    & or_(tickets.c.assigned_at.is_(None), tickets.c.assigned_at <= bindparam("before"))
    & (tickets.c.waiting_since <= bindparam("before"))
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
