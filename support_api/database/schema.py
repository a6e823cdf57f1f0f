"""Writes the tables as SQL, with a comment at each table and column: schema.sql. Knows no database connection."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Dialect, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from support_api.database.migrations import REVISIONS, head
from support_api.database.search import COMMENT, DDL
from support_api.database.tables import ALEMBIC, metadata

_SQLITE_HEAD: Final = f"""\
-- The tables of the support desk, in the dialect of SQLite.
-- Generated from support_api/database/tables.py by `python -m support_api schema`; change them there.
-- All times are UTC, as RFC 3339 text with milliseconds.

PRAGMA user_version = {ALEMBIC};
"""

_POSTGRES_HEAD: Final = """\
-- The tables of the support desk, in the dialect of PostgreSQL.
-- Generated from support_api/database/tables.py by `python -m support_api schema --dialect postgresql`; change them there.
"""

_REVISION_HEAD: Final = "-- Alembic's own: of which revision (support_api/database/migrations) the tables are\n"

DIALECTS: Final[Mapping[str, tuple[Dialect, str]]] = {
    "sqlite": (sqlite.dialect(), _SQLITE_HEAD),
    "postgresql": (postgresql.dialect(), _POSTGRES_HEAD),  # type: ignore[no-untyped-call] # SQLAlchemy's own
}


def schema_sql(name: str = "sqlite") -> str:
    """The whole file, in one of `DIALECTS`."""
    dialect, head_ = DIALECTS[name]
    tables = [_table_sql(table, dialect) for table in metadata.sorted_tables]
    words = COMMENT + "".join(f"{statement};\n" for statement in DDL[name])
    return "\n".join([head_, *tables, words, _REVISION_HEAD + _revision_sql(dialect)])


def _table_sql(table: Table, dialect: Dialect) -> str:
    created = str(CreateTable(table).compile(dialect=dialect)).strip().splitlines()
    # The first line opens the table, then each column has a line of its own in the order of the table.
    columns = table.columns.values()
    lines = [f"-- {table.comment}", created[0]]
    for column, line in zip(columns, created[1:], strict=False):
        lines += [f"    -- {column.comment}", f"    {line.strip()}"]
    lines += [line.replace("\t", "    ").rstrip() for line in created[1 + len(columns) :]]
    lines[-1] += ";"
    lines += [f"{table.info[dialect.name]};"] if dialect.name in table.info else []
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    lines += [f"{CreateIndex(index).compile(dialect=dialect)};" for index in indexes]
    return "\n".join(lines) + "\n"


def _revision_sql(dialect: Dialect) -> str:
    table = str(CreateTable(REVISIONS).compile(dialect=dialect)).strip().replace("\t", "    ").replace(" \n", "\n")
    row = insert(REVISIONS).values(version_num=head()).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return f"{table};\n{row};\n"
