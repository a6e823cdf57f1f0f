"""SQLite: opening a file, transactions in one hop, and those that share a COMMIT."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, text
from sqlalchemy.exc import IntegrityError, OperationalError

from support_api.database import sqlite
from support_api.database.engine import DatabaseUnusable, Transaction
from support_api.database.sqlite import READERS, WRITES_AT_ONCE, SqliteDatabase
from support_api.database.tables import messages, outbox
from support_api.errors import StoreUnavailable, TicketClosed
from tests.helpers.processes import ROOT
from tests.support_api.database.rows import channels, store, storing
from tests.support_api.helpers import PATIENCE, START, SteadyClock

BUSY_TIMEOUT = 0.05


@pytest.fixture
async def database(database_url: str, clock: SteadyClock) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(database_url, clock=clock, busy_timeout=BUSY_TIMEOUT)
    await opened.open()
    yield opened
    await opened.close()


class Held:
    """The writer, kept busy by a work of its own until `let_go`: what is asked for meanwhile goes into the next batch."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._begun = threading.Event()
        self._go = threading.Event()
        self._task = asyncio.create_task(database.writing(self._hold))

    def _hold(self, _tx: Transaction) -> None:
        self._begun.set()
        assert self._go.wait(PATIENCE)

    async def begun(self) -> "Held":
        assert await asyncio.to_thread(self._begun.wait, PATIENCE)
        return self

    async def let_go(self) -> None:
        self._go.set()
        await self._task


async def hold(database: SqliteDatabase) -> Held:
    return await Held(database).begun()


def commits(database: SqliteDatabase) -> Callable[[], int]:
    """Counts the transactions that change the file, by what SQLite itself says to others."""
    other = sqlite3.connect(database.where, isolation_level=None)
    seen = [other.execute("PRAGMA data_version").fetchone()[0]]
    return lambda: other.execute("PRAGMA data_version").fetchone()[0] - seen[0]


# --- Opening --------------------------------------------------------------------------------------------------------


async def test_the_folder_and_the_file_are_made(tmp_path: Path) -> None:
    database = SqliteDatabase(f"sqlite:///{tmp_path}/a/b/desk.sqlite3")
    await database.open()
    await database.close()
    assert (tmp_path / "a" / "b" / "desk.sqlite3").is_file()
    assert database.dialect == "sqlite"


async def test_a_database_is_opened_again_with_what_it_holds(database_url: str) -> None:
    for expected in ([], ["a"]):
        database = SqliteDatabase(database_url)
        await database.open()
        assert await database.reading(channels) == expected
        await database.writing(storing("a"))
        await database.close()


