"""What `support_api/database/engine.py` promises, over each database."""

import asyncio
import threading
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from support_api.database.engine import Database, Transaction
from support_api.database.tables import messages, outbox
from support_api.database.urls import database_of
from support_api.errors import StoreUnavailable, TicketClosed
from tests.support_api.database.rows import channels, store, storing, storing_loudly
from tests.support_api.helpers import PATIENCE, START, SteadyClock


@pytest.fixture(params=["database_url", "postgres_desk_url"], ids=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def database(url: str, clock: SteadyClock) -> AsyncIterator[Database]:
    opened = database_of(url, clock=clock)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_work_is_stored_when_its_caller_has_the_answer(database: Database) -> None:
    for run in (database.writing, database.assigning):
        await run(storing("a"))
    assert await database.reading(channels) == ["a", "a"]


async def test_everything_in_a_work_happens_at_one_moment_of_the_clock(database: Database, clock: SteadyClock) -> None:
    def moments(tx: Transaction) -> list[datetime]:
        store(tx, "a")
        return [tx.now, *tx.conn.execute(select(outbox.c.created_at)).scalars()]

    assert await database.writing(moments) == [START, START]
    clock.advance(1.5)
    assert database.now() == (await database.reading(lambda tx: tx.now)) > START
    assert START.tzinfo is UTC


async def test_an_exception_undoes_the_whole_work_and_is_no_news(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        store(tx, "a")
        tx.wake("outbox")
        raise TicketClosed(7)

    news = database.news("outbox")
    await _heard(database, "ready")
    news.clear()
    for run in (database.writing, database.assigning):
        with pytest.raises(TicketClosed):
            await run(fail)
    await _heard(database, "ready")
    assert await database.reading(channels) == []
    assert not news.is_set()


async def test_what_a_failed_statement_was_given_stands_in_no_error_and_so_in_no_log(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        said = "my card is 4111"
        row = {
            "ticket_id": 404,
            "seq": 1,
            "sender_type": "visitor",
            "sender_id": "",
            "sender_name": "",
            "content": said,
        }
        tx.conn.execute(insert(messages).values(**row, created_at=tx.now))

    with pytest.raises(IntegrityError) as caught:
        await database.writing(fail)
    assert "4111" not in "".join(traceback.format_exception(caught.value))


async def test_a_broken_rule_of_a_table_is_the_works_own_affair(database: Database) -> None:
    def break_a_rule(tx: Transaction) -> None:
        store(tx, "a")
        row = insert(messages).values(
            ticket_id=404, seq=1, sender_type="visitor", sender_id="", sender_name="", content="", created_at=tx.now
        )
        tx.conn.execute(row)

    def try_it(tx: Transaction) -> None:
        store(tx, "before")
        with pytest.raises(IntegrityError), tx.conn.begin_nested():
            break_a_rule(tx)
        store(tx, "after")

    with pytest.raises(IntegrityError):
        await database.writing(break_a_rule)
    await database.writing(try_it)
    assert await database.reading(channels) == ["before", "after"]


async def test_news_come_to_the_topics_that_were_woken(database: Database) -> None:
    news = database.news("outbox")
    await _heard(database, "ready")
    news.clear()
    await database.writing(storing("a"))
    await _heard(database, "ready")
    assert not news.is_set()
    await _heard(database, "outbox")
    assert news is database.news("outbox")


async def test_who_follows_a_topic_reads_what_the_transaction_stored_that_woke_it(database: Database) -> None:
    async def until_stored() -> list[str]:
        found: list[str] = []
        while not found:
            found = await database.following("outbox", channels)
        return found

    following = asyncio.create_task(until_stored())
    await asyncio.sleep(0)
    await database.writing(storing_loudly("a"))
    assert await asyncio.wait_for(following, PATIENCE) == ["a"]


async def test_who_follows_a_topic_later_is_told_of_news_that_nobody_has_taken(database: Database) -> None:
    await database.writing(storing_loudly("a"))
    assert await asyncio.wait_for(database.following("outbox", channels), PATIENCE) == ["a"]


async def test_a_reader_sees_one_state_and_cannot_write(database: Database, url: str) -> None:
    def look_twice(tx: Transaction) -> tuple[list[str], list[str]]:
        before = channels(tx)
        another = threading.Thread(target=asyncio.run, args=(_store_beside(url),))
        another.start()
        another.join(PATIENCE)
        return before, channels(tx)

    assert await database.reading(look_twice) == ([], [])
    assert await database.reading(channels) == ["beside"]
    with pytest.raises(StoreUnavailable):
        await database.reading(storing("b"))
    await database.ping()
    assert await database.reading(channels) == ["beside"]


async def test_who_is_cancelled_while_their_work_runs_leaves_it_whole(database: Database) -> None:
    def work(tx: Transaction) -> None:
        store(tx, "first half")
        loop.call_soon_threadsafe(begun.set)
        store(tx, "second half")
        tx.wake("outbox")

    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    caller = asyncio.create_task(database.writing(work))
    await begun.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await asyncio.wait_for(database.news("outbox").wait(), PATIENCE)
    assert await database.reading(channels) == ["first half", "second half"]


async def test_the_end_finishes_what_was_taken_and_refuses_the_rest(url: str) -> None:
    database = database_of(url)
    await database.open()
    taken = [asyncio.create_task(database.writing(storing(str(number)))) for number in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert len(await asyncio.gather(*taken)) == 20
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.ping()


async def test_nothing_of_a_databases_place_is_secret(database: Database) -> None:
    assert "@" not in database.where
    assert database.dialect in ("sqlite", "postgresql")


async def _heard(database: Database, topic: str) -> None:
    """Something was said on this topic, and heard: so everything that was said before it was heard, too."""
    news = database.news(topic)
    async with asyncio.timeout(PATIENCE):
        news.clear()
        await database.writing(lambda tx: tx.wake(topic))
        await news.wait()


async def _store_beside(url: str) -> None:
    """By a database of its own, as another process would."""
    other = database_of(url)
    await other.open()
    await other.writing(storing("beside"))
    await other.close()
