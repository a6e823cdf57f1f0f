"""The SQL of tickets, as far as no use case shows it."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql

from support_api.database.engine import Transaction
from support_api.store import tickets
from tests.support_api.helpers import START

POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy annotates no dialect


class Executed(Exception):
    """A statement was to be executed."""


class Looking:
    """A connection that shows what it is given, as PostgreSQL would get it."""

    def execute(self, statement: Any, _values: Mapping[str, object]) -> None:
        raise Executed(str(statement.compile(dialect=POSTGRESQL)))


@pytest.mark.parametrize("lock", [True, False])
@pytest.mark.parametrize("read", [tickets.read_ticket, tickets.read_summary])
def test_who_is_about_to_change_a_ticket_holds_its_row_alone_where_there_are_several_writers(
    read: Any, lock: bool
) -> None:
    """Without it a message could enter a ticket that is being closed."""
    tx = Transaction(cast(Connection, Looking()), START)
    with pytest.raises(Executed) as caught:
        read(tx, 1, lock=lock)
    assert str(caught.value).endswith(" FOR UPDATE OF support_tickets") == lock
