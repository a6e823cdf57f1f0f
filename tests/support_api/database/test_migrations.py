"""How the tables of a database come to today's, over each database."""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from support_api.database import migrations
from support_api.database.engine import Database, DatabaseUnusable, Migrated, Transaction
from support_api.database.migrations import FOLDER, head, known
from support_api.database.search import is_compared
from support_api.database.sqlite import SqliteDatabase
from support_api.database.tables import metadata
from support_api.database.urls import database_of
from tests.support_api.database.test_schema import shape_of


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two databases without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/one.sqlite3", f"sqlite:///{tmp_path}/two.sqlite3"
        return
    server = request.getfixturevalue("postgres_server")
    names = [server.new_database("template0") for _ in range(2)]
    yield server.url(names[0]), server.url(names[1])
    for name in names:
        server.drop(name)


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return ScriptDirectory.from_config(config)


def test_the_revisions_are_one_line_that_the_names_of_their_files_give() -> None:
    in_order = [one.revision for one in reversed(list(scripts().walk_revisions()))]
    assert ["0001", *in_order] == known()
    assert scripts().get_heads() == [head()]
    assert len(set(known())) == len(known())
    for before, after in pairwise(in_order):
        assert int(after) == int(before) + 1
        assert scripts().get_revision(after).down_revision == before


