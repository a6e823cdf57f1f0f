"""At which pace back ends are told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Times in seconds, and counts of events. The defaults are those of a running relay.

    `grace`: D: a page that reloads leaves and comes back; within this time nobody is told. `miss_interval`: several clients
    that miss the same cached event at once are told of once in this time. `batch`: events of one request; `queue`: events
    of one cause that may wait for one target. `leaving`: events of one cause that may wait for the grace in one app, more
    are told at once; `missed`: channels of one app whose last miss is remembered, of others each miss is told. `timeout`: one
    attempt; `first_pause` after a failure doubles up to `longest_pause`; `budget`: all attempts for one batch. `flush`: how
    long a graceful stop may take to hand over the rest.
    """

    grace: float = 3.0
    miss_interval: float = 3.0
    batch: int = 100
    queue: int = 10_000
    leaving: int = 10_000
    missed: int = 10_000
    timeout: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    budget: float = 300.0
    flush: float = 5.0
