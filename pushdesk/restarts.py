"""How long to wait before a process is started again that ended by itself. Reads no clock: `now` is passed in, in seconds."""

from typing import Final

# Seconds: the first pause; the longest one, as they double; and how long a process has to run until the next end of it counts
# as a first one.
SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
LONG: Final = 10.0


class Restarts:
    """The pauses of one process that is started again and again."""

    __slots__ = ("_pause", "_started")

    def __init__(self) -> None:
        self._pause = 0.0
        self._started = 0.0

    def started(self, now: float) -> None:
        """It is started, or tried to be."""
        self._started = now

    def pause(self, now: float) -> float:
        """It has ended, or could not be started: seconds to wait."""
        before = self._pause if now - self._started < LONG else 0.0
        self._pause = min(LONGEST_PAUSE, before * 2 or SHORTEST_PAUSE)
        return self._pause
