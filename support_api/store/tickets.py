"""Conversations: who opened them, whose they are, how they stand. Their messages: messages.py."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Select, bindparam, exists, false, func, insert, or_, select, update

from support_api.database.engine import Transaction
from support_api.database.tables import messages, operators_online, tickets
from support_api.errors import UnknownTicket
from support_api.models.assignment import Kind
from support_api.models.ids import MAX_ID
from support_api.models.messages import NoticeCode, SenderType
from support_api.models.tickets import NewTicket, Ticket, TicketStatus, TicketSummary
from support_api.store.rows import SUMMARIES, TICKETS, AnyRow, summary_of, ticket_of

# Tickets in one list at most.
LIST_LIMIT: Final = 500

_is_active = tickets.c.status == TicketStatus.ACTIVE.value
_is_waiting = tickets.c.status == TicketStatus.WAITING.value
_is_this = tickets.c.id == bindparam("ticket_id")

_TICKET: Final = TICKETS.where(_is_this)
_SUMMARY: Final = SUMMARIES.where(_is_this)
# SQLite has no such clause and needs none: there is one writer.
_LOCKED_TICKET: Final = _TICKET.with_for_update(of=tickets)
_LOCKED_SUMMARY: Final = _SUMMARY.with_for_update(of=tickets)
_CREATED: Final = TICKETS.where(
    (tickets.c.visitor_id == bindparam("visitor_id")) & (tickets.c.create_key == bindparam("create_key"))
)
_COUNT_OPEN: Final = select(func.count()).select_from(tickets).where(tickets.c.status != TicketStatus.CLOSED.value)
_COUNT_OPEN_OF_VISITOR: Final = _COUNT_OPEN.where(tickets.c.visitor_id == bindparam("visitor_id"))
_COUNT_OPEN_OF_NETWORK: Final = _COUNT_OPEN.where(tickets.c.network == bindparam("network"))
_INSERT: Final = insert(tickets).returning(tickets.c.id)
_CHANGE: Final = update(tickets).where(_is_this)
_ACTIVE_OF: Final = SUMMARIES.where((tickets.c.operator_id == bindparam("operator_id")) & _is_active)
_WAITING: Final = SUMMARIES.where(_is_waiting).limit(bindparam("most"))
# Who left while they waited keep their place, and get nobody until they are back.
_is_ready = _is_waiting & tickets.c.visitor_left_at.is_(None)
_KINDS: Final = select(tickets.c.group_id, tickets.c.returned_by).where(_is_ready).distinct()


def read_ticket(tx: Transaction, ticket_id: int, *, lock: bool = False) -> Ticket:
    """Read one ticket. Raises `UnknownTicket`.

    `lock`: until the transaction ends nobody else writes into it, closes it or gives it away; for whoever is about to.
    """
    return ticket_of(_one(tx, _LOCKED_TICKET if lock else _TICKET, ticket_id))


def read_summary(tx: Transaction, ticket_id: int, *, lock: bool = False) -> TicketSummary:
    """Read one ticket with the text that opened it; `lock` as of `read_ticket`. Raises `UnknownTicket`."""
    return summary_of(_one(tx, _LOCKED_SUMMARY if lock else _SUMMARY, ticket_id))


def find_created(tx: Transaction, visitor_id: str, create_key: str) -> Ticket | None:
    """Find the ticket that an earlier request with this key has made."""
    row = tx.conn.execute(_CREATED, {"visitor_id": visitor_id, "create_key": create_key}).one_or_none()
    return None if row is None else ticket_of(row)


def count_open_of_visitor(tx: Transaction, visitor_id: str) -> int:
    """Count a visitor's tickets that are not closed."""
    return tx.conn.execute(_COUNT_OPEN_OF_VISITOR, {"visitor_id": visitor_id}).scalar_one()


def count_open_of_network(tx: Transaction, network: str | None) -> int:
    """Count the tickets that were opened from a network and are not closed."""
    return tx.conn.execute(_COUNT_OPEN_OF_NETWORK, {"network": network}).scalar_one()


def insert_ticket(tx: Transaction, new: NewTicket) -> Ticket:
    """Store a ticket that waits, and has no message yet."""
    row = {
        "visitor_id": new.visitor_id,
        "visitor_name": new.name,
        "visitor_email": new.email,
        "status": TicketStatus.WAITING.value,
        "created_at": tx.now,
        "create_key": new.client_id,
        "last_seq": 0,
        "network": new.network,
        "group_id": new.group_id,
    }
    return Ticket(
        id=tx.conn.execute(_INSERT, row).scalar_one(),
        visitor_id=new.visitor_id,
        visitor_name=new.name,
        visitor_email=new.email,
        operator_id=None,
        operator_name=None,
        status=TicketStatus.WAITING,
        created_at=tx.now,
        closed_at=None,
        closed_by=None,
        last_seq=0,
        group_id=new.group_id,
    )


def set_holder(tx: Transaction, ticket: Ticket) -> None:
    """Store whose the ticket is: its status, its operator, its group and who returned it."""
    whose = {
        "status": ticket.status.value,
        "operator_id": ticket.operator_id,
        "returned_by": ticket.returned_by,
        "group_id": ticket.group_id,
        "assigned_at": None if ticket.operator_id is None else tx.now,
    }
    tx.conn.execute(_CHANGE, {"ticket_id": ticket.id, **whose})


