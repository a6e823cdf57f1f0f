"""How log lines look: for people on a console, or JSON for machines. Never given a secret."""

import logging
import sys
from contextlib import suppress
from typing import Any, Final, Literal, TextIO

import structlog
from aiohttp.http_exceptions import HttpProcessingError


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


def configure(level: str, style: Literal["console", "json"]) -> None:
    """Set up structlog for the process; `level` is debug, info, warning or error."""
    renderer = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(Lines(sys.stdout)),  # type: ignore[arg-type]  # it needs no more of a file
        cache_logger_on_first_use=True,
    )


class HttpServerLog:
    """What aiohttp's server reports. A request that is no HTTP, and a client that went, are nobody's bug: no traceback."""

    _STRANGERS: Final = (HttpProcessingError, ConnectionError)

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def debug(self, text: str, *values: object, **_: Any) -> None:
        """The server's small talk."""
        self._log.debug("http_server", reason=text % values)

    def exception(self, text: str, *values: object, exc_info: BaseException | None = None) -> None:
        """A request that the server could not read, or a bug."""
        if isinstance(exc_info, self._STRANGERS):
            self._log.info("connection_refused", reason=f"{text % values}: {type(exc_info).__name__}")
        else:
            self._log.error("http_server_failed", reason=text % values, exc_info=exc_info)
