"""Sets up the logs of the process: lines for people or JSON for machines. Nothing else; secrets never get this far."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, Final, TextIO

import orjson
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


class HttpServerLog:
    """What aiohttp's server reports. A request that is no HTTP, and a client that went, are nobody's bug: no traceback."""

    _STRANGERS: Final = (HttpProcessingError, ConnectionError)

    def __init__(self) -> None:
        self._log = structlog.get_logger("support_api.http")

    def debug(self, text: str, *values: object, **_: Any) -> None:
        """The server's small talk."""
        self._log.debug("http server", reason=text % values)

    def exception(self, text: str, *values: object, exc_info: BaseException | None = None) -> None:
        """A request that the server could not read, or a bug."""
        if isinstance(exc_info, self._STRANGERS):
            reason = f"{text % values}: {type(exc_info).__name__}"
            self._log.info("a request was no HTTP or broke off", reason=reason)
        else:
            self._log.error("the http server failed", reason=text % values, exc_info=exc_info)


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
