"""Fixtures of the console's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.helpers.clients import APP
from tests.helpers.console import RunningConsole, running_console


@pytest.fixture
async def console() -> AsyncIterator[RunningConsole]:
    """The console of a relay with one app, without a password."""
    async with running_console(APP) as running:
        yield running
