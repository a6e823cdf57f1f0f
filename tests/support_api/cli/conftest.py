"""What the tests of commands share: an environment with a database."""

import os
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _reset_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def env(database_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("SUPPORT_")]:
        monkeypatch.delenv(name)
    return {"SUPPORT_DATABASE_URL": database_url, "SUPPORT_RELAY_URL": "http://127.0.0.1:1"}
