"""PostgreSQL: locks, several processes, what can be wrong with a server, and what is said of it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from support_api.database import listening, postgres
from support_api.database.engine import DatabaseUnusable, Transaction
from support_api.database.postgres import PostgresDatabase
from support_api.errors import StoreUnavailable
from tests.helpers.parts import postgres_programs
from tests.helpers.postgres import PostgresServer
from tests.helpers.processes import free_port
from tests.support_api.database.rows import channels, storing
from tests.support_api.helpers import PATIENCE, eventually


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(url)
    try:
        await database.open()
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(postgres_desk_url: str) -> AsyncIterator[PostgresDatabase]:
    async with opened(postgres_desk_url) as one:
        yield one


@pytest.fixture
async def other(postgres_desk_url: str) -> AsyncIterator[PostgresDatabase]:
    """The same database, as another process has it."""
    async with opened(postgres_desk_url) as one:
        yield one


def asking(statement: str) -> Callable[[Transaction], Any]:
    return lambda tx: tx.conn.execute(text(statement)).scalar()


# --- Locks ----------------------------------------------------------------------------------------------------------


async def test_two_processes_never_assign_at_the_same_time(database: PostgresDatabase, other: PostgresDatabase) -> None:
    """Each reads, waits and writes what it read and one: without the lock some would read the same."""

    def count(tx: Transaction) -> None:
        seen = len(channels(tx))
        tx.conn.execute(text("SELECT pg_sleep(0.005)"))
        storing(str(seen))(tx)

    await asyncio.gather(*(one.assigning(count) for one in (database, other) * 10))
    assert await database.reading(channels) == [str(number) for number in range(20)]


async def test_writes_do_not_wait_for_what_assigns(database: PostgresDatabase) -> None:
    def assign(tx: Transaction) -> None:
        storing("assigned")(tx)
        tx.conn.execute(text("SELECT pg_sleep(0.2)"))

    assigning = asyncio.create_task(database.assigning(assign))
    await eventually(lambda: _has_lock(database))
    await database.writing(storing("written"))
    assert not assigning.done()
    await assigning


async def test_a_lock_that_is_not_to_be_had_in_time_says_that_the_desk_is_busy(
    database: PostgresDatabase, postgres_desk_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT", 50)
    async with opened(postgres_desk_url) as hurried:
        holding = asyncio.create_task(database.assigning(asking("SELECT pg_sleep(0.5)")))
        await eventually(lambda: _has_lock(hurried))
        with pytest.raises(StoreUnavailable) as caught:
            await hurried.assigning(storing("a"))
        await holding
        assert caught.value.is_busy
        assert await hurried.assigning(channels) == []


async def test_a_deadlock_says_that_the_desk_is_busy(database: PostgresDatabase) -> None:
    def lock(first: int, second: int) -> Callable[[Transaction], None]:
        def work(tx: Transaction) -> None:
            tx.conn.execute(text(f"SELECT pg_advisory_xact_lock({first}), pg_sleep(0.2)"))
            tx.conn.execute(text(f"SELECT pg_advisory_xact_lock({second})"))

        return work

    answers = await asyncio.gather(database.writing(lock(1, 2)), database.writing(lock(2, 1)), return_exceptions=True)
    refused = [one for one in answers if one is not None]
    assert len(refused) == 1
    assert isinstance(refused[0], StoreUnavailable)
    assert refused[0].is_busy


async def test_the_settings_of_a_transaction_are_those_that_the_design_names(database: PostgresDatabase) -> None:
    isolation = asking("SHOW transaction_isolation")
    assert await database.writing(isolation) == "read committed"
    assert await database.reading(isolation) == "repeatable read"
    assert await database.reading(asking("SHOW transaction_read_only")) == "on"
    assert await database.writing(asking("SHOW transaction_read_only")) == "off"
    assert await database.writing(asking("SHOW lock_timeout")) == "5s"


async def test_behind_a_pooler_nothing_is_prepared_and_each_transaction_brings_its_own_limit(
    postgres_desk_url: str,
) -> None:
    async with opened(f"{postgres_desk_url}&statement_cache_size=0") as pooled:
        for _ in range(3):
            await pooled.assigning(storing("a"))
        assert await pooled.writing(asking("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")) == 0
        assert await pooled.writing(asking("SHOW lock_timeout")) == "5s"
        assert await pooled.reading(channels) == ["a", "a", "a"]


# --- News -----------------------------------------------------------------------------------------------------------


async def test_what_another_process_stores_wakes_who_waits(database: PostgresDatabase, other: PostgresDatabase) -> None:
    await eventually(lambda: _listens(database))
    news = database.news("outbox")
    news.clear()
    await other.writing(lambda tx: tx.wake("outbox"))
    await asyncio.wait_for(news.wait(), PATIENCE)


async def test_after_a_lost_connection_it_listens_again_and_wakes_all_who_wait(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LISTEN_AGAIN", 0.01)
    await eventually(lambda: _listens(database))
    news = database.news("outbox")
    news.clear()
    assert await database.writing(asking(_END_LISTENING))
    await asyncio.wait_for(news.wait(), PATIENCE)
    await eventually(lambda: _listens(database))


async def test_while_nobody_listens_a_process_still_hears_itself(postgres_desk_url: str) -> None:
    async with opened(postgres_desk_url) as database:
        await eventually(lambda: _listens(database))
        assert database._listening is not None
        database._listening.cancel()
        await asyncio.wait([database._listening])
        await database.writing(lambda tx: tx.wake("outbox"))
        assert database.news("outbox").is_set()


async def test_a_connection_that_is_lost_without_a_word_is_found_out(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "ASK_EVERY", 0.01)
    await eventually(lambda: _listens(database))
    await database.ping()


# --- A server that goes away ----------------------------------------------------------------------------------------


async def test_without_its_server_it_is_unavailable_and_works_again_with_it(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LISTEN_AGAIN", 0.01)
    own_postgres.ask("postgres", "CREATE DATABASE desk")
    async with opened(own_postgres.url("desk")) as database:
        await database.writing(storing("a"))
        # Not as a crash: the tests' server syncs nothing.
        await asyncio.to_thread(own_postgres.stop, "fast")
        for run in (database.writing, database.reading, database.assigning):
            with pytest.raises(StoreUnavailable):
                await run(channels)
        await asyncio.to_thread(own_postgres.start)
        await eventually(lambda: _answers(database))
        assert await database.reading(channels) == ["a"]
        await eventually(lambda: _listens(database))


# --- Opening --------------------------------------------------------------------------------------------------------


async def _refusal(url: str) -> str:
    async def try_it() -> None:
        async with opened(url):
            pass

    with pytest.raises(DatabaseUnusable) as caught:
        await try_it()
    said = str(caught.value)
    assert "\n" not in said
    assert "tell-nobody" not in said
    return said


async def test_an_address_where_nobody_answers_is_named() -> None:
    port = free_port()
    said = await _refusal(f"postgresql://desk:tell-nobody@127.0.0.1:{port}/desk")
    assert f"postgresql://127.0.0.1:{port}/desk" in said
    assert "does PostgreSQL run" in said


async def test_a_host_that_is_not_known_is_named() -> None:
    assert "host is not known" in await _refusal("postgresql://desk:tell-nobody@no-such-host.invalid/desk")


async def test_a_database_that_is_not_there_is_to_be_made(postgres_server: PostgresServer) -> None:
    assert "make it with createdb" in await _refusal(postgres_server.url("nothing"))


async def test_a_user_who_may_not_make_tables_is_named(postgres_url: str, postgres_server: PostgresServer) -> None:
    postgres_server.ask("postgres", "CREATE ROLE reader LOGIN")
    assert "GRANT ALL" in await _refusal(postgres_url.replace("postgres@", "reader:tell-nobody@"))


async def test_a_user_whom_the_server_does_not_know_is_named(postgres_url: str) -> None:
    assert "the user or the password" in await _refusal(postgres_url.replace("postgres@", "nobody:tell-nobody@"))


async def test_an_old_server_is_named(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "OLDEST_VERSION", 99)
    assert "99 is needed" in await _refusal(postgres_url)


@pytest.mark.parametrize("url", ["postgresql://host:port/name", "postgresql://host/name?statement_cache_size=few"])
async def test_a_url_that_cannot_be_read_is_refused(url: str) -> None:
    assert "expected postgresql://" in await _refusal(url)


async def test_many_who_open_a_new_database_at_once_all_open_it(postgres_url: str) -> None:
    databases = [PostgresDatabase(postgres_url) for _ in range(4)]
    await asyncio.gather(*(one.open() for one in databases))
    assert await databases[0].reading(channels) == []
    await asyncio.gather(*(one.close() for one in databases))


_END_LISTENING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


async def test_a_dump_is_brought_back_as_the_handbook_says(
    database: PostgresDatabase, postgres_desk_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    def run(program: str, *arguments: str) -> None:
        command = [str(postgres_programs() / program), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    dump = str(tmp_path / "desk.dump")
    await database.writing(storing("before"))
    await asyncio.to_thread(run, "pg_dump", "--format=custom", f"--file={dump}", postgres_desk_url)
    await database.writing(storing("after"))
    await database.close()
    restored = ("--clean", "--if-exists", "--no-owner", f"--dbname={postgres_desk_url}", dump)
    await asyncio.to_thread(run, "pg_restore", *restored)
    async with opened(postgres_desk_url) as again:
        assert await again.reading(channels) == ["before"]
        await again.writing(storing("goes on"))
        assert await again.reading(channels) == ["before", "goes on"]


async def _has_lock(database: PostgresDatabase) -> bool:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    return bool(await database.reading(asking(held)))


async def _listens(database: PostgresDatabase) -> bool:
    return database._listener.is_up


async def _answers(database: PostgresDatabase) -> bool:
    try:
        await database.ping()
    except StoreUnavailable:
        return False
    return True
