"""A token bucket. `now` is passed in; nothing here reads a clock."""


class TokenBucket:
    """Allows `rate` actions a second on average, and as many at once. `now` is in seconds, from any monotonic clock."""

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
