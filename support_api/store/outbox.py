"""The rows of the outbox: which events wait for delivery, which were refused. Knows nothing of the relay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import LargeBinary, Row, cast, delete, func, select, update

from support_api.database.legacy import Database
from support_api.database.tables import outbox
from support_api.models.outbox import Event, EventKind, RefusedEvent, StoredEvent


@dataclass(frozen=True, slots=True)
class OutboxStore:
    """Stored events. All methods raise `StoreUnavailable` when the database does not take part in time."""

    database: Database

    async def pending(self, limit: int) -> list[StoredEvent]:
        """The oldest events that were neither delivered nor refused."""
        query = select(outbox).where(outbox.c.refused_at.is_(None)).order_by(outbox.c.id).limit(limit)
        async with self.database.reading() as conn:
            return [_stored(row) for row in await conn.execute(query)]

    async def forget(self, ids: Sequence[int]) -> None:
        """Removes delivered events."""
        async with self.database.writing() as tx:
            await tx.conn.execute(delete(outbox).where(outbox.c.id.in_(ids)))

    async def set_aside(self, event_id: int, refusal: str) -> None:
        """Keeps an event that the relay refused, with the reason, out of the way of the others."""
        async with self.database.writing() as tx:
            row = update(outbox).where(outbox.c.id == event_id)
            await tx.conn.execute(row.values(refused_at=tx.now, refusal=refusal))

    async def refused(self) -> list[RefusedEvent]:
        """What was set aside, the oldest first."""
        size = func.length(cast(outbox.c.payload, LargeBinary)).label("size")
        query = select(outbox, size).where(outbox.c.refused_at.is_not(None)).order_by(outbox.c.id)
        async with self.database.reading() as conn:
            return [_refused(row) for row in await conn.execute(query)]

    async def retry(self, ids: Sequence[int] | None = None) -> list[int]:
        """Lets what was set aside wait for delivery again, all of it or these; returns the numbers of those it found."""
        is_aside = outbox.c.refused_at.is_not(None)
        chosen = is_aside if ids is None else is_aside & outbox.c.id.in_(ids)
        async with self.database.writing() as tx:
            found = list((await tx.conn.execute(select(outbox.c.id).where(chosen).order_by(outbox.c.id))).scalars())
            await tx.conn.execute(update(outbox).where(chosen).values(refused_at=None, refusal=None))
        return found

    async def counts(self) -> tuple[int, int]:
        """(waiting, refused)."""
        query = select(func.count(), func.count(outbox.c.refused_at)).select_from(outbox)
        async with self.database.reading() as conn:
            total, refused = (await conn.execute(query)).one()
        return total - refused, refused


def _refused(row: Row[Any]) -> RefusedEvent:
    return RefusedEvent(row.id, row.channel, row.event, row.size, row.created_at, row.refused_at, row.refusal or "")


def _stored(row: Row[Any]) -> StoredEvent:
    event = Event(row.channel, row.event, orjson.loads(row.payload), row.exclude_socket, EventKind(row.kind))
    return StoredEvent(row.id, event, f"outbox-{row.id}-{row.created_at.isoformat()}")
