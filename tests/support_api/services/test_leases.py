"""Who does what only one process may do."""

import pytest

from support_api.database.engine import Transaction
from support_api.database.tables import leases
from support_api.services import Services
from tests.support_api.helpers import SteadyClock


def nobody_has_ended(_holder: str) -> bool:
    return False


@pytest.fixture
async def leased(services: Services) -> Services:
    """The lease of the outbox is a's."""
    assert await services.leases.take("outbox", "a", 10.0, nobody_has_ended)
    return services


async def run_out(services: Services, clock: SteadyClock) -> None:
    """Ten seconds later, by whichever clock counts."""

    def age(tx: Transaction) -> None:
        tx.conn.execute(leases.update().values(expires_at=tx.now.replace(year=2000)))

    clock.advance(10.001)
    await services.database.writing(age)


async def test_a_lease_is_one_processs_until_it_runs_out(leased: Services, clock: SteadyClock) -> None:
    assert not await leased.leases.take("outbox", "b", 10.0, nobody_has_ended)
    assert await leased.leases.take("outbox", "a", 10.0, nobody_has_ended)
    await run_out(leased, clock)
    assert await leased.leases.take("outbox", "b", 10.0, nobody_has_ended)
    assert not await leased.leases.take("outbox", "a", 10.0, nobody_has_ended)


async def test_each_name_is_a_lease_of_its_own(leased: Services) -> None:
    assert await leased.leases.take("sweep", "b", 10.0, nobody_has_ended)


async def test_who_gives_it_back_leaves_it_to_the_next_at_once(leased: Services) -> None:
    news = leased.database.news("lease-outbox")
    await leased.leases.give_back("outbox", "b")
    assert not await leased.leases.take("outbox", "b", 10.0, nobody_has_ended)
    news.clear()
    await leased.leases.give_back("outbox", "a")
    assert await leased.leases.take("outbox", "b", 10.0, nobody_has_ended)
    await news.wait()


async def test_a_holder_who_is_known_to_have_ended_does_not_hold_up_the_next(leased: Services) -> None:
    assert await leased.leases.take("outbox", "b", 10.0, lambda holder: holder == "a")
    assert not await leased.leases.take("outbox", "c", 10.0, lambda holder: holder == "a")
