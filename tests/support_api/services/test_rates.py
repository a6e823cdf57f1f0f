"""How often callers may do something, counted in this process (SQLite) or for all (PostgreSQL): the same rules."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from support_api.database.engine import Transaction
from support_api.database.tables import rates as table
from support_api.database.urls import database_of
from support_api.services import Services
from support_api.services.rates import Rates


def hidden(text: str) -> str:
    return f"hidden {len(text)} {hash(text) % 10**9}"


@pytest.fixture
def rates(services: Services) -> Rates:
    return Rates(services.database, hidden)


async def test_up_to_the_limit_is_free_and_the_next_one_waits(rates: Rates) -> None:
    rate = rates.rate("tickets", 2, 60.0)
    assert [await rate.count("a") for _ in range(2)] == [0.0, 0.0]
    assert 50.0 < await rate.count("a") <= 60.0


async def test_each_key_and_each_rate_counts_on_its_own(rates: Rates) -> None:
    for name in ("tickets", "messages"):
        rate = rates.rate(name, 1, 60.0)
        assert [await rate.count(key) for key in ("a", "b", ("a", "b"))] == [0.0, 0.0, 0.0]
        assert await rate.count("a") > 0.0


async def test_what_is_old_enough_counts_for_nothing_and_a_refused_try_neither(rates: Rates) -> None:
    rate = rates.rate("tickets", 1, 0.2)
    assert await rate.count("a") == 0.0
    async with asyncio.timeout(10.0):
        refused = 0
        while await rate.count("a"):
            refused += 1
    assert refused > 0


async def test_what_is_given_back_may_be_taken_again(rates: Rates) -> None:
    rate = rates.rate("tickets", 2, 60.0)
    await rate.give_back("a")
    for _ in range(2):
        await rate.count("a")
    await rate.give_back("a")
    assert await rate.count("a") == 0.0
    assert await rate.count("a") > 0.0


async def test_a_limit_of_zero_is_no_limit(rates: Rates) -> None:
    rate = rates.rate("tickets", 0, 60.0)
    assert {await rate.count("a") for _ in range(100)} == {0.0}


async def test_of_many_at_once_no_more_pass_than_may(rates: Rates) -> None:
    rate = rates.rate("tickets", 7, 60.0)
    waits = await asyncio.gather(*(rate.count("a") for _ in range(40)))
    assert waits.count(0.0) == 7


async def test_processes_over_one_postgresql_count_together_and_store_no_caller(postgres_desk_url: str) -> None:
    first, second = database_of(postgres_desk_url), database_of(postgres_desk_url)
    await asyncio.gather(first.open(), second.open())
    try:
        both = [Rates(one, hidden).rate("tickets", 5, 60.0) for one in (first, second)]
        waits = await asyncio.gather(*(rate.count("192.0.2.7") for rate in both * 10))
        assert waits.count(0.0) == 5
        keys = await first.reading(lambda tx: list(tx.conn.execute(select(table.c.key)).scalars()))
        assert len(keys) == 1
        assert "192.0.2.7" not in keys[0]
    finally:
        await asyncio.gather(first.close(), second.close())


async def test_rows_that_count_for_nothing_any_more_are_removed(postgres_desk_url: str) -> None:
    def age(tx: Transaction) -> None:
        tx.conn.execute(update(table).values(expires_at=tx.now.replace(year=2000)))

    database = database_of(postgres_desk_url)
    await database.open()
    try:
        rates = Rates(database, hidden)
        await rates.rate("tickets", 5, 60.0).count("old")
        await database.writing(age)
        await rates.rate("tickets", 5, 60.0).count("newer one")
        await rates.forget_old()
        counted = select(func.count()).select_from(table)
        assert await database.reading(lambda tx: tx.conn.execute(counted).scalar_one()) == 1
    finally:
        await database.close()


async def test_one_process_has_nothing_to_remove(services: Services) -> None:
    await Rates(services.database, hidden).forget_old()
