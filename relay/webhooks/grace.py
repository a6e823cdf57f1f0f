"""Channels and members that are gone, and perhaps for a moment only: a page that reloads leaves and comes back (D)."""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import TypeVar

from relay.protocol.webhooks import WebhookEvent, cause_of

K = TypeVar("K")
V = TypeVar("V")


class Leaving:
    """Channels and members of one app that are gone, and perhaps for a moment only."""

    def __init__(self) -> None:
        # What would undo it (that event's name, channel, user) → when it is told, and what; the next one due comes first.
        self._events: dict[tuple[str, str, str | None], tuple[float, WebhookEvent]] = {}
        self._count: Counter[str] = Counter()

    def add(self, event: WebhookEvent, came_name: str, due: float, most: int) -> bool:
        """Wait with it until `due`; False when `most` of the same cause wait already."""
        cause = cause_of(event)
        if self._count[cause] >= most:
            return False
        self._events[came_name, event.channel, event.user_id] = due, event
        self._count[cause] += 1
        return True

    def undo(self, event: WebhookEvent) -> bool:
        """Whether somebody is back of whom nobody has heard that they were gone."""
        if self._events.pop((event.name, event.channel, event.user_id), None) is None:
            return False
        self._count[cause_of(event)] -= 1
        return True

    def take_due(self, now: float) -> list[WebhookEvent]:
        """Those of whom it is to be told at `now`, in the order in which they left."""
        keys = due_of(self._events, lambda one: one[0] <= now)
        events = [self._events.pop(key)[1] for key in keys]
        self._count.subtract(map(cause_of, events))
        return events


def due_of(waiting: Mapping[K, V], is_due: Callable[[V], bool]) -> list[K]:
    """The keys of the first ones that are due; none after one that is not is looked at."""
    return [key for key, _ in takewhile(lambda item: is_due(item[1]), waiting.items())]
