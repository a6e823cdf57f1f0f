"""Tickets and their messages: one method a transaction. Knows neither HTTP nor who may do what (an `Admission` says that)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from support_api.database.legacy import Database, Writing
from support_api.database.tables import messages, tickets
from support_api.errors import InvalidField, TooManyOpen
from support_api.listeners import realtime
from support_api.models.messages import Draft, Message, Sender, SenderType
from support_api.models.tickets import Admission, History, Listed, NewTicket, Opened, OpenLimits, Ticket, TicketStatus
from support_api.store.assigning import announce_assigned, recount
from support_api.store.draining import Drain
from support_api.store.messages import insert_message
from support_api.store.rows import (
    ensure_open,
    listed_of,
    message_of,
    read_ticket,
    select_listed,
    select_tickets,
    ticket_of,
)

LIST_LIMIT = 500
"""Tickets in one list at most."""

NO_LIMITS = OpenLimits()


@dataclass(frozen=True, slots=True)
class TicketStore:
    """Stores conversations. All methods raise `StoreUnavailable` when the database does not take part in time."""

    database: Database
    drain: Drain

    async def create(self, new: NewTicket, limits: OpenLimits = NO_LIMITS) -> Opened:
        """Opens a ticket with its first message and gives it to an operator where one is free.

        A repeat with the same visitor and client_id returns the ticket that the first one made. Raises `TooManyOpen`.
        """
        async with self.database.writing() as tx:
            made = await _find_created(tx.conn, new)
            if made is not None:
                return made
            await _ensure_few_open(tx.conn, new, limits)
            ticket = await _insert_ticket(tx, new)
            sender = Sender(SenderType.VISITOR, new.visitor_id, new.name)
            message = await insert_message(tx, ticket.id, sender, Draft(new.message))
            taken = await self.drain(tx)
            await announce_assigned(tx, [one for one in taken if one.ticket.id != ticket.id])
            ticket = next((one.ticket for one in taken if one.ticket.id == ticket.id), replace(ticket, last_seq=1))
            if ticket.operator_id is not None:
                await tx.announce([realtime.ticket_assigned(ticket, new.message)])
            await tx.announce([realtime.ticket_new(ticket, new.message)])
            return Opened(ticket, message)

    async def add_message(self, ticket_id: int, draft: Draft, admit: Admission) -> Message:
        """Stores a message. A repeat with the same client_id returns the stored one and tells nobody.

        Raises `UnknownTicket`, what `admit` raises, `TicketClosed`, or `InvalidField` for another sender's client_id.
        """
        async with self.database.writing() as tx:
            ticket = await read_ticket(tx.conn, ticket_id)
            sender = admit(ticket)
            stored = await _find_sent(tx.conn, ticket_id, draft.client_id)
            if stored is not None:
                return _ensure_own(stored, sender)
            ensure_open(ticket)
            message = await insert_message(tx, ticket.id, sender, draft)
            await tx.announce([realtime.message_new(message, draft.socket_id)])
            return message

    async def close(self, ticket_id: int, admit: Admission) -> Ticket:
        """Closes a ticket, and gives the room that it leaves to those who wait. A closed one is returned unchanged.

        Raises `UnknownTicket` and what `admit` raises.
        """
        async with self.database.writing() as tx:
            ticket = await read_ticket(tx.conn, ticket_id)
            sender = admit(ticket)
            if ticket.status is TicketStatus.CLOSED:
                return ticket
            closed = await _mark_closed(tx, ticket, sender.type)
            await recount(tx, {closed.operator_id})
            await tx.announce([realtime.ticket_closed(closed), realtime.queue_updated(closed)])
            await announce_assigned(tx, await self.drain(tx))
            return closed

    async def read(self, ticket_id: int) -> Ticket:
        """One ticket. Raises `UnknownTicket`."""
        async with self.database.reading() as conn:
            return await read_ticket(conn, ticket_id)

    async def history(self, ticket_id: int, after: int, limit: int, admit: Admission) -> History:
        """Up to `limit` messages with seq > `after`. Raises `UnknownTicket` and what `admit` raises."""
        async with self.database.reading() as conn:
            ticket = await read_ticket(conn, ticket_id)
            admit(ticket)
            newer = (messages.c.ticket_id == ticket_id) & (messages.c.seq > after)
            query = select(messages).where(newer).order_by(messages.c.seq).limit(limit + 1)
            found = [message_of(row) for row in await conn.execute(query)]
        return History(ticket, found[:limit], len(found) > limit)

    async def active_of(self, operator_id: int) -> list[Listed]:
        """The active tickets of one operator, oldest first."""
        mine = (tickets.c.operator_id == operator_id) & (tickets.c.status == TicketStatus.ACTIVE.value)
        async with self.database.reading() as conn:
            return [listed_of(row) for row in await conn.execute(select_listed().where(mine).limit(LIST_LIMIT))]

    async def waiting(self) -> list[Listed]:
        """The tickets that wait for an operator, oldest first."""
        query = select_listed().where(tickets.c.status == TicketStatus.WAITING.value).limit(LIST_LIMIT)
        async with self.database.reading() as conn:
            return [listed_of(row) for row in await conn.execute(query)]

    async def sweep(self) -> int:
        """Gives away what waits although somebody is free (another process may have made room). Returns how many."""
        if not await self.waiting():
            return 0
        async with self.database.writing() as tx:
            taken = await self.drain(tx)
            await announce_assigned(tx, taken)
            return len(taken)


def _ensure_own(stored: Message, sender: Sender) -> Message:
    if (stored.sender_type, stored.sender_id) != (sender.type, sender.id):
        raise InvalidField("client_id", "an id that nobody else used in this ticket")
    return stored


async def _find_created(conn: AsyncConnection, new: NewTicket) -> Opened | None:
    if new.client_id is None:
        return None
    same = (tickets.c.visitor_id == new.visitor_id) & (tickets.c.create_key == new.client_id)
    row = (await conn.execute(select_tickets().where(same))).one_or_none()
    if row is None:
        return None
    ticket = ticket_of(row)
    first = select(messages).where((messages.c.ticket_id == ticket.id) & (messages.c.seq == 1))
    return Opened(ticket, message_of((await conn.execute(first)).one()))


async def _ensure_few_open(conn: AsyncConnection, new: NewTicket, limits: OpenLimits) -> None:
    if limits.per_visitor and await _count_open(conn, tickets.c.visitor_id == new.visitor_id) >= limits.per_visitor:
        raise TooManyOpen(limits.per_visitor, of_network=False)
    if limits.per_network and await _count_open(conn, tickets.c.network == new.network) >= limits.per_network:
        raise TooManyOpen(limits.per_network, of_network=True)


async def _count_open(conn: AsyncConnection, whose: ColumnElement[bool]) -> int:
    query = select(func.count()).where(whose & (tickets.c.status != TicketStatus.CLOSED.value))
    return (await conn.execute(query.select_from(tickets))).scalar_one()


async def _find_sent(conn: AsyncConnection, ticket_id: int, client_id: str | None) -> Message | None:
    if client_id is None:
        return None
    same = (messages.c.ticket_id == ticket_id) & (messages.c.client_id == client_id)
    row = (await conn.execute(select(messages).where(same))).one_or_none()
    return None if row is None else message_of(row)


async def _insert_ticket(tx: Writing, new: NewTicket) -> Ticket:
    row = insert(tickets).values(
        visitor_id=new.visitor_id,
        visitor_name=new.name,
        visitor_email=new.email,
        status=TicketStatus.WAITING.value,
        created_at=tx.now,
        create_key=new.client_id,
        last_seq=0,
        network=new.network,
    )
    ticket_id = (await tx.conn.execute(row.returning(tickets.c.id))).scalar_one()
    return await read_ticket(tx.conn, ticket_id)


async def _mark_closed(tx: Writing, ticket: Ticket, by: SenderType) -> Ticket:
    closed = {"status": TicketStatus.CLOSED.value, "closed_at": tx.now, "closed_by": by.value, "network": None}
    await tx.conn.execute(update(tickets).where(tickets.c.id == ticket.id).values(**closed))
    return replace(ticket, status=TicketStatus.CLOSED, closed_at=tx.now, closed_by=by)
