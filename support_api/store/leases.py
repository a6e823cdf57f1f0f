"""The rows of the leases: which process does what only one may do. Knows not what that is."""

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from support_api.database.engine import Transaction
from support_api.database.tables import leases


def holder_of(tx: Transaction, name: str) -> str | None:
    """Who holds it, or held it last; None: nobody ever did, or they gave it back."""
    return tx.conn.execute(select(leases.c.holder).where(leases.c.name == name)).scalar_one_or_none()


def take(tx: Transaction, name: str, holder: str, seconds: float, gone: str | None = None) -> bool:
    """Take or renew a lease; False: somebody else has it. `gone`: a holder who is known to have ended."""
    now = _now(tx)
    is_free = (leases.c.holder.in_([holder, *([] if gone is None else [gone])])) | (leases.c.expires_at < now)
    values = {"holder": holder, "expires_at": now + timedelta(seconds=seconds)}
    taken = update(leases).where((leases.c.name == name) & is_free).values(**values).returning(leases.c.name)
    if tx.conn.execute(taken).first() is not None:
        return True
    insert = postgres_insert if tx.conn.dialect.name == "postgresql" else sqlite_insert
    first = insert(leases).values(name=name, **values).on_conflict_do_nothing().returning(leases.c.name)
    return tx.conn.execute(first).first() is not None


def give_back(tx: Transaction, name: str, holder: str) -> None:
    """Let the next one take it at once."""
    tx.conn.execute(leases.delete().where((leases.c.name == name) & (leases.c.holder == holder)))


def _now(tx: Transaction) -> datetime:
    """One clock for all processes: where they may run on several machines, the server's."""
    if tx.conn.dialect.name != "postgresql":
        return tx.now
    return cast(datetime, tx.conn.execute(select(func.clock_timestamp())).scalar_one())
