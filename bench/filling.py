"""Fills a desk's database by bulk SQL, as if it had been used for years. Knows the tables, not what the desk does with them.

Tickets are marked by their visitors, so that a database that was filled already is left as it is.
"""

import asyncio
from pathlib import Path
from string import Template
from typing import Final

from msgspec import Struct
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

# Of all tickets: so many are somebody's, so many wait, and the rest is closed. The first one is a long conversation.
ACTIVE: Final = 60
WAITING: Final = 300
LONG: Final = 2_000

_SQL: Final = Path(__file__).with_name("filling.sql")
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

# Minutes after a first day.
_MOMENT: Final = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', '2025-01-01', '+' || ({0}) || ' minutes')",
    "postgresql": "timestamptz '2025-01-01' + ({0}) * interval '1 minute'",
}
_TIDY: Final = {"sqlite": "PRAGMA wal_checkpoint(TRUNCATE)", "postgresql": "VACUUM ANALYZE"}


class Filled(Struct, frozen=True):
    """What a database holds now: how many tickets and messages, and the number of the long conversation."""

    tickets: int
    messages: int
    long_ticket: int


def fill(database_url: str, operator_id: int, tickets: int, messages: int) -> Filled:
    """Make so many tickets with so many messages, but the long conversation, in a database of the desk; only once."""
    return asyncio.run(_fill(database_url, operator_id, tickets, messages))


async def _fill(database_url: str, operator_id: int, tickets: int, messages: int) -> Filled:
    url = make_url(database_url)
    name = url.get_backend_name()
    engine = create_async_engine(url.set(drivername=_DRIVERS[name]))
    try:
        async with engine.begin() as conn:
            if not await _first(conn, "SELECT count(*) FROM support_tickets WHERE visitor_id LIKE 'growth-%'"):
                for statement in _statements(name, operator_id, tickets, max(1, messages // tickets)):
                    await conn.exec_driver_sql(statement)
        async with engine.connect() as conn:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            await conn.exec_driver_sql(_TIDY[name])
            return Filled(
                await _first(conn, "SELECT count(*) FROM support_tickets"),
                await _first(conn, "SELECT count(*) FROM support_messages"),
                await _first(conn, "SELECT min(id) FROM support_tickets WHERE visitor_id LIKE 'growth-%'"),
            )
    finally:
        await engine.dispose()


async def _first(conn: AsyncConnection, query: str) -> int:
    return int((await conn.exec_driver_sql(query)).scalar_one())


def _statements(name: str, operator_id: int, tickets: int, each: int) -> list[str]:
    text = Template(_SQL.read_text("utf-8")).substitute(
        tickets=tickets,
        active=ACTIVE,
        open=ACTIVE + WAITING,
        operator=operator_id,
        each=each,
        long=max(LONG, each),
        moment_of_ticket=_MOMENT[name].format("i"),
        moment_of_message=_MOMENT[name].format("t.id * 10 + i"),
    )
    return [statement for statement in text.split(";\n") if statement.strip()]
