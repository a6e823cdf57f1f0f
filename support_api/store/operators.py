"""Operators, their sessions and their presence: one method a transaction. Knows neither HTTP nor how passwords are hashed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from support_api.database.legacy import Database, Writing
from support_api.database.tables import messages, operator_sessions, operators, operators_online, tickets
from support_api.errors import EmailTaken, UnknownOperator, WrongLogin
from support_api.listeners import realtime
from support_api.models.messages import NoticeCode
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.models.tickets import Listed, TicketStatus
from support_api.store.assigning import Assigner, announce_assigned, recount
from support_api.store.draining import Drain
from support_api.store.rows import (
    AnyRow,
    ensure_session,
    listed_of,
    operator_of,
    presence_of,
    read_presence,
    select_listed,
)

_active = tickets.c.status == TicketStatus.ACTIVE.value


@dataclass(frozen=True, slots=True)
class Credentials:
    """An operator with the hash that their password must match."""

    operator: Operator
    password_hash: str


@dataclass(frozen=True, slots=True)
class OperatorStore:
    """Stores operators. All methods raise `StoreUnavailable` when the database does not take part in time."""

    database: Database
    drain: Drain
    assigner: Assigner

    async def add(self, name: str, email: str, password_hash: str, max_tickets: int = 5) -> Operator:
        """Makes an account; it takes no tickets until its first heartbeat. Raises `EmailTaken`."""
        try:
            async with self.database.writing() as tx:
                account = {"name": name, "email": email, "password_hash": password_hash, "created_at": tx.now}
                row = insert(operators).values(**account).returning(operators.c.id)
                operator_id = (await tx.conn.execute(row)).scalar_one()
                presence = {"user_id": operator_id, "max_tickets": max_tickets, "last_seen": tx.now}
                await tx.conn.execute(insert(operators_online).values(**presence))
        except IntegrityError as error:
            raise EmailTaken(email) from error
        return Operator(operator_id, name, email, is_disabled=False)

    async def everybody(self) -> list[tuple[Operator, Presence]]:
        """All operators with their presence, in the order of their numbers."""
        joined = operators.join(operators_online, operators_online.c.user_id == operators.c.id)
        query = select(operators, operators_online).select_from(joined).order_by(operators.c.id)
        async with self.database.reading() as conn:
            return [(operator_of(row), presence_of(row)) for row in await conn.execute(query)]

    async def credentials(self, email: str) -> Credentials | None:
        """What a log-in with this e-mail is checked against; None when nobody may log in with it."""
        usable = (operators.c.email == email) & operators.c.disabled_at.is_(None)
        async with self.database.reading() as conn:
            row = (await conn.execute(select(operators).where(usable))).one_or_none()
        return None if row is None else Credentials(operator_of(row), row.password_hash)

    async def set_password(self, email: str, password_hash: str) -> Operator:
        """Replaces the password and ends all sessions. Raises `UnknownOperator`."""
        async with self.database.writing() as tx:
            operator = operator_of(await _by_email(tx.conn, email))
            account = update(operators).where(operators.c.id == operator.id)
            await tx.conn.execute(account.values(password_hash=password_hash))
            await _end_sessions(tx, operator_sessions.c.user_id == operator.id)
            return operator

    async def set_limit(self, email: str, max_tickets: int) -> Operator:
        """Sets how many active tickets an operator may have, and fills the room. Raises `UnknownOperator`."""
        async with self.database.writing() as tx:
            operator = operator_of(await _by_email(tx.conn, email))
            await _set_presence(tx, operator.id, {"max_tickets": max_tickets})
            await announce_assigned(tx, await self.drain(tx))
            return operator

    async def disable(self, email: str) -> Operator:
        """Ends an account: its sessions end and its active tickets wait for somebody else. Raises `UnknownOperator`."""
        async with self.database.writing() as tx:
            operator = operator_of(await _by_email(tx.conn, email))
            await tx.conn.execute(update(operators).where(operators.c.id == operator.id).values(disabled_at=tx.now))
            await _end_sessions(tx, operator_sessions.c.user_id == operator.id)
            # Also of one who was logged in nowhere: a connection may be older than the last log-out.
            await tx.announce([realtime.lost_all_channels(operator.id), realtime.lost_connections(operator.id)])
            await _set_presence(tx, operator.id, {"status": OperatorStatus.OFFLINE.value})
            await self._return_tickets(tx, tickets.c.operator_id == operator.id)
            return Operator(operator.id, operator.name, operator.email, is_disabled=True)

    async def enable(self, email: str) -> Operator:
        """Gives an account back. Raises `UnknownOperator`."""
        async with self.database.writing() as tx:
            operator = operator_of(await _by_email(tx.conn, email))
            await tx.conn.execute(update(operators).where(operators.c.id == operator.id).values(disabled_at=None))
            return Operator(operator.id, operator.name, operator.email, is_disabled=False)

    async def open_session(self, operator_id: int, password_hash: str, token_hash: str, expires_at: datetime) -> None:
        """Stores that an operator is logged in, and forgets sessions that are over.

        Raises `WrongLogin` when `password_hash`, which the log-in was checked against, counts no more: a check takes its
        time, and a password is changed, or an account disabled, to keep somebody out from that moment on.
        """
        async with self.database.writing() as tx:
            await _ensure_counts(tx, operator_id, password_hash)
            await _end_sessions(tx, operator_sessions.c.expires_at <= tx.now)
            session = {"token_hash": token_hash, "user_id": operator_id, "expires_at": expires_at}
            await tx.conn.execute(insert(operator_sessions).values(**session, created_at=tx.now))

    async def of_session(self, token_hash: str) -> Operator | None:
        """Who is logged in with this session; None when it is over or the account is disabled."""
        joined = operators.join(operator_sessions, operator_sessions.c.user_id == operators.c.id)
        live = (
            (operator_sessions.c.token_hash == token_hash)
            & (operator_sessions.c.expires_at > self.database.now())
            & operators.c.disabled_at.is_(None)
        )
        async with self.database.reading() as conn:
            row = (await conn.execute(select(operators).select_from(joined).where(live))).one_or_none()
        return None if row is None else operator_of(row)

    async def close_session(self, operator_id: int, token_hash: str) -> None:
        """Logs out. With their last session the operator goes offline and the active tickets wait for somebody else."""
        async with self.database.writing() as tx:
            await _end_sessions(tx, operator_sessions.c.token_hash == token_hash)
            if await _is_logged_in(tx, operator_id):
                return
            await _set_presence(tx, operator_id, {"status": OperatorStatus.OFFLINE.value})
            await self._return_tickets(tx, tickets.c.operator_id == operator_id)

    async def end_expired_sessions(self) -> None:
        """Ends the sessions that are over, which until then only counted for nothing."""
        async with self.database.reading() as conn:
            expired = operator_sessions.c.expires_at <= self.database.now()
            if (await conn.execute(select(operator_sessions.c.token_hash).where(expired).limit(1))).first() is None:
                return
        async with self.database.writing() as tx:
            await _end_sessions(tx, operator_sessions.c.expires_at <= tx.now)

    async def release_silent(self, silence: timedelta) -> int:
        """Takes the active tickets of operators without a heartbeat for longer than `silence`, whatever their status.

        They wait for somebody else, or go to them at once. Who was handed a ticket by hand has as long to come as after a
        heartbeat. Returns how many were taken.
        """
        async with self.database.reading() as conn:
            silent = _active & _is_held_in_silence(self.database.now() - silence)
            if (await conn.execute(select(tickets.c.id).where(silent).limit(1))).first() is None:
                return 0
        async with self.database.writing() as tx:
            # Asked again: a heartbeat may have come since.
            return await self._return_tickets(tx, _is_held_in_silence(tx.now - silence))

    async def heartbeat(
        self, operator_id: int, status: OperatorStatus, max_tickets: int | None, *, session: str | None = None
    ) -> Presence:
        """Notes that an operator is there, with which status and limit, and gives them what waits.

        Raises `LoginNeeded` when the `session` that says so has ended meanwhile: who has logged out would be online again.
        """
        changes: dict[str, object] = {"status": status.value}
        if max_tickets is not None:
            changes["max_tickets"] = max_tickets
        async with self.database.writing() as tx:
            await ensure_session(tx.conn, session, tx.now)
            await _set_presence(tx, operator_id, changes | {"last_seen": tx.now})
            await announce_assigned(tx, await self.drain(tx))
            return await read_presence(tx.conn, operator_id)

    async def presence(self, operator_id: int) -> Presence:
        """How busy an operator is. The operator must exist."""
        async with self.database.reading() as conn:
            return await read_presence(conn, operator_id)

    async def _return_tickets(self, tx: Writing, which: ColumnElement[bool]) -> int:
        """Puts these active tickets back, and gives them to whoever is free."""
        held: list[Listed] = [listed_of(row) for row in await tx.conn.execute(select_listed().where(_active & which))]
        await self.assigner.put_back(tx, held)
        await recount(tx, {listed.ticket.operator_id for listed in held})
        await announce_assigned(tx, await self.drain(tx))
        return len(held)


async def _by_email(conn: AsyncConnection, email: str) -> AnyRow:
    row = (await conn.execute(select(operators).where(operators.c.email == email))).one_or_none()
    if row is None:
        raise UnknownOperator(email)
    return row


async def _ensure_counts(tx: Writing, operator_id: int, password_hash: str) -> None:
    mine = (operators.c.id == operator_id) & (operators.c.password_hash == password_hash)
    usable = select(operators.c.id).where(mine & operators.c.disabled_at.is_(None))
    if (await tx.conn.execute(usable)).first() is None:
        raise WrongLogin


async def _is_logged_in(tx: Writing, operator_id: int) -> bool:
    live = (operator_sessions.c.user_id == operator_id) & (operator_sessions.c.expires_at > tx.now)
    return (await tx.conn.execute(select(operator_sessions.c.token_hash).where(live).limit(1))).first() is not None


def _is_held_in_silence(heard_before: datetime) -> ColumnElement[bool]:
    """Of a ticket: whether its operator was not heard since that moment, nor was handed it since then."""
    silent = select(operators_online.c.user_id).where(operators_online.c.last_seen < heard_before)
    handed_over = (
        (messages.c.ticket_id == tickets.c.id)
        & (messages.c.code == NoticeCode.TRANSFERRED.value)
        & (messages.c.created_at >= heard_before)
    )
    return tickets.c.operator_id.in_(silent) & ~exists().where(handed_over).correlate(tickets)


async def _end_sessions(tx: Writing, which: ColumnElement[bool]) -> None:
    """Ends sessions, and with them what their operators hear: who is logged in elsewhere too has it signed anew."""
    ended = delete(operator_sessions).where(which).returning(operator_sessions.c.user_id)
    for operator_id in sorted(set((await tx.conn.execute(ended)).scalars())):
        await tx.announce([realtime.lost_all_channels(operator_id)])
        if not await _is_logged_in(tx, operator_id):
            # Nobody who cannot answer gets what waits; what they have is theirs until they have been silent for long.
            await _set_presence(tx, operator_id, {"status": OperatorStatus.OFFLINE.value})


async def _set_presence(tx: Writing, operator_id: int, changes: dict[str, object]) -> None:
    await tx.conn.execute(update(operators_online).where(operators_online.c.user_id == operator_id).values(**changes))
