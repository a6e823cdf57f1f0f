"""Groups of operators."""

from collections import defaultdict
from typing import Final

from sqlalchemy import delete, insert, select, update

from support_api.database.engine import Transaction
from support_api.database.tables import group_members, groups, tickets
from support_api.models.groups import Group, Staff
from support_api.models.ids import MAX_ID
from support_api.store.rows import AnyRow

_ALL: Final = select(groups).order_by(groups.c.name, groups.c.id)
_MEMBERS: Final = select(group_members).order_by(group_members.c.operator_id)


def insert_group(tx: Transaction, name: str) -> Group:
    """Store a group without members. Raises `IntegrityError` for a name that another has."""
    made = insert(groups).values(name=name, created_at=tx.now).returning(groups.c.id)
    return Group(tx.conn.execute(made).scalar_one(), name)


def find_group(tx: Transaction, group_id: int) -> Group | None:
    """Find a group by its number."""
    return None if group_id > MAX_ID else _found(tx.conn.execute(_ALL.where(groups.c.id == group_id)).one_or_none())


def find_named(tx: Transaction, name: str) -> Group | None:
    """Find a group by its name."""
    return _found(tx.conn.execute(_ALL.where(groups.c.name == name)).one_or_none())


def everyone(tx: Transaction) -> list[Staff]:
    """List all groups by name, with their members."""
    members = defaultdict(list)
    for row in tx.conn.execute(_MEMBERS):
        members[row.group_id].append(row.operator_id)
    return [Staff(Group(row.id, row.name), members[row.id]) for row in tx.conn.execute(_ALL)]


def groups_of_all(tx: Transaction) -> dict[int, frozenset[int]]:
    """Read, by operator, which groups they are in; who is in none is not there."""
    found = defaultdict(set)
    for row in tx.conn.execute(_MEMBERS):
        found[row.operator_id].add(row.group_id)
    return {operator_id: frozenset(theirs) for operator_id, theirs in found.items()}


def rename(tx: Transaction, group_id: int, name: str) -> None:
    """Give a group another name. Raises `IntegrityError` for one that another has."""
    tx.conn.execute(update(groups).where(groups.c.id == group_id).values(name=name))


def remove_group(tx: Transaction, group_id: int) -> None:
    """Remove a group; its tickets are for everybody from now on."""
    tx.conn.execute(update(tickets).where(tickets.c.group_id == group_id).values(group_id=None))
    tx.conn.execute(delete(groups).where(groups.c.id == group_id))


def add_member(tx: Transaction, group_id: int, operator_id: int) -> None:
    """Put an operator into a group; they may be in it."""
    remove_member(tx, group_id, operator_id)
    tx.conn.execute(insert(group_members).values(group_id=group_id, operator_id=operator_id))


def remove_member(tx: Transaction, group_id: int, operator_id: int) -> None:
    """Take an operator out of a group; they may not be in it."""
    is_this = (group_members.c.group_id == group_id) & (group_members.c.operator_id == operator_id)
    tx.conn.execute(delete(group_members).where(is_this))


def _found(row: AnyRow | None) -> Group | None:
    return None if row is None else Group(row.id, row.name)
