"""How often somebody may do something. Pure: the time is passed in, in seconds of any steady clock."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable

MAX_KEYS = 100_000
"""Callers remembered at most; beyond it the one not seen for the longest time is forgotten, so memory stays bounded."""


class Window:
    """At most `limit` times within any `seconds`, for each key on its own. A limit of 0 means no limit."""

    def __init__(self, limit: int, seconds: float, max_keys: int = MAX_KEYS) -> None:
        self._limit = limit
        self._seconds = seconds
        self._max_keys = max_keys
        self._seen: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def take(self, key: Hashable, now: float) -> float:
        """Counts one more time and returns 0; or counts nothing and returns the seconds to wait."""
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
        """Takes the newest count of a key back."""
        times = self._seen.get(key)
        if times:
            times.pop()

    def _times(self, key: Hashable) -> deque[float]:
        times = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        if len(self._seen) > self._max_keys:
            self._seen.popitem(last=False)
        return times
