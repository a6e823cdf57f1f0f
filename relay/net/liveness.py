"""Deadlines of many connections with one timer: who has to be looked at now.

A wheel of one-second slots. A connection that was active in the meantime is not moved when it is active, which would cost
something a message, but looked at when its slot comes, and put into a later one.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Protocol


class Watched(Protocol):
    """Something with a deadline."""

    wheel_slot: int
    """The wheel's own: where it looks at this next, 0 where it does not."""

    def on_deadline(self, now: float) -> float | None:
        """Called when the deadline has passed, with the time (seconds, monotonic); returns the next deadline, or None."""


class Wheel:
    """Calls `on_deadline` of what it watches, at most one second after the deadline.

    Bound by the number of watched objects; each is in one slot. `tick` must be called about once a second.
    """

    def __init__(self, now: float) -> None:
        self._slots: dict[int, set[Watched]] = {}
        self._last = int(now)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Watched]:
        return chain.from_iterable(self._slots.values())

    def watch(self, watched: Watched, deadline: float) -> None:
        """Look at `watched` once `deadline` (seconds, monotonic) has passed; replaces an earlier deadline."""
        if watched.wheel_slot:
            self._slots[watched.wheel_slot].discard(watched)
        else:
            self._count += 1
        slot = watched.wheel_slot = max(int(deadline), self._last) + 1
        watchers = self._slots.get(slot)
        if watchers is None:
            self._slots[slot] = {watched}
        else:
            watchers.add(watched)

    def forget(self, watched: Watched) -> None:
        """Look at it no more."""
        if watched.wheel_slot:
            self._slots[watched.wheel_slot].discard(watched)
            watched.wheel_slot = 0
            self._count -= 1

    def tick(self, now: float) -> None:
        """Look at everything whose deadline has passed at `now`."""
        slots = range(self._last + 1, int(now) + 1)
        self._last = max(self._last, int(now))  # first: nothing is put into a slot that is over
        for slot in slots:
            # Stays in its place until it is empty: one may forget another of the same slot.
            watchers = self._slots.get(slot, set())
            while watchers:
                watched = watchers.pop()
                watched.wheel_slot = 0
                self._count -= 1
                following = watched.on_deadline(now)
                if following is not None:
                    self.watch(watched, following)
            self._slots.pop(slot, None)
