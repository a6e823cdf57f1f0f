"""Writes schema.sql from the tables, with a comment at each table and column. Knows no database connection."""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from support_api.database.tables import SCHEMA_VERSION, metadata

_HEAD = f"""\
-- The tables of the support desk, in the dialect of SQLite.
-- Generated from support_api/database/tables.py by `python -m support_api schema`; change them there.
-- All times are UTC, as RFC 3339 text with milliseconds.

PRAGMA user_version = {SCHEMA_VERSION};
"""


def schema_sql() -> str:
    """The whole file."""
    return "\n".join([_HEAD, *(_table_sql(table) for table in metadata.sorted_tables)])


def _table_sql(table: Table) -> str:
    created = str(CreateTable(table).compile(dialect=sqlite.dialect())).strip().splitlines()
    # The first line opens the table, then each column has a line of its own in the order of the table.
    columns = table.columns.values()
    lines = [f"-- {table.comment}", created[0]]
    for column, line in zip(columns, created[1:], strict=False):
        lines += [f"    -- {column.comment}", f"    {line.strip()}"]
    lines += [line.replace("\t", "    ").rstrip() for line in created[1 + len(columns) :]]
    lines[-1] += ";"
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    lines += [f"{CreateIndex(index).compile(dialect=sqlite.dialect())};" for index in indexes]
    return "\n".join(lines) + "\n"
