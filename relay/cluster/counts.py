"""When subscribers are told how many they are (A9): soon in a small channel, now and then in a large one.

Must not know who is subscribed or how a count is sent.
"""

from collections.abc import Callable
from typing import Final

# A9: up to so many subscribers a change is told at once, if none was told within the last SMALL_INTERVAL seconds: one client
# that comes and goes without end must not make ten thousand events for each other one. Above, at most once in INTERVAL
# seconds.
SMALL_CHANNEL: Final = 100
SMALL_INTERVAL: Final = 0.1
INTERVAL: Final = 5.0

_Key = tuple[str, str]


class SubscriptionCounts:
    """Calls `tell(app_id, channel)` when a count is due. `now` is in seconds, monotonic; call `tick` about once a second, and
    it calls `later(seconds, …)`, the loop's `call_later`, for what is due sooner."""

    def __init__(
        self,
        tell: Callable[[str, str], None],
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._later = later
        # When a channel was told last, the one longest ago first; none of longer ago than INTERVAL.
        self._told_at: dict[_Key, float] = {}
        self._due: dict[_Key, float] = {}
        self._is_scheduled = False

    def changed(self, app_id: str, channel: str, count: int, now: float) -> None:
        """The channel has `count` subscribers now."""
        key = (app_id, channel)
        interval = SMALL_INTERVAL if count <= SMALL_CHANNEL else INTERVAL
        due = self._told_at.get(key, -INTERVAL) + interval
        if due <= now:
            self._tell_now(key, now)
            return
        self._due[key] = due
        if interval == SMALL_INTERVAL and not self._is_scheduled:
            self._is_scheduled = True
            self._later(SMALL_INTERVAL, self._look_soon)

    def tick(self, now: float) -> None:
        """Tell the counts that have waited long enough."""
        for key in [key for key, due in self._due.items() if due <= now]:
            self._tell_now(key, now)
        while self._told_at and now - (oldest := next(iter(self._told_at.items())))[1] >= INTERVAL:
            del self._told_at[oldest[0]]

    def _look_soon(self) -> None:
        now = self._clock()
        self.tick(now)
        self._is_scheduled = any(due <= now + SMALL_INTERVAL for due in self._due.values())
        if self._is_scheduled:
            self._later(SMALL_INTERVAL, self._look_soon)

    def _tell_now(self, key: _Key, now: float) -> None:
        self._due.pop(key, None)
        self._told_at.pop(key, None)
        self._told_at[key] = now
        self._tell(*key)
