"""Tickets that change hands because a person says so. One method a transaction; who may do it, an `Admission` says."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from support_api.database.legacy import Database, Writing
from support_api.database.tables import operators, operators_online
from support_api.errors import InvalidField, LoginNeeded, OperatorFull, TicketTaken
from support_api.listeners import realtime
from support_api.models.ids import MAX_ID
from support_api.models.tickets import Admission, Listed, Ticket, TicketStatus
from support_api.store.assigning import Assigner, announce_assigned, recount
from support_api.store.draining import Drain
from support_api.store.rows import AnyRow, count_active, ensure_open, ensure_session, read_listed, read_ticket


@dataclass(frozen=True, slots=True)
class TransferStore:
    """Hands tickets over. All methods raise `StoreUnavailable` when the database does not take part in time."""

    database: Database
    drain: Drain
    assigner: Assigner

    async def transfer(self, ticket_id: int, target_id: int, admit: Admission, *, over_limit: bool = False) -> Ticket:
        """Gives an active ticket to another operator, online or not.

        Raises `UnknownTicket`, what `admit` raises, `TicketClosed`, `InvalidField` for a target that is the same or cannot
        have tickets, or, unless `over_limit`, `OperatorFull`.
        """
        async with self.database.writing() as tx:
            listed = await _read_open(tx, ticket_id, admit)
            target = await _usable(tx, target_id)
            if target is None or target_id == listed.ticket.operator_id:
                raise InvalidField("operator_id", "another operator whose account is not disabled")
            _ensure_room(target, over_limit=over_limit)
            moved = await self.assigner.assign(tx, listed, target_id)
            await announce_assigned(tx, [moved])
            return await self._finish(tx, listed.ticket, moved.ticket)

    async def put_back(self, ticket_id: int, admit: Admission) -> Ticket:
        """Gives an active ticket back to the queue. Whoever else is free gets it at once; who gave it back only by `take`.

        Raises `UnknownTicket`, what `admit` raises, or `TicketClosed`.
        """
        async with self.database.writing() as tx:
            listed = await _read_open(tx, ticket_id, admit)
            await self.assigner.put_back(tx, [listed], returned_by=listed.ticket.operator_id)
            return await self._finish(tx, listed.ticket, await read_ticket(tx.conn, ticket_id))

    async def take(
        self, ticket_id: int, operator_id: int, *, over_limit: bool = False, session: str | None = None
    ) -> Ticket:
        """Gives a waiting ticket to the operator who asks for it. One that is the operator's already is returned unchanged.

        Raises `UnknownTicket`, `TicketClosed`, `TicketTaken`, `LoginNeeded` for an account that was disabled, or a `session`
        that ended, meanwhile, or, unless `over_limit`, `OperatorFull`.
        """
        async with self.database.writing() as tx:
            await ensure_session(tx.conn, session, tx.now)
            listed = await read_listed(tx.conn, ticket_id)
            ensure_open(listed.ticket)
            if listed.ticket.operator_id == operator_id:
                return listed.ticket
            _ensure_waiting(listed.ticket)
            taker = await _usable(tx, operator_id)
            if taker is None:
                raise LoginNeeded
            _ensure_room(taker, over_limit=over_limit)
            taken = await self.assigner.assign(tx, listed, operator_id)
            # Whoever takes a ticket is there, also by a program that sends no heartbeats.
            online = update(operators_online).where(operators_online.c.user_id == operator_id)
            await tx.conn.execute(online.values(last_seen=tx.now))
            await recount(tx, {operator_id})
            await announce_assigned(tx, [taken])
            return taken.ticket

    async def _finish(self, tx: Writing, before: Ticket, after: Ticket) -> Ticket:
        """What follows when `before.operator_id` has handed the ticket over. Returns the ticket as it is in the end."""
        await recount(tx, {before.operator_id, after.operator_id})
        await tx.announce([realtime.ticket_transferred(before, after)])
        await announce_assigned(tx, await self.drain(tx))
        return await read_ticket(tx.conn, before.id)


async def _read_open(tx: Writing, ticket_id: int, admit: Admission) -> Listed:
    listed = await read_listed(tx.conn, ticket_id)
    admit(listed.ticket)
    ensure_open(listed.ticket)
    return listed


async def _usable(tx: Writing, operator_id: int) -> AnyRow | None:
    """The operator with name and load, unless there is none or the account is disabled."""
    if operator_id > MAX_ID:  # more than the column holds
        return None
    query = (
        select(operators_online, count_active().label("held"), operators.c.name)
        .join(operators, operators.c.id == operators_online.c.user_id)
        .where((operators.c.id == operator_id) & operators.c.disabled_at.is_(None))
    )
    return (await tx.conn.execute(query)).one_or_none()


def _ensure_room(operator: AnyRow, *, over_limit: bool) -> None:
    if operator.held >= operator.max_tickets and not over_limit:
        raise OperatorFull(operator.name, operator.held, operator.max_tickets)


def _ensure_waiting(ticket: Ticket) -> None:
    if ticket.status is not TicketStatus.WAITING:
        raise TicketTaken(ticket.id)
