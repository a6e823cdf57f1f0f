"""The last event of each cache channel (A8): kept for a while, also when nobody is subscribed.

Must not know who gets it. Bounded in entries; the one that was written longest ago goes first.
"""

from msgspec import Struct


class CachedEvent(Struct, frozen=True, gc=False):
    """The frame that subscribers get, the event's data as a JSON string, and when it is forgotten (seconds, monotonic)."""

    frame: bytes
    data: bytes
    expires: float


class EventCache:
    """Last events by channel name. `now` is passed in, from the clock that `expires` is of."""

    __slots__ = ("_entries", "_max_entries")

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: dict[str, CachedEvent] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def bound(self, max_entries: int) -> None:
        """Remember so many channels from now on."""
        self._max_entries = max_entries
        while len(self._entries) > max_entries:
            self._drop_oldest()

    def put(self, channel: str, event: CachedEvent) -> bool:
        """Remember the event in the place of the channel's earlier one; True when another channel's went for it."""
        self._entries.pop(channel, None)
        self._entries[channel] = event
        if len(self._entries) <= self._max_entries:
            return False
        self._drop_oldest()
        return True

    def get(self, channel: str, now: float) -> CachedEvent | None:
        """The channel's event, unless there is none or its time is over."""
        event = self._entries.get(channel)
        if event is not None and event.expires <= now:
            del self._entries[channel]
            return None
        return event

    def _drop_oldest(self) -> None:
        del self._entries[next(iter(self._entries))]
