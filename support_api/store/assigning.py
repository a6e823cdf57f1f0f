"""Whose a ticket is: the one place where it becomes an operator's or goes back to the queue, and where whoever loses it
loses its channel in the same transaction. No transactions of its own; who gets a ticket, others decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select, update

from support_api.database.legacy import Writing
from support_api.database.tables import operators, operators_online, tickets
from support_api.listeners import realtime
from support_api.models.messages import Notice, NoticeCode, Wording
from support_api.models.tickets import Listed, Ticket, TicketStatus
from support_api.store.messages import say
from support_api.store.rows import count_active


@dataclass(frozen=True, slots=True)
class Assigner:
    """Writes down whose tickets are. `word`: how the site says to visitors what happened."""

    word: Wording

    async def assign(self, tx: Writing, listed: Listed, operator_id: int) -> Listed:
        """The ticket is the operator's from now on; the visitor is told where somebody else had it before.

        `announce_assigned` tells the rest, when the caller is ready.
        """
        name = (await tx.conn.execute(select(operators.c.name).where(operators.c.id == operator_id))).scalar_one()
        ticket = replace(
            listed.ticket, status=TicketStatus.ACTIVE, returned_by=None, operator_id=operator_id, operator_name=name
        )
        await _store(tx, ticket)
        online = update(operators_online).where(operators_online.c.user_id == operator_id)
        await tx.conn.execute(online.values(last_assigned_at=tx.now))
        await _end_access(tx, listed.ticket)
        if listed.ticket.operator_id is not None or listed.ticket.returned_by is not None:
            notice = Notice(NoticeCode.TRANSFERRED, {"operator_name": name})
            ticket = replace(ticket, last_seq=(await say(tx, ticket.id, notice, self.word)).seq)
        return Listed(ticket, listed.first_message)

    async def put_back(self, tx: Writing, held: Sequence[Listed], returned_by: int | None = None) -> None:
        """These active tickets wait from now on. `returned_by`: who gave them back by hand; then the visitor is told too."""
        for listed in held:
            ticket = replace(
                listed.ticket,
                status=TicketStatus.WAITING,
                returned_by=returned_by,
                operator_id=None,
                operator_name=None,
            )
            await _store(tx, ticket)
            await _end_access(tx, listed.ticket)
            if returned_by is not None:
                await say(tx, listed.ticket.id, Notice(NoticeCode.RETURNED, {}), self.word)
            await tx.announce([realtime.queue_updated(ticket), realtime.ticket_updated(ticket)])


async def announce_assigned(tx: Writing, taken: Sequence[Listed]) -> None:
    """Tells of tickets that waited or were another's: their operator, all operators, and the visitor."""
    for listed in taken:
        await tx.announce(
            [
                realtime.ticket_assigned(listed.ticket, listed.first_message),
                realtime.queue_updated(listed.ticket),
                realtime.ticket_updated(listed.ticket),
            ]
        )


async def recount(tx: Writing, operator_ids: set[int | None]) -> None:
    """Counts the active tickets of these operators anew."""
    known = [one for one in operator_ids if one is not None]
    if known:
        online = update(operators_online).where(operators_online.c.user_id.in_(known))
        await tx.conn.execute(online.values(active_tickets=count_active()))


async def _store(tx: Writing, ticket: Ticket) -> None:
    whose = {"status": ticket.status.value, "operator_id": ticket.operator_id, "returned_by": ticket.returned_by}
    await tx.conn.execute(update(tickets).where(tickets.c.id == ticket.id).values(**whose))


async def _end_access(tx: Writing, before: Ticket) -> None:
    """Before anything else is said in the conversation, who had it until now stops to hear it."""
    if before.operator_id is not None:
        await tx.announce([realtime.lost_channel(before.operator_id, before.id)])
