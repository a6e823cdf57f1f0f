"""How the desk logs: on its standard error, and what the libraries under it have to say as well. Never given a secret."""

import logging
import sys

from structlog.contextvars import merge_contextvars

from pushdesk import logs


def set_up_logs(level: str, style: str) -> None:
    """Set up the logs of the process; `level` is debug, info, warning or error; `style` is
    console or json."""
    rank = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=max(rank, logging.WARNING), force=True)
    shown = logs.rendered(style, colors=sys.stderr.isatty())
    logs.configure(level, sys.stderr, [merge_contextvars, *shown], is_cached=False)
