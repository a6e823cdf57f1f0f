"""Groups of operators: who is in which, and which tickets are for one."""

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError

from support_api.database.engine import Transaction
from support_api.errors import GroupTaken, InvalidField, UnknownGroup
from support_api.models.groups import Group, Staff
from support_api.models.tickets import Ticket
from support_api.services.assigner import Assigner
from support_api.services.transactions import Happened, Transactions
from support_api.store import groups, operators


class Groups:
    """The use cases around groups. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions, assigner: Assigner) -> None:
        self._transactions = transactions
        self._assigner = assigner

    async def everyone(self) -> Sequence[Staff]:
        """List all groups by name, with their members."""
        return await self._transactions.reading(groups.everyone)

    async def add(self, name: str) -> Group:
        """Make a group without members. Raises `GroupTaken`."""
        try:
            return await self._transactions.writing(lambda tx, _: groups.insert_group(tx, name))
        except IntegrityError as error:
            raise GroupTaken(name) from error

    async def rename(self, name: str, new_name: str) -> Group:
        """Give a group another name. Raises `UnknownGroup` or `GroupTaken`."""

        def rename(tx: Transaction, _happened: Happened) -> Group:
            group = _named(tx, name)
            groups.rename(tx, group.id, new_name)
            return Group(group.id, new_name)

        try:
            return await self._transactions.writing(rename)
        except IntegrityError as error:
            raise GroupTaken(new_name) from error

    async def remove(self, name: str) -> Group:
        """Remove a group. Its tickets are for everybody from now on, and go to whoever is free. Raises `UnknownGroup`."""

        def remove(tx: Transaction, happened: Happened) -> Group:
            group = _named(tx, name)
            groups.remove_group(tx, group.id)
            self._assigner.fill(tx, happened)
            return group

        return await self._transactions.assigning(remove)

    async def join(self, name: str, email: str) -> Group:
        """Put an operator into a group; they may get what waits for it at once. Raises `UnknownGroup`, `UnknownOperator`."""

        def join(tx: Transaction, happened: Happened) -> Group:
            group = _named(tx, name)
            groups.add_member(tx, group.id, operators.by_email(tx, email).id)
            self._assigner.fill(tx, happened)
            return group

        return await self._transactions.assigning(join)

    async def leave(self, name: str, email: str) -> Group:
        """Take an operator out of a group; they keep the tickets that they have. Raises `UnknownGroup`, `UnknownOperator`."""

        def leave(tx: Transaction, _happened: Happened) -> Group:
            group = _named(tx, name)
            groups.remove_member(tx, group.id, operators.by_email(tx, email).id)
            return group

        return await self._transactions.assigning(leave)


def for_group(tx: Transaction, ticket: Ticket, group_id: int) -> Ticket:
    """Return the ticket as it is for the members of a group; it is left to the caller to store. Raises `InvalidField`."""
    group = groups.find_group(tx, group_id)
    if group is None:
        raise InvalidField("group_id", "the number of a group")
    return replace(ticket, group_id=group.id, group_name=group.name)


def _named(tx: Transaction, name: str) -> Group:
    group = groups.find_named(tx, name)
    if group is None:
        raise UnknownGroup(name)
    return group
