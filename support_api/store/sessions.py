"""Where operators are logged in. Sessions are named by the hash of their secret."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, bindparam, delete, insert, select

from support_api.database.engine import Transaction
from support_api.database.tables import operator_sessions, operators
from support_api.models.operators import Identity, Operator
from support_api.store.rows import operator_of

_hash = operator_sessions.c.token_hash
_operator_id = operator_sessions.c.user_id
_expires_at = operator_sessions.c.expires_at

_OPERATOR: Final = (
    select(operators)
    .select_from(operators.join(operator_sessions, _operator_id == operators.c.id))
    .where((_hash == bindparam("token_hash")) & (_expires_at > bindparam("now")) & operators.c.disabled_at.is_(None))
)


def insert_session(tx: Transaction, operator_id: int, token_hash: str, expires_at: datetime) -> None:
    """Store that an operator is logged in."""
    session = {"token_hash": token_hash, "user_id": operator_id, "expires_at": expires_at, "created_at": tx.now}
    tx.conn.execute(insert(operator_sessions).values(**session))


def find_operator(tx: Transaction, token_hash: str) -> Operator | None:
    """Find who is logged in with a session; None when it is over or the account is disabled."""
    row = tx.conn.execute(_OPERATOR, {"token_hash": token_hash, "now": tx.now}).one_or_none()
    return None if row is None else operator_of(row)


def look_up(tx: Transaction, identity: Identity) -> Identity:
    """Say who somebody is whose session was not looked up yet; in the transaction that acts for them, as it may just have
    ended, and because a transaction of its own costs as much as storing a message (bench/, scenario "desk")."""
    if identity.session is None:
        return identity
    return Identity(identity.visitor_id, find_operator(tx, identity.session))


def is_logged_in(tx: Transaction, operator_id: int) -> bool:
    """Say whether any session of an operator goes on."""
    return _is_any(tx, (_operator_id == operator_id) & (_expires_at > tx.now))


def is_any_expired(tx: Transaction) -> bool:
    """Say whether `end_expired` would find any."""
    return _is_any(tx, _expires_at <= tx.now)


def end(tx: Transaction, token_hash: str) -> list[int]:
    """Remove one session. Returns whose it was, if it was there."""
    return _end(tx, _hash == token_hash)


def end_of(tx: Transaction, operator_id: int) -> list[int]:
    """Remove all sessions of an operator. Returns that operator, if they had any."""
    return _end(tx, _operator_id == operator_id)


def end_expired(tx: Transaction) -> list[int]:
    """Remove the sessions that are over. Returns whose they were, in the order of their numbers."""
    return _end(tx, _expires_at <= tx.now)


def _is_any(tx: Transaction, which: ColumnElement[bool]) -> bool:
    return tx.conn.execute(select(_hash).where(which).limit(1)).first() is not None


def _end(tx: Transaction, which: ColumnElement[bool]) -> list[int]:
    ended = delete(operator_sessions).where(which).returning(_operator_id)
    return sorted(set(tx.conn.execute(ended).scalars()))