@pytest.mark.parametrize("url", ["postgresql://a/b", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_a_url_that_is_not_a_sqlite_file_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="expected sqlite"):
        SqliteDatabase(url)


async def _refusal(path: Path) -> str:
    database = SqliteDatabase(f"sqlite:///{path}", busy_timeout=BUSY_TIMEOUT)
    with pytest.raises(DatabaseUnusable) as caught:
        await database.open()
    await database.close()
    said = str(caught.value)
    assert "\n" not in said
    return said


async def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("I am a text, and long enough to be looked at as a database's first page." * 20)
    assert "is not an SQLite database" in await _refusal(tmp_path / "text")


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert "cannot be opened" in await _refusal(tmp_path)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "its folder cannot be made" in await _refusal(tmp_path / "file" / "folder" / "desk.sqlite3")


async def test_a_database_that_another_process_locks_is_named(database: SqliteDatabase, tmp_path: Path) -> None:
    holder = sqlite3.connect(database.where, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        assert "holds it locked" in await _refusal(Path(database.where))
    finally:
        holder.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [("attempt to write a readonly database", "the file may not be written."), ("disk I/O error", "disk I/O error.")],
)
async def test_what_the_driver_says_becomes_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    def fail(_conn: object) -> None:
        raise OperationalError("PRAGMA", None, sqlite3.OperationalError(said))

    monkeypatch.setattr(sqlite, "prepare", fail)
    assert (await _refusal(tmp_path / "desk.sqlite3")).endswith(f"cannot be used: {reason}")


async def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite3"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    assert "revision 0099" in await _refusal(path)


async def test_many_who_open_a_new_file_at_once_all_open_it(tmp_path: Path) -> None:
    databases = [SqliteDatabase(f"sqlite:///{tmp_path}/desk.sqlite3") for _ in range(8)]
    await asyncio.gather(*(one.open() for one in databases))
    await asyncio.gather(*(one.writing(storing(str(number))) for number, one in enumerate(databases)))
    assert len(await databases[0].reading(channels)) == 8
    await asyncio.gather(*(one.close() for one in databases))


async def test_every_connection_is_safe_and_readers_do_not_write(database: SqliteDatabase) -> None:
    def pragmas(tx: Transaction) -> list[Any]:
        names = ("journal_mode", "foreign_keys", "synchronous", "query_only")
        return [tx.conn.execute(text(f"PRAGMA {name}")).scalar_one() for name in names]

    assert await database.writing(pragmas) == ["wal", 1, 2, 0]
    meeting = threading.Barrier(READERS)

    def pragmas_of_each(tx: Transaction) -> list[Any]:
        meeting.wait(PATIENCE)
        return pragmas(tx)

    # All readers at once, or the barrier would not open.
    assert (
        await asyncio.gather(*(database.reading(pragmas_of_each) for _ in range(READERS)))
        == [["wal", 1, 2, 1]] * READERS
    )


# --- One transaction ------------------------------------------------------------------------------------------------


async def test_a_work_runs_in_one_hop_and_gets_the_moment(database: SqliteDatabase) -> None:
    threads: list[int] = []

    def work(tx: Transaction) -> list[str]:
        threads.append(threading.get_ident())
        for channel in ("a", "b", "c"):
            store(tx, channel)
        assert tx.now == START
        threads.append(threading.get_ident())
        return channels(tx)

    assert await database.writing(work) == ["a", "b", "c"]
    assert threads[0] == threads[1] != threading.get_ident()


async def test_a_statement_is_compiled_once_for_all_transactions_and_connections(database: SqliteDatabase) -> None:
    hits: list[str] = []

    @event.listens_for(Engine, "after_cursor_execute")
    def note(_conn: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        hits.append(context.cache_hit.name)

    try:
        for _ in range(2):
            await database.writing(storing("a"))
            await database.writing(channels)
            await database.reading(channels)
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert hits == ["CACHE_MISS", "CACHE_MISS", *["CACHE_HIT"] * 4]


@pytest.mark.parametrize("error", [StopIteration(), KeyboardInterrupt(), SystemExit(1)])
async def test_whatever_a_work_raises_reaches_its_caller_and_ends_nothing(
    database: SqliteDatabase, error: BaseException
) -> None:
    def fail(_tx: Transaction) -> None:
        raise error

    for run in (database.writing, database.reading):
        with pytest.raises((RuntimeError, KeyboardInterrupt, SystemExit)):
            await run(fail)
    assert await database.writing(storing("a")) == 1


# --- Several at once ------------------------------------------------------------------------------------------------


async def test_works_that_come_together_share_one_commit_in_their_order(database: SqliteDatabase) -> None:
    held = await hold(database)
    count = commits(database)
    works = [asyncio.create_task(database.writing(storing(str(number)))) for number in range(WRITES_AT_ONCE)]
    await asyncio.sleep(0)
    await held.let_go()
    assert await asyncio.gather(*works) == list(range(1, WRITES_AT_ONCE + 1))
    assert await database.reading(channels) == [str(number) for number in range(WRITES_AT_ONCE)]
    assert count() == 1


async def test_a_batch_is_bounded(database: SqliteDatabase) -> None:
    def size(tx: Transaction) -> int:
        """How many rows there are that the others, who do not share this transaction, see."""
        store(tx, "a")
        other = sqlite3.connect(database.where)
        try:
            return int(other.execute("SELECT count(*) FROM support_outbox").fetchone()[0])
        finally:
            other.close()

    held = await hold(database)
    works = [asyncio.create_task(database.writing(size)) for _ in range(2 * WRITES_AT_ONCE + 1)]
    await asyncio.sleep(0)
    await held.let_go()
    seen = await asyncio.gather(*works)
    assert seen == [0] * WRITES_AT_ONCE + [WRITES_AT_ONCE] * WRITES_AT_ONCE + [2 * WRITES_AT_ONCE]


async def test_what_one_of_them_raises_undoes_only_its_own(database: SqliteDatabase) -> None:
    def fail(tx: Transaction) -> None:
        store(tx, "bad")
        raise TicketClosed(7)

    def break_a_rule(tx: Transaction) -> None:
        store(tx, "bad")
        row = insert(messages).values(
            ticket_id=404, seq=1, sender_type="visitor", sender_id="", sender_name="", content="", created_at=tx.now
        )
        tx.conn.execute(row)

    held = await hold(database)
    works = [storing("a"), fail, storing("b"), break_a_rule, storing("c")]
    running = [asyncio.create_task(database.writing(work)) for work in works]
    await asyncio.sleep(0)
    await held.let_go()
    answers = await asyncio.gather(*running, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, TicketClosed, int, IntegrityError, int]
    assert await database.reading(channels) == ["a", "b", "c"]


async def test_nobody_is_answered_before_the_commit(database: SqliteDatabase) -> None:
    """The second of a batch still runs when the first is done: the first must not know that yet."""
    held = await hold(database)
    go = threading.Event()

    def wait(_tx: Transaction) -> None:
        assert go.wait(PATIENCE)

    first = asyncio.create_task(database.writing(storing("a")))
    second = asyncio.create_task(database.writing(wait))
    await asyncio.sleep(0)
    await held.let_go()
    assert await database.reading(channels) == []
    assert not first.done()
    go.set()
    await asyncio.gather(first, second)


async def test_a_commit_that_fails_fails_all_that_share_it(database: SqliteDatabase) -> None:
    def leave_a_message_without_a_ticket(tx: Transaction) -> None:
        tx.conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        row = insert(messages).values(
            ticket_id=404, seq=1, sender_type="visitor", sender_id="", sender_name="", content="", created_at=tx.now
        )
        tx.conn.execute(row)

    def refuse(tx: Transaction) -> None:
        tx.wake("outbox")
        raise TicketClosed(7)

    held = await hold(database)
    works = [storing("a"), leave_a_message_without_a_ticket, refuse, storing("b")]
    running = [asyncio.create_task(database.writing(work)) for work in works]
    await asyncio.sleep(0)
    await held.let_go()
    answers = await asyncio.gather(*running, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 4
    assert await database.reading(channels) == []
    assert not database.news("outbox").is_set()
    assert await database.writing(storing("c")) == 1


async def test_a_full_disk_refuses_what_did_not_fit_and_the_desk_goes_on(database: SqliteDatabase) -> None:
    def fill(tx: Transaction) -> None:
        pages = tx.conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        tx.conn.execute(insert(outbox).values(channel="x", event="e", payload="x" * 100_000, created_at=tx.now))

    held = await hold(database)
    running = [asyncio.create_task(database.writing(work)) for work in (storing("a"), fill, storing("b"))]
    await asyncio.sleep(0)
    await held.let_go()
    first, full, last = await asyncio.gather(*running, return_exceptions=True)
    assert isinstance(full, StoreUnavailable)
    assert not full.is_busy
    stored = [name for name, answer in (("a", first), ("b", last)) if isinstance(answer, int)]
    assert await database.reading(channels) == stored


async def test_a_write_that_cannot_begin_in_time_says_so(database: SqliteDatabase) -> None:
    holder = sqlite3.connect(database.where, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        answers = await asyncio.gather(
            database.writing(storing("a")), database.assigning(storing("b")), return_exceptions=True
        )
    finally:
        holder.close()
    assert [isinstance(one, StoreUnavailable) and one.is_busy for one in answers] == [True, True]
    assert await database.writing(storing("c")) == 1


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("database is locked", "The desk is busy; nothing was stored, try again."),
        ("database or disk is full", "The server cannot store anything at the moment; try again later."),
        ("disk I/O error", "The server cannot store anything at the moment; try again later."),
    ],
)
async def test_who_is_refused_hears_whether_the_database_is_busy_or_cannot_store(
    database: SqliteDatabase, said: str, shown: str
) -> None:
    def fail(_tx: Transaction) -> None:
        raise OperationalError("INSERT", None, sqlite3.OperationalError(said))

    with pytest.raises(StoreUnavailable) as caught:
        await database.writing(fail)
    assert str(caught.value) == shown


async def test_many_writers_at_once_see_each_others_rows(database: SqliteDatabase) -> None:
    def write(tx: Transaction) -> None:
        store(tx, str(len(channels(tx))))

    await asyncio.gather(*(database.writing(write) for _ in range(200)))
    assert await database.reading(channels) == [str(number) for number in range(200)]


# --- Cancellation and the end ---------------------------------------------------------------------------------------


async def test_who_is_cancelled_while_waiting_changes_nothing(database: SqliteDatabase) -> None:
    held = await hold(database)
    kept = asyncio.create_task(database.writing(storing("kept")))
    cancelled = asyncio.create_task(database.writing(storing("cancelled")))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    await held.let_go()
    await kept
    assert await database.reading(channels) == ["kept"]


async def test_a_work_that_has_begun_is_stored_whole_though_its_caller_is_cancelled(database: SqliteDatabase) -> None:
    begun, go = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        store(tx, "first half")
        begun.set()
        assert go.wait(PATIENCE)
        store(tx, "second half")
        tx.wake("outbox")

    caller = asyncio.create_task(database.writing(work))
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert caller.cancelled()
    go.set()
    assert await database.writing(channels) == ["first half", "second half"]
    assert database.news("outbox").is_set()


async def test_the_end_finishes_what_was_taken_and_refuses_the_rest(database_url: str) -> None:
    database = SqliteDatabase(database_url)
    await database.open()
    held = await hold(database)
    waiting = asyncio.create_task(database.writing(storing("a")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await database.writing(storing("b"))
    await held.let_go()
    assert await waiting == 1
    await closing
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.ping()


async def test_a_database_that_was_not_opened_refuses_in_the_end(database_url: str) -> None:
    database = SqliteDatabase(database_url)
    waiting = asyncio.create_task(database.writing(storing("a")))
    await asyncio.sleep(0)
    await database.close()
    with pytest.raises(StoreUnavailable):
        await waiting


# --- A crash --------------------------------------------------------------------------------------------------------

_WRITES_UNTIL_KILLED = """
import asyncio, os, sys
from sqlalchemy import insert
from support_api.database.sqlite import SqliteDatabase
from support_api.database.tables import outbox

async def main():
    database = SqliteDatabase(sys.argv[1])
    await database.open()
    async def write(number):
        def pair(tx):
            for half in "ab":
                values = dict(channel=f"{number}{half}", event="e", payload="{}", created_at=tx.now)
                tx.conn.execute(insert(outbox).values(**values))
        while True:
            await database.writing(pair)
            os.write(1, f"{number}\\n".encode())
            number += 64
    await asyncio.gather(*(write(number) for number in range(64)))

asyncio.run(main())
"""


def test_after_a_kill_all_that_was_answered_is_there_and_nothing_is_half(database_url: str) -> None:
    answered: list[int] = []
    command = [sys.executable, "-c", _WRITES_UNTIL_KILLED, database_url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            answered.append(int(line))
            if len(answered) == 300:
                break
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().decode()
        # The last line may have been cut off.
        answered += [int(line) for line in rest.splitlines()[: rest.count("\n")]]
    file = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    stored = {name for (name,) in file.execute("SELECT channel FROM support_outbox")}
    assert {f"{number}{half}" for number in answered for half in "ab"} <= stored
    assert {name[:-1] for name in stored if name.endswith("a")} == {name[:-1] for name in stored if name.endswith("b")}
    assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()
