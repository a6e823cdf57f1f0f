"""When subscribers are told how many they are (A9): at once in a small channel, now and then in a large one.

Must not know connections or how a count is sent.
"""

from collections.abc import Callable
from typing import Final

# A9: up to so many subscribers each change is told; above, at most once in INTERVAL seconds.
SMALL_CHANNEL: Final = 100
INTERVAL: Final = 5.0


class SubscriptionCounts:
    """Calls `tell(app_id, channel)` when a count is due. `now` is in seconds, monotonic; call `tick` about once a second."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._told_at: dict[tuple[str, str], float] = {}
        self._due: set[tuple[str, str]] = set()

    def changed(self, app_id: str, channel: str, count: int, now: float) -> None:
        """The channel has `count` subscribers now."""
        key = (app_id, channel)
        if count <= SMALL_CHANNEL:
            self._due.discard(key)
            self._told_at.pop(key, None)
            self._tell(app_id, channel)
        elif now - self._told_at.get(key, -INTERVAL) >= INTERVAL:
            self._told_at[key] = now
            self._tell(app_id, channel)
        else:
            self._due.add(key)

    def tick(self, now: float) -> None:
        """Tell the counts that have waited long enough."""
        for key in [key for key in self._due if now - self._told_at[key] >= INTERVAL]:
            self._due.discard(key)
            self._told_at[key] = now
            self._tell(*key)
