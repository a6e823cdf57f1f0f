"""The keys of idempotent publishes: what was accepted under a key is not sent again for a while.

Must not know what was published. Bounded; the oldest key is forgotten first.
"""

from typing import Final

# How long a key is known, in seconds, and how many of an app's are. One that is forgotten sooner lets a repetition through.
ONCE_TTL: Final = 120.0
ONCE_KEYS: Final = 100_000


class OnceKeys:
    """The keys of one app, each for one channel, with the id of the event that was published."""

    def __init__(self, max_keys: int = ONCE_KEYS) -> None:
        self._max_keys = max_keys
        # In the order in which they are forgotten.
        self._ids: dict[tuple[str, str], tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def find(self, key: str, channel: str, now: float) -> str | None:
        """The id of the event that was published under the key at most ONCE_TTL ago, None when none was. `now`: seconds,
        monotonic."""
        found = self._ids.get((key, channel))
        return None if found is None or found[1] <= now else found[0]

    def keep(self, key: str, channel: str, event_id: str, now: float) -> None:
        """Remember that an event was published under the key."""
        self.tick(now)
        self._ids.pop((key, channel), None)
        self._ids[(key, channel)] = (event_id, now + ONCE_TTL)
        if len(self._ids) > self._max_keys:
            del self._ids[next(iter(self._ids))]

    def tick(self, now: float) -> None:
        """Forget the keys whose time is over."""
        over = []
        for name, (_, expires) in self._ids.items():
            if expires > now:
                break
            over.append(name)
        for name in over:
            del self._ids[name]
