"""schema.sql and the tables of the code."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from support_api.database.migrations import prepare
from support_api.database.postgres import PostgresDatabase
from support_api.database.schema import schema_sql
from support_api.database.search import is_compared
from support_api.database.tables import metadata
from tests.helpers.postgres import PostgresServer

SCHEMA_FILE = Path(__file__).parent.parent.parent.parent / "schema.sql"


def test_the_file_at_the_root_is_what_the_code_generates() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_sql(), "run: python -m support_api schema > schema.sql"


def test_the_file_makes_the_same_database_as_the_code(tmp_path: Path) -> None:
    by_file = sqlite3.connect(tmp_path / "file.sqlite3")
    by_file.executescript(SCHEMA_FILE.read_text("utf-8"))
    engine = create_engine(f"sqlite:///{tmp_path}/code.sqlite3")
    with engine.begin() as conn:
        prepare(conn)
    engine.dispose()
    by_code = sqlite3.connect(tmp_path / "code.sqlite3")
    try:
        assert shape_of(by_file) == shape_of(by_code)
        for what in ("PRAGMA user_version", "SELECT version_num FROM alembic_version"):
            assert by_file.execute(what).fetchone() == by_code.execute(what).fetchone()
    finally:
        by_file.close()
        by_code.close()


def test_what_is_printed_for_postgresql_makes_a_database_that_the_desk_takes(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    postgres_server.ask(urlsplit(postgres_url).path[1:], schema_sql("postgresql"))
    database = PostgresDatabase(postgres_url)

    async def differences() -> list[Any]:
        await database.open()
        try:
            return await database.reading(
                lambda tx: compare_metadata(
                    MigrationContext.configure(tx.conn, opts={"include_name": is_compared}), metadata
                )
            )
        finally:
            await database.close()

    # The comments stand in the file for whoever reads it.
    assert [one for one in asyncio.run(differences()) if "comment" not in str(one[0])] == []


def test_every_table_and_column_says_what_it_is_for() -> None:
    for table in metadata.sorted_tables:
        assert table.comment
        assert all(column.comment for column in table.columns), table.name


def shape_of(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Columns, foreign keys and indexes of each table."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    shape: dict[str, list[tuple[object, ...]]] = {}
    for name in names:
        shape[f"{name} columns"] = connection.execute(f"PRAGMA table_info('{name}')").fetchall()
        # The first value is only the order of making.
        references = [row[1:] for row in connection.execute(f"PRAGMA foreign_key_list('{name}')")]
        shape[f"{name} references"] = sorted(references)
        indexes = [row[1:] for row in connection.execute(f"PRAGMA index_list('{name}')")]
        shape[f"{name} indexes"] = sorted(indexes)
    return shape
