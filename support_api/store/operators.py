"""The people who answer: accounts, and who takes tickets now. Their sessions: sessions.py."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update

from support_api.database.engine import Transaction
from support_api.database.tables import operators, operators_online
from support_api.errors import UnknownOperator
from support_api.models.assignment import Candidate, Taker
from support_api.models.ids import MAX_ID
from support_api.models.operators import Credentials, Operator, Presence
from support_api.store.groups import groups_of_all
from support_api.store.rows import HELD, candidate_of, operator_of, presence_of

_is_enabled = operators.c.disabled_at.is_(None)
_with_presence = operators_online.join(operators, operators.c.id == operators_online.c.user_id)
_is_theirs = operators_online.c.user_id == bindparam("operator_id")

_EVERYBODY: Final = select(operators, operators_online).select_from(_with_presence).order_by(operators.c.id)
_PRESENCE: Final = select(operators_online).where(_is_theirs)
_SET_PRESENCE: Final = update(operators_online).where(_is_theirs)
_CANDIDATES: Final = select(operators_online, HELD.label("held")).select_from(_with_presence).where(_is_enabled)
_TAKER: Final = (
    select(operators.c.name, HELD.label("held"), operators_online.c.max_tickets)
    .select_from(_with_presence)
    .where(_is_theirs & _is_enabled)
)
_NAME: Final = select(operators.c.name).where(operators.c.id == bindparam("operator_id"))
_RECOUNT: Final = (
    update(operators_online)
    .where(operators_online.c.user_id.in_(bindparam("operator_ids", expanding=True)))
    .values(active_tickets=HELD)
)


def insert_operator(tx: Transaction, name: str, email: str, password_hash: str, max_tickets: int) -> Operator:
    """Store an account, which is offline. Raises `IntegrityError` for an e-mail that another has."""
    account = {"name": name, "email": email, "password_hash": password_hash, "created_at": tx.now}
    operator_id = tx.conn.execute(insert(operators).values(**account).returning(operators.c.id)).scalar_one()
    presence = {"user_id": operator_id, "max_tickets": max_tickets, "last_seen": tx.now}
    tx.conn.execute(insert(operators_online).values(**presence))
    return Operator(operator_id, name, email, is_disabled=False)


def everybody(tx: Transaction) -> list[tuple[Operator, Presence]]:
    """List all operators with their presence, in the order of their numbers."""
    return [(operator_of(row), presence_of(row)) for row in tx.conn.execute(_EVERYBODY)]


def by_email(tx: Transaction, email: str) -> Operator:
    """Read the operator with this e-mail. Raises `UnknownOperator`."""
    row = tx.conn.execute(select(operators).where(operators.c.email == email)).one_or_none()
    if row is None:
        raise UnknownOperator(email)
    return operator_of(row)


def find_credentials(tx: Transaction, email: str) -> Credentials | None:
    """Find what a log-in with this e-mail is checked against; None when nobody may log in with it."""
    row = tx.conn.execute(select(operators).where((operators.c.email == email) & _is_enabled)).one_or_none()
    return None if row is None else Credentials(operator_of(row), row.password_hash)


def has_password(tx: Transaction, operator_id: int, password_hash: str) -> bool:
    """Say whether this is the hash of an operator whose account is not disabled."""
    theirs = (operators.c.id == operator_id) & (operators.c.password_hash == password_hash)
    return tx.conn.execute(select(operators.c.id).where(theirs & _is_enabled)).first() is not None


def set_password(tx: Transaction, operator_id: int, password_hash: str) -> None:
    """Store a new hash."""
    _set_account(tx, operator_id, {"password_hash": password_hash})


def set_disabled(tx: Transaction, operator_id: int, *, is_disabled: bool) -> None:
    """Store whether the account may be used."""
    _set_account(tx, operator_id, {"disabled_at": tx.now if is_disabled else None})


def read_presence(tx: Transaction, operator_id: int) -> Presence:
    """Read one operator's presence; the operator must exist."""
    return presence_of(tx.conn.execute(_PRESENCE, {"operator_id": operator_id}).one())


def set_presence(tx: Transaction, operator_id: int, changes: dict[str, Any]) -> None:
    """Change columns of support_operators_online."""
    tx.conn.execute(_SET_PRESENCE, {"operator_id": operator_id, **changes})


def candidates(tx: Transaction) -> list[Candidate]:
    """List all operators whose accounts are not disabled, as the assignment sees them."""
    groups = groups_of_all(tx)
    return [candidate_of(row, groups.get(row.user_id, frozenset())) for row in tx.conn.execute(_CANDIDATES)]


def find_taker(tx: Transaction, operator_id: int) -> Taker | None:
    """Find an operator with name and load; None when there is none, or the account is disabled."""
    if operator_id > MAX_ID:  # more than the column holds
        return None
    row = tx.conn.execute(_TAKER, {"operator_id": operator_id}).one_or_none()
    return None if row is None else Taker(operator_id, row.name, row.held, row.max_tickets)


def read_name(tx: Transaction, operator_id: int) -> str:
    """Read an operator's name; the operator must exist."""
    return str(tx.conn.execute(_NAME, {"operator_id": operator_id}).scalar_one())


def recount(tx: Transaction, operator_ids: Iterable[int | None]) -> None:
    """Count the active tickets of these operators anew."""
    known = {one for one in operator_ids if one is not None}
    if known:
        tx.conn.execute(_RECOUNT, {"operator_ids": sorted(known)})


def _set_account(tx: Transaction, operator_id: int, changes: dict[str, Any]) -> None:
    tx.conn.execute(update(operators).where(operators.c.id == operator_id).values(**changes))
