"""Opening a database and its transactions."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from support_api.database.legacy import Database, DatabaseUnusable
from support_api.database.tables import outbox
from support_api.errors import StoreUnavailable
from support_api.models.outbox import Event
from tests.support_api.helpers import START, SteadyClock

EVENT = Event("private-ticket-1", "message:new", {"a": "ж"})


@pytest.fixture
async def database(database_url: str, clock: SteadyClock) -> Database:
    return Database(database_url, clock=clock, busy_timeout=0.05)


async def test_the_folder_and_the_file_are_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a/b/desk.sqlite3")
    await database.open()
    await database.close()
    assert (tmp_path / "a" / "b" / "desk.sqlite3").is_file()


async def test_a_database_is_opened_again_with_what_it_holds(database_url: str, clock: SteadyClock) -> None:
    for expected in (0, 1):
        database = Database(database_url, clock=clock)
        await database.open()
        async with database.writing() as tx:
            assert len((await tx.conn.execute(select(outbox))).all()) == expected
            await tx.announce([EVENT])
        await database.close()


@pytest.mark.parametrize("url", ["postgresql://a/b", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_a_url_that_is_no_sqlite_file_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="expected sqlite"):
        Database(url)


async def _refusal(path: Path) -> str:
    database = Database(f"sqlite:///{path}", busy_timeout=0.05)
    with pytest.raises(DatabaseUnusable) as caught:
        await database.open()
    await database.close()
    said = str(caught.value)
    assert "\n" not in said
    return said


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("I am a text, and long enough to be looked at as a database's first page." * 20)
    assert "is not an SQLite database" in await _refusal(tmp_path / "text")


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert "cannot be opened" in await _refusal(tmp_path)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "its folder cannot be made" in await _refusal(tmp_path / "file" / "folder" / "desk.sqlite3")


async def test_a_database_that_another_process_locks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite3"
    first = Database(f"sqlite:///{path}")
    await first.open()
    await first.close()
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        assert "holds it locked" in await _refusal(path)
    finally:
        holder.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [("attempt to write a readonly database", "the file may not be written."), ("disk I/O error", "disk I/O error.")],
)
async def test_what_the_driver_says_becomes_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    async def fail(_self: Database, _conn: object) -> None:
        raise OperationalError("PRAGMA", None, sqlite3.OperationalError(said))

    monkeypatch.setattr(Database, "_prepare", fail)
    assert (await _refusal(tmp_path / "desk.sqlite3")).endswith(f"cannot be used: {reason}")


async def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite3"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    assert "version 99" in await _refusal(path)


async def test_the_connections_are_safe_and_do_not_block_readers(database: Database) -> None:
    await database.open()
    async with database.reading() as conn:
        for pragma, expected in {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "query_only": 1}.items():
            assert (await conn.execute(text(f"PRAGMA {pragma}"))).scalar_one() == expected
    await database.close()


async def test_an_exception_undoes_the_whole_transaction_and_is_no_news(database: Database) -> None:
    await database.open()

    async def fail() -> None:
        async with database.writing() as tx:
            await tx.announce([EVENT])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.reading() as conn:
        assert (await conn.execute(select(outbox))).all() == []
    assert not database.news.is_set()
    await database.close()


async def test_news_come_only_with_events(database: Database) -> None:
    await database.open()
    async with database.writing() as tx:
        await tx.announce([])
    assert not database.news.is_set()
    async with database.writing() as tx:
        await tx.announce([EVENT])
    assert database.news.is_set()
    await database.close()


async def test_a_write_that_cannot_begin_in_time_says_so(database: Database) -> None:
    await database.open()
    holder = sqlite3.connect(database.where, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            async with database.writing():
                pass
    finally:
        holder.close()
    async with database.writing() as tx:
        await tx.announce([EVENT])
    await database.close()


async def test_a_query_that_fails_says_that_the_store_is_unavailable(database: Database) -> None:
    await database.open()
    with pytest.raises(StoreUnavailable):
        async with database.reading() as conn:
            await conn.execute(insert(outbox).values(channel="a", event="b", payload="{}", created_at=START))
    await database.ping()
    await database.close()


async def test_a_queue_of_writers_that_is_too_long_says_so(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support_api.database.legacy.POOL_WAIT", 0.01)
    database = Database(database_url)
    await database.open()
    async with database.writing():
        with pytest.raises(StoreUnavailable, match="busy"):
            async with database.writing():
                pass
    for _ in range(2):
        async with database.reading(), database.reading(), database.reading(), database.reading():
            with pytest.raises(StoreUnavailable, match="busy"):
                await database.ping()
    await database.close()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("database is locked", "The desk is busy; nothing was stored, try again."),
        ("database or disk is full", "The server cannot store anything at the moment; try again later."),
        ("disk I/O error", "The server cannot store anything at the moment; try again later."),
    ],
)
async def test_who_is_refused_hears_whether_the_database_is_busy_or_cannot_store(
    database: Database, said: str, shown: str
) -> None:
    await database.open()
    with pytest.raises(StoreUnavailable) as caught:
        async with database.writing():
            raise OperationalError("INSERT", None, sqlite3.OperationalError(said))
    assert str(caught.value) == shown
    await database.close()


async def test_many_writers_at_once_all_get_their_turn(database: Database) -> None:
    await database.open()

    async def write() -> None:
        async with database.writing() as tx:
            before = len((await tx.conn.execute(select(outbox))).all())
            await tx.announce([Event("c", "e", {"before": before})])

    await asyncio.gather(*(write() for _ in range(20)))
    async with database.reading() as conn:
        rows = (await conn.execute(select(outbox.c.payload).order_by(outbox.c.id))).scalars().all()
    assert rows == [f'{{"before":{number}}}' for number in range(20)]
    await database.close()
