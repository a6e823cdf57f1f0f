"""A token bucket. `now` is passed in; nothing here reads a clock."""


class TokenBucket:
    """Allows `rate` actions a second on average, and as many at once. `now` is in seconds, from any monotonic clock."""

    __slots__ = ("_rate", "_stamp", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._stamp = now

    def take(self, now: float) -> bool:
        """Take one token; False when none is left."""
        tokens = min(self._rate, self._tokens + (now - self._stamp) * self._rate)
        self._stamp = now
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True
