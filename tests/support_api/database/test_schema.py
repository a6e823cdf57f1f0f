"""schema.sql and the tables of the code."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import create_engine

from support_api.database.schema import schema_sql
from support_api.database.tables import SCHEMA_VERSION, metadata

SCHEMA_FILE = Path(__file__).parent.parent.parent.parent / "schema.sql"


def test_the_file_at_the_root_is_what_the_code_generates() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_sql(), "run: python -m support_api schema > schema.sql"


def test_the_file_makes_the_same_database_as_the_code(tmp_path: Path) -> None:
    by_file = sqlite3.connect(tmp_path / "file.sqlite3")
    by_file.executescript(SCHEMA_FILE.read_text("utf-8"))
    engine = create_engine(f"sqlite:///{tmp_path}/code.sqlite3")
    metadata.create_all(engine)
    engine.dispose()
    by_code = sqlite3.connect(tmp_path / "code.sqlite3")
    try:
        assert shape_of(by_file) == shape_of(by_code)
        assert by_file.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    finally:
        by_file.close()
        by_code.close()


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