def set_warned(tx: Transaction, ticket_id: int) -> None:
    """Note that the visitor was asked whether they are there."""
    tx.conn.execute(_CHANGE, {"ticket_id": ticket_id, "warned_at": tx.now})


def set_snoozed(tx: Transaction, ticket: Ticket, until: datetime | None) -> Ticket:
    """Store until when a ticket rests."""
    tx.conn.execute(_CHANGE, {"ticket_id": ticket.id, "snoozed_until": until})
    return replace(ticket, snoozed_until=until)


def set_reopened(tx: Transaction, ticket: Ticket, network: str | None) -> Ticket:
    """Have a closed ticket wait again. `network`: from where that was asked for, as of `NewTicket`."""
    changes = {"status": TicketStatus.WAITING.value, "operator_id": None, "closed_at": None, "closed_by": None}
    more = {"returned_by": None, "warned_at": None, "snoozed_until": None, "reopened_at": tx.now, "network": network}
    tx.conn.execute(_CHANGE, {"ticket_id": ticket.id, **changes, **more})
    return read_ticket(tx, ticket.id)


def set_closed(tx: Transaction, ticket: Ticket, by: SenderType) -> Ticket:
    """Close a ticket and forget where it was opened from."""
    closed = {"status": TicketStatus.CLOSED.value, "closed_at": tx.now, "closed_by": by.value, "network": None}
    tx.conn.execute(_CHANGE, {"ticket_id": ticket.id, **closed})
    return replace(ticket, status=TicketStatus.CLOSED, closed_at=tx.now, closed_by=by)


def set_read(tx: Transaction, ticket: Ticket, reader: SenderType, seq: int) -> Ticket:
    """Store how far one side has read."""
    pointer = {f"{reader}_read_seq": seq}
    tx.conn.execute(_CHANGE, {"ticket_id": ticket.id, **pointer})
    return replace(ticket, **pointer)


def active_of(tx: Transaction, operator_id: int, limit: int | None = LIST_LIMIT) -> list[TicketSummary]:
    """List the active tickets of one operator, oldest first. `limit` None: all of them."""
    return _summaries(tx, _ACTIVE_OF.limit(limit), {"operator_id": operator_id})


def waiting(tx: Transaction, limit: int = LIST_LIMIT) -> list[TicketSummary]:
    """List the tickets that wait for an operator, oldest first."""
    return _summaries(tx, _WAITING, {"most": limit})


def waiting_kinds(tx: Transaction) -> list[Kind]:
    """List the kinds of tickets that wait to be assigned."""
    return [Kind(row.group_id, row.returned_by) for row in tx.conn.execute(_KINDS)]


def waiting_of(tx: Transaction, kinds: Sequence[Kind], limit: int) -> list[TicketSummary]:
    """List the tickets of these kinds that wait to be assigned, oldest first."""
    is_one = or_(false(), *(_is_of(kind) for kind in kinds))
    return _summaries(tx, SUMMARIES.where(_is_ready & is_one).limit(limit))


def is_any_waiting(tx: Transaction) -> bool:
    """Say whether any ticket waits for an operator."""
    return tx.conn.execute(select(tickets.c.id).where(_is_waiting).limit(1)).first() is not None


def held_in_silence(tx: Transaction, heard_before: datetime) -> list[TicketSummary]:
    """List the active tickets of operators who were not heard since that moment, without those handed to them since then."""
    return _summaries(tx, SUMMARIES.where(_is_active & _is_held_in_silence(heard_before)))


def is_any_held_in_silence(tx: Transaction, heard_before: datetime) -> bool:
    """Say whether `held_in_silence` would find any."""
    query = select(tickets.c.id).where(_is_active & _is_held_in_silence(heard_before)).limit(1)
    return tx.conn.execute(query).first() is not None


def _one(tx: Transaction, query: Select[Any], ticket_id: int) -> AnyRow:
    if not 0 < ticket_id <= MAX_ID:  # more than the column holds
        raise UnknownTicket(ticket_id)
    row = tx.conn.execute(query, {"ticket_id": ticket_id}).one_or_none()
    if row is None:
        raise UnknownTicket(ticket_id)
    return row


def _is_of(kind: Kind) -> ColumnElement[bool]:
    return tickets.c.group_id.is_not_distinct_from(kind.group_id) & tickets.c.returned_by.is_not_distinct_from(
        kind.returned_by
    )


def _is_held_in_silence(heard_before: datetime) -> ColumnElement[bool]:
    silent = select(operators_online.c.user_id).where(operators_online.c.last_seen < heard_before)
    handed_over = (
        (messages.c.ticket_id == tickets.c.id)
        & (messages.c.code == NoticeCode.TRANSFERRED.value)
        & (messages.c.created_at >= heard_before)
    )
    return tickets.c.operator_id.in_(silent) & ~exists().where(handed_over).correlate(tickets)


def _summaries(tx: Transaction, query: Select[Any], values: Mapping[str, object] | None = None) -> list[TicketSummary]:
    rows: Sequence[AnyRow] = tx.conn.execute(query, values).all()
    return [summary_of(row) for row in rows]
