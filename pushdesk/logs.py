"""How a process logs: one line an event, with the time and the level, on a stream that may fail. Never given a secret.

How a line is made of its values, each program says itself.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

import structlog
from structlog.typing import Processor


class Lines:
    """A stream that swallows its failures: a full disk under the log must not stop the work that is logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of a text file."""
        with suppress(OSError):
            try:
                self._stream.write(text)
            except UnicodeEncodeError:  # a terminal of another encoding
                self._stream.write(text.encode("ascii", "backslashreplace").decode())
        return len(text)

    def flush(self) -> None:
        """As of a text file."""
        with suppress(OSError):
            self._stream.flush()


def configure(level: str, stream: TextIO, processors: Sequence[Processor], *, is_cached: bool) -> None:
    """Set up structlog for the process; `level` is debug, info, warning or error. The last of `processors` makes the line.

    `is_cached`: a logger is made once, and knows nothing of a later call of this.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *processors,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(Lines(stream)),  # type: ignore[arg-type]  # it needs no more of a file
        cache_logger_on_first_use=is_cached,
    )
