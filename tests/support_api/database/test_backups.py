"""Copies of an SQLite file: one moment, whole, and brought back as a whole."""

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from support_api.database.backups import BackupFailed, back_up, restore, verify
from support_api.database.engine import Transaction
from support_api.database.migrations import head
from support_api.database.sqlite import SqliteDatabase
from support_api.database.tables import leases
from tests.support_api.database.rows import channels, store, storing


@pytest.fixture
def path(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


async def opened(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(f"sqlite:///{path}")
    await database.open()
    return database


def parts_of(folder: Path) -> list[Path]:
    return list(folder.glob("*.part*"))


def nobody(_holder: str) -> bool:
    return False


async def test_a_copy_made_while_messages_are_written_is_one_moment_and_whole(path: Path, tmp_path: Path) -> None:
    database, stop = await opened(path), asyncio.Event()

    def pair(tx: Transaction) -> None:
        store(tx, "a")
        store(tx, "b")

    async def write() -> None:
        while not stop.is_set():
            await database.writing(pair)

    writing = [asyncio.create_task(write()) for _ in range(4)]
    copies = [tmp_path / f"copy-{number}" for number in range(3)]
    for copy in copies:
        assert await asyncio.to_thread(back_up, path, copy) == head()
    stop.set()
    await asyncio.gather(*writing)
    await database.close()
    counts = []
    for copy in copies:
        with closing(sqlite3.connect(copy)) as connection:
            found = dict(connection.execute("SELECT channel, count(*) FROM support_outbox GROUP BY 1"))
        assert found.get("a", 0) == found.get("b", 0)
        counts.append(found.get("a", 0))
    assert counts == sorted(counts)
    assert parts_of(tmp_path) == []


async def test_what_was_answered_before_the_copy_is_in_it_and_only_its_owner_reads_it(
    path: Path, tmp_path: Path
) -> None:
    database = await opened(path)
    await database.writing(storing("before"))
    back_up(path, tmp_path / "copy")
    await database.writing(storing("after"))
    await database.close()
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    copy = await opened(tmp_path / "copy")
    assert await copy.reading(channels) == ["before"]
    await copy.close()


async def test_a_copy_is_brought_back_and_what_was_there_is_kept(path: Path, tmp_path: Path) -> None:
    database = await opened(path)
    await database.writing(storing("old"))
    back_up(path, tmp_path / "copy")
    await database.writing(storing("new"))
    await database.close()
    kept = restore(tmp_path / "copy", path, nobody)
    assert kept is not None
    for file, expected in ((path, ["old"]), (kept, ["old", "new"])):
        database = await opened(file)
        assert await database.reading(channels) == expected
        await database.writing(storing("goes on"))
        await database.close()


async def test_a_copy_is_brought_back_where_nothing_was(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "copy")
    assert restore(tmp_path / "copy", tmp_path / "folder" / "desk.sqlite3", nobody) is None
    await (await opened(tmp_path / "folder" / "desk.sqlite3")).close()


async def test_nothing_is_brought_back_under_a_desk_that_runs(path: Path, tmp_path: Path) -> None:
    def hold(tx: Transaction) -> None:
        tx.conn.execute(leases.insert().values(name="outbox", holder="x", expires_at=tx.now.replace(year=2999)))

    back_up(path, tmp_path / "copy")
    database = await opened(path)
    await database.writing(hold)
    await database.close()
    with pytest.raises(BackupFailed, match="A desk uses"):
        restore(tmp_path / "copy", path, nobody)
    assert restore(tmp_path / "copy", path, lambda holder: holder == "x") is not None


def test_a_damaged_database_is_moved_away_before_a_copy_takes_its_place(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "copy")
    path.write_bytes(b"damaged" * 1_000)
    with pytest.raises(BackupFailed, match="is not a database"):
        restore(tmp_path / "copy", path, nobody)
    path.unlink()
    assert restore(tmp_path / "copy", path, nobody) is None
    assert verify(path) == head()


def test_what_is_there_already_is_not_written_over(path: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(path, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


def test_what_is_not_there_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="There is no database"):
        back_up(tmp_path / "nothing", tmp_path / "copy")
    with pytest.raises(BackupFailed, match="There is no file"):
        restore(tmp_path / "nothing", path, nobody)
    with pytest.raises(BackupFailed, match="cannot be copied"):
        back_up(path, tmp_path / "no-folder" / "copy")


def test_a_copy_that_is_damaged_is_named(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    back_up(path, copy)
    with copy.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))
    with pytest.raises(BackupFailed, match=r"damaged|not a copy that can be used"):
        verify(copy)
    copy.write_text("no database" * 1_000)
    with pytest.raises(BackupFailed, match="not a copy that can be used"):
        verify(copy)


@pytest.mark.parametrize("number", [0, 99])
def test_a_copy_of_tables_that_are_not_known_is_refused(tmp_path: Path, number: int) -> None:
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("CREATE TABLE other (id INTEGER)")
    with pytest.raises(BackupFailed, match="does not know"):
        verify(tmp_path / "copy")
