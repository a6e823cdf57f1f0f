"""Sets up the logs of the process: lines for people or JSON for machines. Nothing else; secrets never get this far."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO

import orjson
import structlog


class Lines:
    """A stream that swallows its failures: a full disk under the log must not stop the work that is logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of a text file."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As of a text file."""
        with suppress(OSError):
            self._stream.flush()


def set_up_logs(level: str, form: str) -> None:
    """`level`: debug, info, warning or error. `form`: console or json. Lines go to stderr."""
    rank = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=max(rank, logging.WARNING), force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _renderer(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(rank),
        logger_factory=structlog.PrintLoggerFactory(Lines(sys.stderr)),  # type: ignore[arg-type]  # it needs no more of a file
        cache_logger_on_first_use=False,
    )


def _renderer(form: str) -> structlog.typing.Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(
            serializer=lambda value, **_: orjson.dumps(value, default=str).decode()
        )
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
