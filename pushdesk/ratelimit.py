"""How often somebody may do something. Nothing here reads a clock: `now` is passed in, in seconds of any monotonic clock."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Final

# Callers that a window remembers; beyond it the one not seen for the longest time is forgotten, so memory stays bounded.
MAX_KEYS: Final = 100_000


class TokenBucket:
    """Allows `rate` actions a second on average, and as many at once."""

    __slots__ = ("_stamp", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = rate
        self._stamp = now

    def take(self, now: float) -> bool:
        """Take one token; False when none is left."""
        tokens = min(self.rate, self._tokens + (now - self._stamp) * self.rate)
        self._stamp = now
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True


class SlidingWindow:
    """At most `limit` times within any `seconds`, for each key on its own. A limit of 0 means no limit."""

    def __init__(self, limit: int, seconds: float, max_keys: int = MAX_KEYS) -> None:
        self._limit = limit
        self._seconds = seconds
        self._max_keys = max_keys
        self._seen: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def count(self, key: Hashable, now: float) -> float:
        """Count one more time and return 0; or count nothing and return the seconds to wait."""
        if self._limit == 0:
            return 0.0
        times = self._times(key)
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if len(times) >= self._limit:
            return times[0] + self._seconds - now
        times.append(now)
        return 0.0

    def give_back(self, key: Hashable) -> None:
        """Take the newest count of a key back."""
        times = self._seen.get(key)
        if times:
            times.pop()

    def _times(self, key: Hashable) -> deque[float]:
        times = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        if len(self._seen) > self._max_keys:
            self._seen.popitem(last=False)
        return times
