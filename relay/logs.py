"""How log lines look: for people on a console, or JSON for machines. Never given a secret.

What a stranger sent may stand in a line, and can neither make it long nor make it look like two: values are cut, and the
renderers escape what is no printable character.
"""

import logging
import sys
import textwrap
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final, Literal, TextIO

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from pushdesk.addresses import UNKNOWN

# Characters of one value in a line.
MAX_VALUE: Final = 500


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


def configure(level: str, style: Literal["console", "json"]) -> None:
    """Set up structlog for the process; `level` is debug, info, warning or error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _cut,
            structlog.processors.format_exc_info,
            *(_JSON if style == "json" else _CONSOLE),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(Lines(sys.stdout)),  # type: ignore[arg-type]  # it needs no more of a file
        cache_logger_on_first_use=True,
    )


def _cut(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut long values, and say by how much."""
    for name, value in line.items():
        if isinstance(value, str) and len(value) > MAX_VALUE:
            line[name] = f"{value[:MAX_VALUE]}… and {len(value) - MAX_VALUE} more"
    return line


def _indent(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Move a traceback to the right: the text of an exception must not look like a line of the log."""
    if "exception" in line:
        shown = "".join([one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in line["exception"]])
        line["exception"] = textwrap.indent(shown, "    ", lambda _: True)
    return line


_JSON: Final = (structlog.processors.JSONRenderer(),)
# Quotes around every text: the renderer escapes what is within them.
_CONSOLE: Final = (_indent, structlog.dev.ConsoleRenderer(colors=False, repr_native_str=True))


class HttpServerLog:
    """What aiohttp's server reports. A request that is no HTTP, and a client that went, are nobody's bug: no traceback."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def debug(self, text: str, *values: object, exc_info: BaseException | None = None) -> None:
        """The server's small talk; among it, that somebody began with something that is no HTTP."""
        if isinstance(exc_info, HttpProcessingError):
            self._refused(exc_info, values)
        else:
            self._log.debug("http_server", reason=text % values)

    def exception(self, text: str, *values: object, exc_info: BaseException | None = None) -> None:
        """A request that the server could not read, a client that went, or a bug."""
        if isinstance(exc_info, HttpProcessingError):
            self._refused(exc_info, values)
        elif isinstance(exc_info, ConnectionError):
            self._log.info("connection_lost", reason=f"{text % values}: {type(exc_info).__name__}")
        else:
            self._log.error("http_server_failed", reason=text % values, exc_info=exc_info)

    def _refused(self, error: HttpProcessingError, values: tuple[object, ...]) -> None:
        """aiohttp names one value, the address of the other side; what the error says of the request may be anything."""
        address = str(values[0]) if values else UNKNOWN
        self._log.info("request_refused", address=address, status=error.code, reason=type(error).__name__)
