"""At which pace back ends are told."""

from msgspec import Struct

from relay.protocol.webhooks import GRACE, MISS_INTERVAL


class Pace(Struct, frozen=True):
    """Times in seconds, and counts of events. The defaults are those of a running relay.

    `grace`, `miss_interval`: see relay/protocol/webhooks.py. `batch`: events of one request; `queue`: events of one cause
    that may wait for one target. `leaving`: events of one cause that may wait for the grace in one app, more
    are told at once; `missed`: channels of one app whose last miss is remembered, of others each miss is told. `timeout`: one
    attempt; `first_pause` after a failure doubles up to `longest_pause`; `budget`: all attempts for one batch. `flush`: how
    long a graceful stop may take to hand over the rest.
    """

    grace: float = GRACE
    miss_interval: float = MISS_INTERVAL
    batch: int = 100
    queue: int = 10_000
    leaving: int = 10_000
    missed: int = 10_000
    timeout: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    budget: float = 300.0
    flush: float = 5.0
