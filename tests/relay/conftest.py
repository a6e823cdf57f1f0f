"""Fixtures of the relay's tests."""

import logging
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.helpers.clients import APP
from tests.helpers.relay import RunningRelay, running_relay

# A busy machine makes an example slow, not wrong.
settings.register_profile("relay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("relay")


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[MutableMapping[str, Any]]]:
    """What the relay logs. A bug is logged as an error, with its traceback: a test that expects one takes it out."""
    with structlog.testing.capture_logs() as entries:
        yield entries
    assert [entry for entry in entries if entry["log_level"] in {"error", "critical"}] == []
    # asyncio reports here what a protocol or a callback raised.
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    """A relay with one app, on a port of its own."""
    async with running_relay(APP) as running:
        yield running
