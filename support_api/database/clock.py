"""The time, as the desk keeps it: aware UTC with whole milliseconds. The one place that reads the wall clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def to_milliseconds(moment: datetime) -> datetime:
    """Cuts a time to what the database and the API keep, so that an answer and a later reading agree."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def utc_now() -> datetime:
    """Now."""
    return to_milliseconds(datetime.now(UTC))
