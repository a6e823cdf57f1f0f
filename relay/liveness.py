"""Deadlines of many connections with one timer: who has to be looked at now.

A wheel of one-second slots. A connection that was active in the meantime is not moved when it is active, which would cost
something a message, but looked at when its slot comes, and put into a later one.
"""

from collections import defaultdict
from typing import Protocol


class Watched(Protocol):
    """Something with a deadline."""

    def on_deadline(self, now: float) -> float | None:
        """Called when the deadline has passed, with the time (seconds, monotonic); returns the next deadline, or None."""


class Wheel:
    """Calls `on_deadline` of what it watches, at most one second after the deadline.

    Bound by the number of watched objects; each is in one slot. `tick` must be called about once a second.
    """

    def __init__(self, now: float) -> None:
        self._slots: defaultdict[int, set[Watched]] = defaultdict(set)
        self._slot_of: dict[Watched, int] = {}
        self._last = int(now)

    def __len__(self) -> int:
        return len(self._slot_of)

    def watch(self, watched: Watched, deadline: float) -> None:
        """Look at `watched` once `deadline` (seconds, monotonic) has passed; replaces an earlier deadline."""
        self.forget(watched)
        slot = max(int(deadline), self._last) + 1
        self._slots[slot].add(watched)
        self._slot_of[watched] = slot

    def forget(self, watched: Watched) -> None:
        """Look at it no more."""
        slot = self._slot_of.pop(watched, None)
        if slot is None:
            return
        watchers = self._slots[slot]
        watchers.discard(watched)
        if not watchers:
            del self._slots[slot]

    def tick(self, now: float) -> None:
        """Look at everything whose deadline has passed at `now`."""
        for slot in range(self._last + 1, int(now) + 1):
            for watched in self._slots.pop(slot, ()):
                if self._slot_of.get(watched) != slot:  # forgotten or moved by one before it in this slot
                    continue
                del self._slot_of[watched]
                following = watched.on_deadline(now)
                if following is not None:
                    self.watch(watched, following)
        self._last = max(self._last, int(now))
