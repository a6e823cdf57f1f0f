"""Fixtures of the relay's tests."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.clients import APP
from tests.helpers.relay import RunningRelay, running_relay

# A busy machine makes an example slow, not wrong.
settings.register_profile("relay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("relay")


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    """A relay with one app, on a port of its own."""
    async with running_relay(APP) as running:
        yield running
