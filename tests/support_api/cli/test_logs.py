"""Log lines."""

import errno
import io
import json
import sys
from collections.abc import Iterator

import pytest
import structlog

from support_api.cli.logs import set_up_logs
from tests.helpers.tricks import TRICKS


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def fail(secret: str) -> None:
    raise RuntimeError(len(secret))


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_never_shows_the_values_of_variables(capsys: pytest.CaptureFixture[str], style: str) -> None:
    set_up_logs("info", style)
    try:
        fail("s3cret" + "-value")
    except RuntimeError:
        structlog.get_logger().exception("it failed")
    said = capsys.readouterr().err
    assert "it failed" in said
    assert "RuntimeError: 12" in said
    assert "s3cret-value" not in said


def test_json_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("info", "json")
    structlog.get_logger().info("жук", number=1, thing=object)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["number"]) == ("жук", "info", 1)


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("error", "console")
    structlog.get_logger().warning("quiet")
    assert capsys.readouterr().err == ""


class FullDisk(io.StringIO):
    """A stream that takes nothing more."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    set_up_logs("info", "console")
    structlog.get_logger().info("nobody will read this")


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("trick", TRICKS)
def test_whatever_a_stranger_sends_a_line_is_one_line_of_printable_characters(
    capsys: pytest.CaptureFixture[str], style: str, trick: str
) -> None:
    set_up_logs("info", style)
    structlog.get_logger().info("request_refused", reason=trick)
    text = capsys.readouterr().err
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    assert "request_refused" in text


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("trick", TRICKS)
def test_the_text_of_an_exception_forges_no_line_either(
    capsys: pytest.CaptureFixture[str], style: str, trick: str
) -> None:
    set_up_logs("info", style)
    structlog.get_logger().info("request_failed", exc_info=ValueError(trick))
    first, *others = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert "request_failed" in first
    assert all(line.startswith("    ") for line in others)
    assert all(line.isprintable() for line in (first, *others))
