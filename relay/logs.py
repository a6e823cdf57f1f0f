"""How log lines look: for people on a console, or JSON for machines. Never given a secret.

What a stranger sent may stand in a line, and can neither make it long nor make it look like two: values are cut, and the
renderers escape what is not a printable character.
"""

import sys
import textwrap
from collections.abc import MutableMapping
from functools import partial
from typing import Any, Final, Literal

import structlog

from pushdesk import logs

# Characters of one value in a line.
MAX_VALUE: Final = 500


def configure(level: str, style: Literal["console", "json"], worker: int | None = None) -> None:
    """Set up structlog for the process; `level` is debug, info, warning or error. Lines of one of several workers name it."""
    named = () if worker is None else (partial(_name, worker),)
    renderers = _JSON if style == "json" else _CONSOLE
    logs.configure(level, sys.stdout, [*named, _cut, structlog.processors.format_exc_info, *renderers], is_cached=True)


def _name(worker: int, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say which worker a line is of."""
    line["worker"] = worker
    return line


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
