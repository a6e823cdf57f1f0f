"""Fixtures of the tests of the whole product: a relay and a support desk of the test's own, and a browser."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.screens import People, open_browser
from tests.helpers.product import Product, make_accounts, running_product


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the operators' accounts, to start from."""
    return make_accounts(tmp_path_factory.mktemp("accounts"))


@pytest.fixture
def product(accounts: Path, tmp_path: Path) -> Iterator[Product]:
    with running_product(accounts, tmp_path) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser, product: Product) -> AsyncIterator[People]:
    """People with browsers; at the end no script may have failed on any of their pages."""
    everybody = People(browser, product)
    yield everybody
    await everybody.leave()
    assert everybody.complaints() == []
