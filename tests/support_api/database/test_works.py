"""The queue of works: its order, its bounds, and who is woken."""

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy import Connection

from support_api.database.engine import Transaction, Work
from support_api.database.works import Job, Works, settle
from support_api.errors import StoreUnavailable

TRANSACTION = Transaction(cast(Connection, None), datetime(2026, 1, 2, tzinfo=UTC))


def returning(number: int) -> Work[int]:
    return lambda _tx: number


async def asking(works: Works, count: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(works.run(returning(number))) for number in range(count)]
    await asyncio.sleep(0)
    return tasks


def finish(jobs: list[Job[int]]) -> None:
    for job in jobs:
        job.run(TRANSACTION)
        job.settle()


async def test_jobs_are_taken_in_their_order_and_so_many_at_once() -> None:
    works = Works(2)
    tasks = await asking(works, 3)
    for expected in (2, 1):
        jobs = await works.take()
        assert len(jobs) == expected
        finish(jobs)
    assert await asyncio.gather(*tasks) == [0, 1, 2]


async def test_one_more_than_may_wait_is_refused_at_once() -> None:
    works = Works(1, limit=2)
    tasks = await asking(works, 3)
    with pytest.raises(StoreUnavailable, match="busy"):
        await tasks[2]
    finish(await works.take())
    assert await tasks[0] == 0
    assert not tasks[1].done()
    works.close()
    works.refuse_all()
    with pytest.raises(StoreUnavailable):
        await tasks[1]


async def test_who_waits_for_too_long_is_refused_and_later_ones_have_a_time_of_their_own() -> None:
    works = Works(1, patience=0.02)
    (first,) = await asking(works, 1)
    with pytest.raises(StoreUnavailable, match="busy"):
        await first
    (second,) = await asking(works, 1)
    with pytest.raises(StoreUnavailable, match="busy"):
        await second


async def test_what_was_taken_is_waited_for_however_long_it_runs() -> None:
    works = Works(1, patience=0.01)
    first, second = await asking(works, 2)
    jobs = await works.take()
    with pytest.raises(StoreUnavailable):
        await second
    finish(jobs)
    assert await first == 0


async def test_the_taker_who_was_idle_last_is_woken_first() -> None:
    works = Works(1)
    takers = []
    for _ in range(2):
        takers.append(asyncio.create_task(works.take()))
        await asyncio.sleep(0)
    (task,) = await asking(works, 1)
    await asyncio.wait(takers, return_when=asyncio.FIRST_COMPLETED)
    assert [taker.done() for taker in takers] == [False, True]
    finish(takers[1].result())
    assert await task == 0
    works.close()
    assert await takers[0] == []


async def test_nobody_waits_for_a_closed_queue() -> None:
    works = Works(1)
    works.close()
    with pytest.raises(StoreUnavailable):
        await works.run(lambda _tx: 0)
    assert await works.take() == []


async def test_an_answer_to_who_is_gone_is_dropped() -> None:
    works = Works(1)
    (task,) = await asking(works, 1)
    jobs = await works.take()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert jobs[0].is_over
    settle(jobs, ValueError())
