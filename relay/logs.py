"""How log lines look: for people on a console, or JSON for machines. Never given a secret."""

import logging
from typing import Literal

import structlog


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
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
