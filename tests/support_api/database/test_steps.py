"""Files of earlier versions."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support_api.database.sqlite import SqliteDatabase
from support_api.database.steps import STEPS
from support_api.database.tables import SCHEMA_VERSION
from support_api.models.outbox import EventKind
from support_api.store.outbox import pending
from tests.support_api.database.test_schema import shape_of

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


async def opened(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(f"sqlite:///{path}")
    await database.open()
    return database


@pytest.mark.parametrize("version", STEPS)
async def test_a_file_of_an_earlier_version_becomes_the_same_as_a_new_one(tmp_path: Path, version: int) -> None:
    old = old_file(tmp_path / "old.sqlite3", version)
    for path in (old, tmp_path / "new.sqlite3"):
        await (await opened(path)).close()
    with closing(sqlite3.connect(old)) as by_steps, closing(sqlite3.connect(tmp_path / "new.sqlite3")) as by_code:
        assert by_steps.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert shape_of(by_steps) == shape_of(by_code)


@pytest.mark.parametrize("version", STEPS)
async def test_what_an_earlier_version_held_is_kept_and_its_events_are_events(tmp_path: Path, version: int) -> None:
    path = old_file(tmp_path / "old.sqlite3", version)
    database = await opened(path)
    (stored,) = await database.reading(lambda tx: pending(tx, 10))
    await database.close()
    assert (stored.event.name, stored.event.kind) == ("a", EventKind.EVENT)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT content, code, params FROM support_messages").fetchall() == [
            ("Hello", None, None)
        ]
        with pytest.raises(sqlite3.IntegrityError, match="kind"):
            connection.execute("UPDATE support_outbox SET kind = 'other'")


async def test_two_processes_that_open_an_old_file_at_once_bring_it_up_to_date_once(tmp_path: Path) -> None:
    path = old_file(tmp_path / "old.sqlite3", 1)
    for database in await asyncio.gather(*(opened(path) for _ in range(4))):
        await database.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("SELECT count(*) FROM support_messages").fetchone() == (1,)


def test_there_is_a_step_from_each_version_and_a_file_to_try_it_with() -> None:
    assert sorted(STEPS) == list(range(1, SCHEMA_VERSION))
    assert all((DATA / f"schema_{version}.sql").is_file() for version in STEPS)
