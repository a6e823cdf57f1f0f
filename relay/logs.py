"""How the relay logs: on its standard output, the lines of one of several workers with its number."""

import sys
from collections.abc import MutableMapping
from functools import partial
from typing import Any, Literal

from pushdesk import logs


def configure(level: str, style: Literal["console", "json"], worker: int | None = None) -> None:
    """Set up structlog for the process; `level` is debug, info, warning or error. Lines of one of several workers name it."""
    named = () if worker is None else (partial(_name, worker),)
    logs.configure(level, sys.stdout, [*named, *logs.rendered(style)], is_cached=True)


def _name(worker: int, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say which worker a line is of."""
    line["worker"] = worker
    return line
