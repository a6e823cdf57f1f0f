"""The rows of the outbox: which events wait for delivery, which were refused. Knows nothing of the relay."""

from collections.abc import Sequence
from typing import Final

import orjson
from sqlalchemy import bindparam, delete, func, select, update

from support_api.database.engine import Transaction
from support_api.database.tables import outbox
from support_api.models.outbox import Event, EventKind, RefusedEvent, StoredEvent
from support_api.store.rows import AnyRow

# A list of numbers has one of these lengths, by a last one that is repeated: a statement of each length is prepared anew.
_LENGTHS: Final = (4, 16, 64, 256)

_PENDING: Final = (
    select(outbox)
    .where(outbox.c.refused_at.is_(None) & outbox.c.id.not_in(bindparam("but_not", expanding=True)))
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
)
_FORGET: Final = delete(outbox).where(outbox.c.id.in_(bindparam("ids", expanding=True)))


def pending(tx: Transaction, limit: int, but_not: Sequence[int] = ()) -> list[StoredEvent]:
    """List the oldest events that were neither delivered nor refused, without those of these numbers."""
    return [_stored(row) for row in tx.conn.execute(_PENDING, {"but_not": _padded(but_not), "most": limit})]


def forget(tx: Transaction, ids: Sequence[int]) -> None:
    """Remove delivered events."""
    tx.conn.execute(_FORGET, {"ids": _padded(ids)})


def set_aside(tx: Transaction, event_id: int, refusal: str) -> None:
    """Keep an event out of the way of the others, with the reason."""
    tx.conn.execute(update(outbox).where(outbox.c.id == event_id).values(refused_at=tx.now, refusal=refusal))


def refused(tx: Transaction) -> list[RefusedEvent]:
    """List what was set aside, the oldest first."""
    query = select(outbox).where(outbox.c.refused_at.is_not(None)).order_by(outbox.c.id)
    return [_refused(row) for row in tx.conn.execute(query)]


def bring_back(tx: Transaction, ids: Sequence[int] | None) -> list[int]:
    """Let what was set aside wait for delivery again, these or (None) all of it. Returns the numbers of those it found."""
    is_aside = outbox.c.refused_at.is_not(None)
    chosen = is_aside if ids is None else is_aside & outbox.c.id.in_(ids)
    found = list(tx.conn.execute(select(outbox.c.id).where(chosen).order_by(outbox.c.id)).scalars())
    tx.conn.execute(update(outbox).where(chosen).values(refused_at=None, refusal=None))
    return found


def counts(tx: Transaction) -> tuple[int, int]:
    """Count (waiting, refused)."""
    query = select(func.count(), func.count(outbox.c.refused_at)).select_from(outbox)
    total, aside = tx.conn.execute(query).one()
    return total - aside, aside


def _padded(ids: Sequence[int]) -> list[int]:
    known = list(ids) or [0]  # the number of no row
    length = next((one for one in _LENGTHS if one >= len(known)), len(known))
    return known + known[-1:] * (length - len(known))


def _refused(row: AnyRow) -> RefusedEvent:
    return RefusedEvent(
        row.id, row.channel, row.event, len(row.payload.encode()), row.created_at, row.refused_at, row.refusal or ""
    )


def _stored(row: AnyRow) -> StoredEvent:
    event = Event(row.channel, row.event, orjson.loads(row.payload), row.exclude_socket, EventKind(row.kind))
    return StoredEvent(row.id, event, f"outbox-{row.id}-{row.created_at.isoformat()}")
