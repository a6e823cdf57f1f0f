"""How a process logs: one line per event, with the time and the level, on a stream that may fail. Never given a secret.

A line is for people on a console, or JSON for machines. What a stranger sent may stand in it, and can neither make it long
nor make it look like two: values are cut, and the renderers escape what is not a printable character.
"""

import logging
import textwrap
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

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


def rendered(style: str, *, colors: bool = False) -> tuple[Processor, ...]:
    """The processors that make a line of its values, the last ones of `configure`. `style`: console or json."""
    if style == "json":
        return (_cut, structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    # Quotes around every text: the renderer escapes what is within them.
    console = structlog.dev.ConsoleRenderer(colors=colors, repr_native_str=True)
    return (_cut, structlog.processors.format_exc_info, _indent, console)


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
