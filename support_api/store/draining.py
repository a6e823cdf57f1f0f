"""Gives waiting tickets to operators, inside the transaction that made room for them. Who gets one, the chooser says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import or_, select

from support_api.database.legacy import Writing
from support_api.database.tables import operators, operators_online, tickets
from support_api.models.assignment import Candidate, Choice, Chooser
from support_api.models.tickets import Listed, TicketStatus
from support_api.store.assigning import Assigner, recount
from support_api.store.rows import candidate_of, count_active, listed_of, select_listed

AT_ONCE = 100
"""Waiting tickets that one transaction gives away at most; the sweep goes on with the rest, so nobody holds the lock long."""


@dataclass(frozen=True, slots=True)
class Drain:
    """The drain step: oldest waiting tickets first, as long as the chooser finds somebody.

    Who gave a ticket back to the queue does not get it again by itself: it waits for another operator, or to be taken.
    """

    choose: Chooser
    assigner: Assigner

    async def __call__(self, tx: Writing) -> list[Listed]:
        """Assigns what can be assigned and returns those tickets; telling of it is left to the caller."""
        candidates = await self._candidates(tx)
        taken: list[Listed] = []
        for listed in await self._waiting(tx, self._only_one(candidates, tx.now)):
            choice = self._choose(candidates, listed.ticket.returned_by, tx.now)
            if choice.operator_id is not None:
                taken.append(await self.assigner.assign(tx, listed, choice.operator_id))
                candidates = [_after(one, choice.operator_id, tx.now) for one in candidates]
            elif listed.ticket.returned_by is None:
                break
        await recount(tx, {listed.ticket.operator_id for listed in taken})
        return taken

    def _choose(self, candidates: Sequence[Candidate], but_not: int | None, now: datetime) -> Choice:
        return self.choose([one for one in candidates if one.operator_id != but_not], now)

    def _only_one(self, candidates: Sequence[Candidate], now: datetime) -> int | None:
        """The only operator with room: what they gave back would fill a whole look at the queue for nothing."""
        first = self.choose(candidates, now).operator_id
        return None if self._choose(candidates, first, now).operator_id is not None else first

    async def _waiting(self, tx: Writing, but_not_of: int | None) -> list[Listed]:
        query = select_listed().where(tickets.c.status == TicketStatus.WAITING.value).limit(AT_ONCE)
        if but_not_of is not None:
            query = query.where(or_(tickets.c.returned_by.is_(None), tickets.c.returned_by != but_not_of))
        return [listed_of(row) for row in await tx.conn.execute(query)]

    async def _candidates(self, tx: Writing) -> Sequence[Candidate]:
        query = (
            select(operators_online, count_active().label("held"))
            .join(operators, operators.c.id == operators_online.c.user_id)
            .where(operators.c.disabled_at.is_(None))
        )
        return [candidate_of(row) for row in await tx.conn.execute(query)]


def _after(candidate: Candidate, operator_id: int, now: datetime) -> Candidate:
    if candidate.operator_id != operator_id:
        return candidate
    return replace(candidate, active_tickets=candidate.active_tickets + 1, last_assigned_at=now)
