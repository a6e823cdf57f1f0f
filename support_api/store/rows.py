"""From rows to models, and the SELECTs whose rows these are. No transactions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from support_api.database.tables import messages, operator_sessions, operators, operators_online, tickets
from support_api.errors import LoginNeeded, TicketClosed, UnknownTicket
from support_api.models.assignment import Candidate
from support_api.models.ids import MAX_ID
from support_api.models.messages import Message, Notice, NoticeCode, SenderType
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.models.tickets import Listed, Ticket, TicketStatus

AnyRow = Row[Any]


def select_tickets() -> Select[Any]:
    """Tickets with their operators' names, for `ticket_of`."""
    return select(tickets, operators.c.name.label("operator_name")).select_from(
        tickets.outerjoin(operators, operators.c.id == tickets.c.operator_id)
    )


def ticket_of(row: AnyRow) -> Ticket:
    """A row of `select_tickets`."""
    return Ticket(
        id=row.id,
        visitor_id=row.visitor_id,
        visitor_name=row.visitor_name,
        visitor_email=row.visitor_email,
        operator_id=row.operator_id,
        operator_name=row.operator_name,
        status=TicketStatus(row.status),
        created_at=row.created_at,
        closed_at=row.closed_at,
        closed_by=None if row.closed_by is None else SenderType(row.closed_by),
        last_seq=row.last_seq,
        returned_by=row.returned_by,
    )


async def read_ticket(conn: AsyncConnection, ticket_id: int) -> Ticket:
    """One ticket. Raises `UnknownTicket`."""
    row = (await conn.execute(select_tickets().where(tickets.c.id == _within_range(ticket_id)))).one_or_none()
    if row is None:
        raise UnknownTicket(ticket_id)
    return ticket_of(row)


def select_listed() -> Select[Any]:
    """Tickets with the text of their first message, oldest first, for `listed_of`."""
    first = messages.alias("first_message")
    return (
        select(tickets, operators.c.name.label("operator_name"), first.c.content.label("first_message"))
        .select_from(
            tickets.outerjoin(operators, operators.c.id == tickets.c.operator_id).join(
                first, (first.c.ticket_id == tickets.c.id) & (first.c.seq == 1)
            )
        )
        .order_by(tickets.c.id)
    )


async def read_listed(conn: AsyncConnection, ticket_id: int) -> Listed:
    """One ticket with the text that opened it. Raises `UnknownTicket`."""
    row = (await conn.execute(select_listed().where(tickets.c.id == _within_range(ticket_id)))).one_or_none()
    if row is None:
        raise UnknownTicket(ticket_id)
    return listed_of(row)


def ensure_open(ticket: Ticket) -> None:
    """Raises `TicketClosed`."""
    if ticket.status is TicketStatus.CLOSED:
        raise TicketClosed(ticket.id)


async def ensure_session(conn: AsyncConnection, session: str | None, now: datetime) -> None:
    """Asked in the transaction that acts for a session, which is named by its hash. Raises `LoginNeeded` when it is over."""
    if session is None:
        return
    live = (operator_sessions.c.token_hash == session) & (operator_sessions.c.expires_at > now)
    if (await conn.execute(select(operator_sessions.c.token_hash).where(live))).first() is None:
        raise LoginNeeded


def _within_range(ticket_id: int) -> int:
    """What the column can hold. Raises `UnknownTicket` for any other number."""
    if not 0 < ticket_id <= MAX_ID:
        raise UnknownTicket(ticket_id)
    return ticket_id


def listed_of(row: AnyRow) -> Listed:
    """A row of `select_listed`."""
    return Listed(ticket_of(row), row.first_message)


def message_of(row: AnyRow) -> Message:
    """A row of support_messages."""
    return Message(
        id=row.id,
        ticket_id=row.ticket_id,
        seq=row.seq,
        sender_type=SenderType(row.sender_type),
        sender_id=row.sender_id,
        sender_name=row.sender_name,
        content=row.content,
        client_id=row.client_id,
        created_at=row.created_at,
        notice=None if row.code is None else Notice(NoticeCode(row.code), orjson.loads(row.params)),
    )


def operator_of(row: AnyRow) -> Operator:
    """A row of support_operators."""
    return Operator(row.id, row.name, row.email, row.disabled_at is not None)


def candidate_of(row: AnyRow) -> Candidate:
    """A row of support_operators_online with `held`, the counted active tickets."""
    return Candidate(
        row.user_id, OperatorStatus(row.status), row.last_seen, row.held, row.max_tickets, row.last_assigned_at
    )


def presence_of(row: AnyRow) -> Presence:
    """A row of support_operators_online."""
    return Presence(OperatorStatus(row.status), row.active_tickets, row.max_tickets, row.last_seen)


async def read_presence(conn: AsyncConnection, operator_id: int) -> Presence:
    """One operator's presence; the operator must exist."""
    rows = await conn.execute(select(operators_online).where(operators_online.c.user_id == operator_id))
    return presence_of(rows.one())


def count_active() -> Any:
    """How many active tickets the operator of the enclosing query's support_operators_online row holds."""
    return (
        select(func.count())
        .select_from(tickets)
        .where((tickets.c.operator_id == operators_online.c.user_id) & (tickets.c.status == TicketStatus.ACTIVE.value))
        .scalar_subquery()
    )
