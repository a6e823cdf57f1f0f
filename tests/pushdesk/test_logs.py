import errno
import io
from collections.abc import Iterator

import pytest
import structlog

from pushdesk.logs import Lines, configure


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class FullDisk(io.StringIO):
    """A stream that takes nothing more."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_stream_that_cannot_be_written_stops_nothing() -> None:
    lines = Lines(FullDisk())
    assert lines.write("nobody will read this") == 21
    lines.flush()


def test_a_stream_of_another_encoding_gets_the_line_in_ascii() -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="koi8-r")
    Lines(terminal).write("жук é")
    terminal.seek(0)
    assert terminal.read() == "\\u0436\\u0443\\u043a \\xe9"


def test_lines_have_the_time_and_the_level_and_are_made_by_the_last_processor() -> None:
    stream = io.StringIO()
    configure(
        "warning", stream, [structlog.processors.KeyValueRenderer(key_order=["level", "event", "a"])], is_cached=False
    )
    structlog.get_logger().info("too little")
    structlog.get_logger().warning("enough", a=1)
    assert stream.getvalue().startswith("level='warning' event='enough' a=1 timestamp='20")
    assert stream.getvalue().count("\n") == 1
