"""From rows to models, and the SELECTs whose rows these are.

In this folder statements are composed once, with names in the place of values: SQLAlchemy then needs 17 µs for one, and 56
where it is composed for each call (bench/, scenario "desk").
"""

from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Row, func, literal, or_, select

from support_api.database.tables import groups, messages, operators, operators_online, tickets
from support_api.models.assignment import Candidate
from support_api.models.messages import Message, Notice, NoticeCode, SenderType
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.models.tickets import Readable, Ticket, TicketStatus, TicketSummary

AnyRow = Row[Any]

_with_operator = tickets.outerjoin(operators, operators.c.id == tickets.c.operator_id).outerjoin(
    groups, groups.c.id == tickets.c.group_id
)
_first = messages.alias("first_message")
_operator_name = operators.c.name.label("operator_name")
_group_name = groups.c.name.label("group_name")

# Tickets with their operators' names, for `ticket_of`.
TICKETS: Final = select(tickets, _operator_name, _group_name).select_from(_with_operator)

# Tickets with the text of their first message, oldest first, for `summary_of`.
SUMMARIES: Final = (
    select(tickets, _operator_name, _group_name, _first.c.content.label("first_message"))
    .select_from(_with_operator.join(_first, (_first.c.ticket_id == tickets.c.id) & (_first.c.seq == 1)))
    .order_by(tickets.c.id)
)

# How many active tickets the operator of the enclosing query's support_operators_online row holds.
HELD: Final = (
    select(func.count())
    .select_from(tickets)
    .where((tickets.c.operator_id == operators_online.c.user_id) & (tickets.c.status == TicketStatus.ACTIVE.value))
    .scalar_subquery()
)


def is_readable(readable: Readable) -> ColumnElement[bool]:
    """The condition that leaves out what is somebody else's at this moment."""
    if readable.operator_id is None:
        return literal(True)
    return or_(tickets.c.status != TicketStatus.ACTIVE.value, tickets.c.operator_id == readable.operator_id)


def ticket_of(row: AnyRow) -> Ticket:
    """Read a row of `TICKETS`."""
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
        group_id=row.group_id,
        group_name=row.group_name,
        visitor_left_at=row.visitor_left_at,
        snoozed_until=row.snoozed_until,
        visitor_read_seq=row.visitor_read_seq,
        operator_read_seq=row.operator_read_seq,
        last_message_at=row.last_message_at,
        last_sender=None if row.last_sender is None else SenderType(row.last_sender),
        waiting_since=row.waiting_since,
    )


def summary_of(row: AnyRow) -> TicketSummary:
    """Read a row of `SUMMARIES`."""
    return TicketSummary(ticket_of(row), row.first_message)


def message_of(row: AnyRow) -> Message:
    """Read a row of support_messages."""
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
    """Read a row of support_operators."""
    return Operator(row.id, row.name, row.email, row.disabled_at is not None)


def candidate_of(row: AnyRow, in_groups: frozenset[int]) -> Candidate:
    """Read a row of support_operators_online with `held`, the counted active tickets."""
    return Candidate(
        operator_id=row.user_id,
        status=OperatorStatus(row.status),
        last_seen=row.last_seen,
        active_tickets=row.held,
        max_tickets=row.max_tickets,
        last_assigned_at=row.last_assigned_at,
        groups=in_groups,
    )


def presence_of(row: AnyRow) -> Presence:
    """Read a row of support_operators_online."""
    return Presence(OperatorStatus(row.status), row.active_tickets, row.max_tickets, row.last_seen)
