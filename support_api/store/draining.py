"""Gives waiting tickets to operators, inside the transaction that made room for them. Who gets one, the chooser says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select, update

from support_api import events
from support_api.models import Candidate, Chooser, Listed, TicketStatus
from support_api.store.database import Writing
from support_api.store.rows import candidate_of, count_active, listed_of, select_listed
from support_api.tables import operators, operators_online, tickets

AT_ONCE = 100
"""Waiting tickets that one transaction gives away at most; the sweep goes on with the rest, so nobody holds the lock long."""


@dataclass(frozen=True, slots=True)
class Drain:
    """The drain step: oldest waiting tickets first, as long as the chooser finds somebody."""

    choose: Chooser

    async def __call__(self, tx: Writing) -> list[Listed]:
        """Assigns what can be assigned and returns those tickets, without telling anybody yet."""
        waiting = await self._waiting(tx)
        candidates = await self._candidates(tx) if waiting else []
        taken: list[Listed] = []
        for listed in waiting:
            choice = self.choose(candidates, tx.now)
            if choice.operator_id is None:
                break
            taken.append(await self._assign(tx, listed, choice.operator_id))
            candidates = [_after(one, choice.operator_id, tx.now) for one in candidates]
        await recount(tx, {listed.ticket.operator_id for listed in taken})
        return taken

    async def _waiting(self, tx: Writing) -> list[Listed]:
        query = select_listed().where(tickets.c.status == TicketStatus.WAITING.value).limit(AT_ONCE)
        return [listed_of(row) for row in await tx.conn.execute(query)]

    async def _candidates(self, tx: Writing) -> Sequence[Candidate]:
        query = (
            select(operators_online, count_active().label("held"))
            .join(operators, operators.c.id == operators_online.c.user_id)
            .where(operators.c.disabled_at.is_(None))
        )
        return [candidate_of(row) for row in await tx.conn.execute(query)]

    async def _assign(self, tx: Writing, listed: Listed, operator_id: int) -> Listed:
        await tx.conn.execute(
            update(tickets)
            .where((tickets.c.id == listed.ticket.id) & (tickets.c.status == TicketStatus.WAITING.value))
            .values(status=TicketStatus.ACTIVE.value, operator_id=operator_id)
        )
        online = update(operators_online).where(operators_online.c.user_id == operator_id)
        await tx.conn.execute(online.values(last_assigned_at=tx.now))
        name = await tx.conn.scalar(select(operators.c.name).where(operators.c.id == operator_id))
        ticket = replace(listed.ticket, status=TicketStatus.ACTIVE, operator_id=operator_id, operator_name=name)
        return Listed(ticket, listed.first_message)


async def announce_later(tx: Writing, taken: Sequence[Listed]) -> None:
    """Tells of tickets that had to wait: their operator, all operators, and the visitor."""
    for listed in taken:
        await tx.announce(
            [
                events.ticket_assigned(listed.ticket, listed.first_message),
                events.queue_updated(listed.ticket),
                events.ticket_updated(listed.ticket),
            ]
        )


async def recount(tx: Writing, operator_ids: set[int | None]) -> None:
    """Counts the active tickets of these operators anew."""
    known = [one for one in operator_ids if one is not None]
    if known:
        online = update(operators_online).where(operators_online.c.user_id.in_(known))
        await tx.conn.execute(online.values(active_tickets=count_active()))


def _after(candidate: Candidate, operator_id: int, now: datetime) -> Candidate:
    if candidate.operator_id != operator_id:
        return candidate
    return replace(candidate, active_tickets=candidate.active_tickets + 1, last_assigned_at=now)
