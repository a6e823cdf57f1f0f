"""Who follows a topic on SQLite reads in the hop of the transaction that woke it, and misses none."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from support_api.database.engine import Transaction
from support_api.database.sqlite import SqliteDatabase
from support_api.errors import StoreUnavailable, TicketClosed
from tests.support_api.database.rows import channels, storing, storing_loudly
from tests.support_api.helpers import PATIENCE


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(database_url)
    await opened.open()
    yield opened
    await opened.close()


async def follow(database: SqliteDatabase, topic: str = "outbox") -> "asyncio.Task[list[str]]":
    """A task that waits for news."""
    task = asyncio.create_task(database.following(topic, channels))
    await asyncio.sleep(0)
    return task


async def test_it_is_one_hop_for_both_after_the_commit(database: SqliteDatabase) -> None:
    def look(tx: Transaction) -> tuple[int, list[str]]:
        return threading.get_ident(), channels(tx)

    def write(tx: Transaction) -> int:
        storing_loudly("a")(tx)
        return threading.get_ident()

    following = asyncio.create_task(database.following("outbox", look))
    await asyncio.sleep(0)
    writer = await database.writing(write)
    assert await asyncio.wait_for(following, PATIENCE) == (writer, ["a"])
    assert not database.news("outbox").is_set()


async def test_only_news_of_its_topic_wake_it(database: SqliteDatabase) -> None:
    following = await follow(database)
    await database.writing(storing("quiet"))
    await database.writing(storing_loudly("elsewhere", "mail"))
    assert database.news("mail").is_set()
    assert not following.done()
    await database.writing(storing_loudly("a"))
    assert await asyncio.wait_for(following, PATIENCE) == ["quiet", "elsewhere", "a"]


async def test_what_is_undone_wakes_nobody(database: SqliteDatabase) -> None:
    def fail(tx: Transaction) -> None:
        storing_loudly("a")(tx)
        raise TicketClosed(1)

    following = await follow(database)
    with pytest.raises(TicketClosed):
        await database.writing(fail)
    assert not following.done()
    await database.writing(storing_loudly("b"))
    assert await asyncio.wait_for(following, PATIENCE) == ["b"]


async def test_whoever_leaves_takes_no_news_with_them(database: SqliteDatabase) -> None:
    following = await follow(database)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await database.writing(storing_loudly("a"))
    assert database.news("outbox").is_set()
    assert await asyncio.wait_for(database.following("outbox", channels), PATIENCE) == ["a"]
    assert not database.news("outbox").is_set()


async def test_whoever_leaves_in_the_moment_in_which_the_news_come_leaves_them(database: SqliteDatabase) -> None:
    following = await follow(database)
    await database.writing(storing_loudly("a"))
    # The answer is there, and its task has not gone on yet.
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert following.cancelled() == database.news("outbox").is_set()


async def test_whoever_leaves_while_they_read_leaves_the_news(database: SqliteDatabase) -> None:
    def look(_tx: Transaction) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go.wait(PATIENCE)

    loop, begun, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    database.news("outbox").set()
    following = asyncio.create_task(database.following("outbox", look))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    go.set()
    assert database.news("outbox").is_set()


async def test_who_begins_to_follow_while_the_news_are_being_stored_reads_them(database: SqliteDatabase) -> None:
    await database.writing(storing("a"))
    following = await follow(database)
    database._spread(["outbox"])  # as at the end of a transaction that was stored before it began
    assert await asyncio.wait_for(following, PATIENCE) == ["a"]
    assert not database.news("outbox").is_set()


async def test_a_fault_of_who_follows_harms_nobody_else(database: SqliteDatabase) -> None:
    def fail(_tx: Transaction) -> None:
        raise TicketClosed(1)

    following = asyncio.create_task(database.following("outbox", fail))
    await asyncio.sleep(0)
    await database.writing(storing_loudly("a"))
    with pytest.raises(TicketClosed):
        await asyncio.wait_for(following, PATIENCE)
    assert await database.reading(channels) == ["a"]


async def test_the_end_refuses_who_still_follows(database: SqliteDatabase) -> None:
    following, late = await follow(database), await follow(database, "mail")
    await database.close()
    for task in (following, late):
        with pytest.raises(StoreUnavailable):
            await task
    following = await follow(database, "mail")
    database._spread(["mail"])
    with pytest.raises(StoreUnavailable):
        await following
