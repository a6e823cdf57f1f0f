"""Log lines of the relay."""

import errno
import io
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog

from pushdesk.logs import MAX_VALUE
from relay.logs import configure
from tests.helpers.tricks import TRICKS


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class FullDisk(io.StringIO):
    """A stream that takes nothing more."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


Write = Callable[..., str]


@pytest.fixture(params=["console", "json"])
def write(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Write:
    """Writes a line with these values and gives what stands in the log then."""

    def write(**values: object) -> str:
        configure("info", request.param)
        structlog.get_logger().info("request_refused", **values)
        return capsys.readouterr().out

    return write


@pytest.mark.parametrize("trick", TRICKS)
def test_whatever_a_stranger_sends_a_line_is_one_line_of_printable_characters(write: Write, trick: str) -> None:
    text = write(address="192.0.2.1", reason=trick)
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    assert "request_refused" in text


@pytest.mark.parametrize("trick", TRICKS)
def test_the_text_of_an_exception_forges_no_line_either(write: Write, trick: str) -> None:
    first, *others = write(exc_info=ValueError(trick)).removesuffix("\n").split("\n")
    assert "request_refused" in first
    assert all(line.startswith("    ") for line in others)
    assert all(line.isprintable() for line in (first, *others))


def test_a_long_value_is_cut_and_says_by_how_much(write: Write) -> None:
    text = write(reason="x" * MAX_VALUE, path="y" * 16_384)
    assert "x" * MAX_VALUE in text
    assert f"and {16_384 - MAX_VALUE} more" in text
    assert len(text) < 3 * MAX_VALUE


def test_a_terminal_of_another_encoding_gets_the_line_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="koi8-r")
    monkeypatch.setattr(sys, "stdout", terminal)
    configure("info", "console")
    structlog.get_logger().info("request_refused", reason="жук é")
    terminal.seek(0)
    assert "request_refused" in terminal.read()


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    configure("info", "console")
    structlog.get_logger().info("nobody will read this")