async def from_zero(url: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database whose tables all revisions made, one after the other."""
    database = database_of(url)
    with monkeypatch.context() as patch:
        # What says that there are no tables has them made from tables.py at once.
        patch.setattr(migrations, "prepare", migrations._upgrade)
        await database.migrate()
    await database.open()
    return database


async def test_all_revisions_lead_to_the_tables_of_the_code(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_steps, by_code = await from_zero(urls[0], monkeypatch), database_of(urls[1])
    await by_code.open()
    try:
        assert await by_steps.writing(differences) == []
        shapes = [await one.reading(lambda tx: shape(tx.conn)) for one in (by_steps, by_code)]
        assert shapes[0] == shapes[1]
    finally:
        await by_steps.close()
        await by_code.close()


def differences(tx: Transaction) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(tx.conn, opts={"include_name": is_compared}), metadata))


def shape(conn: Connection) -> dict[str, object]:
    """What Alembic does not compare as well: checks above all."""
    inspector = inspect(conn)
    return {
        table: [
            sorted(_as_text(one) for one in kind(table))
            for kind in (
                inspector.get_columns,
                inspector.get_check_constraints,
                inspector.get_unique_constraints,
                inspector.get_foreign_keys,
                inspector.get_indexes,
            )
        ]
        for table in sorted(inspector.get_table_names())
    }


def _as_text(found: Any) -> str:
    """Whatever SQLAlchemy gives, in one order and by its SQL."""
    if isinstance(found, dict):
        return str({name: _as_text(value) for name, value in sorted(found.items())})
    return re.sub(r"\s+", " ", str(found))


# --- Files from before Alembic --------------------------------------------------------------------------------------

DATA = Path(__file__).parent / "data"
OLD = "2026-01-02T03:04:05.678Z"


def old_file(path: Path, version: int) -> Path:
    """A file as the program of that version made it, with a row in each table that has changed since."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript((DATA / f"schema_{version}.sql").read_text("utf-8"))
        connection.execute(
            "INSERT INTO support_operators (id, name, email, password_hash, created_at) VALUES (1, 'O', 'o@o', '', ?)",
            (OLD,),
        )
        connection.execute(
            "INSERT INTO support_tickets (id, visitor_id, visitor_name, created_at) VALUES (1, 'a', 'Anna', ?)", (OLD,)
        )
        connection.execute(
            "INSERT INTO support_messages (ticket_id, seq, sender_type, sender_id, sender_name, content, created_at)"
            " VALUES (1, 1, 'visitor', 'a', 'Anna', 'Hello', ?)",
            (OLD,),
        )
        connection.execute(
            "INSERT INTO support_outbox (channel, event, payload, created_at) VALUES ('private-ticket-1', 'a', '{}', ?)",
            (OLD,),
        )
    return path


BEFORE_ALEMBIC = (1, 2)


async def migrated(path: Path) -> Migrated:
    return await SqliteDatabase(f"sqlite:///{path}").migrate()


@pytest.mark.parametrize("version", BEFORE_ALEMBIC)
async def test_a_file_of_an_earlier_version_is_opened_only_once_it_was_brought_up_to_date(
    tmp_path: Path, version: int
) -> None:
    path = old_file(tmp_path / "old.sqlite3", version)
    before = path.read_bytes()
    database = SqliteDatabase(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnusable, match=r"end all desks that use it, then run: pushdesk-desk migrate$"):
        await database.open()
    await database.close()
    assert path.read_bytes()[100:] == before[100:]
    await migrated(path)
    database = SqliteDatabase(f"sqlite:///{path}")
    await database.open()
    await database.close()


@pytest.mark.parametrize("version", BEFORE_ALEMBIC)
async def test_a_file_of_an_earlier_version_becomes_the_same_as_a_new_one(tmp_path: Path, version: int) -> None:
    old, new = old_file(tmp_path / "old.sqlite3", version), tmp_path / "new.sqlite3"
    assert (await migrated(old)).before == f"{version:04}"
    assert (await migrated(new)).before is None
    with closing(sqlite3.connect(old)) as by_steps, closing(sqlite3.connect(new)) as by_code:
        for what in ("PRAGMA user_version", "SELECT version_num FROM alembic_version"):
            assert by_steps.execute(what).fetchone() == by_code.execute(what).fetchone()
        assert shape_of(by_steps) == shape_of(by_code)


@pytest.mark.parametrize("version", BEFORE_ALEMBIC)
async def test_what_an_earlier_version_held_is_kept_and_a_copy_of_the_file_as_well(
    tmp_path: Path, version: int
) -> None:
    path = old_file(tmp_path / "old.sqlite3", version)
    copy = (await migrated(path)).copy
    assert copy is not None
    with closing(sqlite3.connect(path)) as new, closing(sqlite3.connect(copy)) as old:
        for connection in (new, old):
            assert connection.execute("SELECT content FROM support_messages").fetchall() == [("Hello",)]
        assert new.execute("SELECT kind FROM support_outbox").fetchall() == [("event",)]
        with pytest.raises(sqlite3.IntegrityError, match="kind"):
            new.execute("UPDATE support_outbox SET kind = 'other'")
        assert old.execute("PRAGMA user_version").fetchone() == (version,)


async def test_two_who_migrate_a_file_at_once_do_it_once(tmp_path: Path) -> None:
    path = old_file(tmp_path / "old.sqlite3", 1)
    done = await asyncio.gather(*(migrated(path) for _ in range(4)))
    assert sorted(str(one.before) for one in done) == ["0001", head(), head(), head()]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM support_messages").fetchone() == (1,)


async def test_a_file_with_orphans_is_left_as_it_is(tmp_path: Path) -> None:
    path = old_file(tmp_path / "old.sqlite3", 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE support_messages SET ticket_id = 404")
    with pytest.raises(DatabaseUnusable, match="rows of support_messages are orphans"):
        await migrated(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


async def test_tables_of_a_newer_program_are_left_alone(urls: tuple[str, str]) -> None:
    database = database_of(urls[0])
    await database.open()
    await database.writing(
        lambda tx: tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'").close()
    )
    await database.close()
    for attempt in (database_of(urls[0]).open, database_of(urls[0]).migrate):
        with pytest.raises(DatabaseUnusable, match="a newer one is needed"):
            await attempt()


async def test_older_tables_are_brought_up_to_date_only_when_asked(urls: tuple[str, str]) -> None:
    """A database that stands where the revisions begin."""
    database = database_of(urls[0])
    await database.open()
    await database.writing(
        lambda tx: tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'").close()
    )
    await database.close()
    with pytest.raises(DatabaseUnusable, match="pushdesk-desk migrate"):
        await database_of(urls[0]).open()
