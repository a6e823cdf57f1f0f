"""Log lines of the relay."""

import errno
import io
import sys
from collections.abc import Iterator

import pytest
import structlog

from relay.logs import configure


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class FullDisk(io.StringIO):
    """A stream that takes nothing more."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    configure("info", "console")
    structlog.get_logger().info("nobody will read this")
