"""Sets up the logs of the process: lines for people or JSON for machines. Nothing else; secrets never get this far."""

from __future__ import annotations

import logging
import sys

import orjson
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import format_exc_info
from structlog.typing import Processor

from pushdesk import logs


def set_up_logs(level: str, form: str) -> None:
    """`level`: debug, info, warning or error. `form`: console or json. Lines go to stderr."""
    rank = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=max(rank, logging.WARNING), force=True)
    shown: tuple[Processor, ...] = (merge_contextvars, format_exc_info, _renderer(form))
    logs.configure(level, sys.stderr, shown, is_cached=False)


def _renderer(form: str) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(
            serializer=lambda value, **_: orjson.dumps(value, default=str).decode()
        )
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
