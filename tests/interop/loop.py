"""One event loop for all tests of this folder: only so can they share a Chromium, whose start costs more than most of them.

A fixture that is a coroutine is therefore an `async_fixture` here, else it would run on a loop of its test's own.
"""

from collections.abc import Iterable
from typing import Final

import pytest
import pytest_asyncio

async_fixture: Final = pytest_asyncio.fixture(loop_scope="session")


def run_on_one_loop(items: Iterable[pytest.Item]) -> None:
    """Let all tests that are coroutines run on the loop of the session."""
    on_one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if pytest_asyncio.is_async_test(item):
            item.add_marker(on_one_loop, append=False)
