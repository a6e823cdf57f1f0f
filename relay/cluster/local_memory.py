"""What a relay of one node remembers: last events of cache channels, histories, keys of idempotent publishes, a rate.

Everything is bounded by the limits of its app. Must not know who is subscribed.
"""

from collections.abc import Callable
from typing import Final

from pushdesk.ratelimit import TokenBucket
from relay.cluster.bus import Accepted, History, Kept, Unavailable
from relay.cluster.cache import CachedEvent, EventCache
from relay.cluster.history import Histories
from relay.cluster.memory import LastEvent, Recovered
from relay.cluster.once import OnceKeys
from relay.cluster.receiver import Receiver
from relay.protocol.limits import Limits
from relay.wire.frames import text_frame

ACCEPTED: Final = Accepted()


class LocalMemory:
    """See relay.cluster.memory.Memory. `clock` gives seconds, monotonic, `unix_ms` what ids are made of; `epoch`: see
    Histories."""

    def __init__(self, clock: Callable[[], float], unix_ms: Callable[[], int], epoch: str) -> None:
        self._clock = clock
        self._unix_ms = unix_ms
        self._epoch = epoch
        self._receiver: Receiver | None = None
        self._apps: dict[str, _Remembered] = {}

    def start(self, receiver: Receiver) -> None:
        """Remember for the apps of this node."""
        self._receiver = receiver

    def keep(self, app_id: str, channel: str, message: bytes, kept: Kept) -> tuple[Accepted, bytes]:
        """Remember what is published, as far as `kept` asks for it: what the publisher is answered, and the frame to send;
        none for a repetition."""
        app, now = self._of(app_id), self._clock()
        earlier = None if kept.once is None else app.once.find(kept.once, channel, now)
        if earlier is not None:
            return Accepted(earlier, is_replay=True), b""
        accepted, frame = ACCEPTED, b""
        if kept.history is not None:
            event_id, frame, has_forgotten = app.histories.add(channel, message, kept.history, self._unix_ms(), now)
            accepted = Accepted(event_id)
            self._hit(app_id, "history_bytes", has_forgotten)
        frame = frame or text_frame(message)
        if kept.cache_ttl:
            last = text_frame(message) if accepted.id else frame
            has_forgotten = app.cache.put(channel, CachedEvent(last, kept.data, now + kept.cache_ttl))
            self._hit(app_id, "cached_events", has_forgotten)
        if kept.once is not None:
            app.once.keep(kept.once, channel, accepted.id, now)
        return accepted, frame

    def last(self, app_id: str, channel: str, done: Callable[[LastEvent | Unavailable | None], None]) -> None:
        """See Memory."""
        now = self._clock()
        event = self._of(app_id).cache.get(channel, now)
        done(None if event is None else LastEvent(event.frame, event.data, event.expires - now))

    def since(
        self,
        app_id: str,
        channel: str,
        position: str,
        history: History,
        done: Callable[[Recovered | Unavailable], None],
    ) -> None:
        """See Memory."""
        done(self._of(app_id).histories.since(channel, position, self._clock()))

    def take(self, app_id: str, rate: int, done: Callable[[bool | Unavailable], None]) -> None:
        """See Memory."""
        app, now = self._of(app_id), self._clock()
        if app.bucket is None or app.bucket.rate != rate:  # a reload may have changed it
            app.bucket = TokenBucket(rate, now)
        done(app.bucket.take(now))

    def reload(self, receiver: Receiver) -> None:
        """Forget what was of apps that are gone, and what is over the limits of the others."""
        for app_id in list(self._apps):
            settings = receiver.app(app_id)
            if settings is None:
                del self._apps[app_id]
            else:
                self._apps[app_id].bound(settings.limits)

    def tick(self, now: float) -> None:
        """Forget what is over."""
        for app in self._apps.values():
            app.histories.tick(now)
            app.once.tick(now)

    def _of(self, app_id: str) -> "_Remembered":
        app = self._apps.get(app_id)
        if app is None:
            settings = None if self._receiver is None else self._receiver.app(app_id)
            app = self._apps[app_id] = _Remembered(self._epoch, Limits() if settings is None else settings.limits)
        return app

    def _hit(self, app_id: str, limit: str, is_passed: bool) -> None:
        if is_passed and self._receiver is not None:
            self._receiver.hit(app_id, limit)


class _Remembered:
    """What is remembered of one app."""

    __slots__ = ("bucket", "cache", "histories", "once")

    def __init__(self, epoch: str, limits: Limits) -> None:
        self.cache = EventCache(limits.cached_events)
        self.histories = Histories(epoch, limits.history_bytes)
        self.once = OnceKeys()
        self.bucket: TokenBucket | None = None

    def bound(self, limits: Limits) -> None:
        """Go on under changed limits."""
        self.cache.bound(limits.cached_events)
        self.histories.bound(limits.history_bytes)
