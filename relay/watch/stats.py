"""What was counted: plain figures that can be added up.

Counting is adding to plain integers, cheap enough for every message; names, help and labels are made when somebody asks.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from relay.protocol.errors import CloseCode
from relay.protocol.webhooks import CAUSES
from relay.wire.codes import WebSocketCode

# Kinds of messages from clients: commands, and what was answered with an error.
RECEIVED: Final = ("subscribe", "unsubscribe", "signin", "client_event", "ping", "pong", "refused")
# Kinds of messages to clients: a back end's events, client events, what the relay tells subscribers, answers to one client.
SENT: Final = ("event", "client_event", "internal", "answer")

# Upper bounds of the latency histograms, in seconds: of API requests, and of attempts to deliver webhooks.
BUCKETS: Final = (0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
WEBHOOK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# The codes that have a figure of their own; a client may close with any.
_CODES: Final = frozenset({*CloseCode, *WebSocketCode})


class AppStats:
    """What one app did since the start. Messages and bytes are counted by kind; bytes coming in are of messages, those going
    out are of frames. Limits that were passed are counted by name, connections that ended by close code."""

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "client_events",
        "closes",
        "connections_opened",
        "connections_refused",
        "events_published",
        "limits_hit",
        "messages_received",
        "messages_sent",
        "rate_limited",
        "slow_clients_cut",
    )

    def __init__(self) -> None:
        self.connections_opened = 0
        self.connections_refused = 0
        self.client_events = 0
        self.events_published = 0
        self.rate_limited = 0
        self.slow_clients_cut = 0
        self.messages_received = dict.fromkeys(RECEIVED, 0)
        self.bytes_received = dict.fromkeys(RECEIVED, 0)
        self.messages_sent = dict.fromkeys(SENT, 0)
        self.bytes_sent = dict.fromkeys(SENT, 0)
        self.closes: Counter[str] = Counter()
        self.limits_hit: Counter[str] = Counter()

    def closed(self, code: int) -> None:
        """A connection ended with `code`."""
        self.closes[str(int(code)) if code in _CODES else "other"] += 1

    def hit(self, limit: str | None) -> None:
        """The limit of this name was passed; None for none."""
        if limit is not None:
            self.limits_hit[limit] += 1


class Histogram:
    """How many values fell between the upper `bounds`, and their sum."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> Iterator[tuple[str, float]]:
        """Each bound as text, and how many values are at most that."""
        total = 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            yield bound, total


class RequestStats:
    """HTTP API requests by route and status, and how long they took."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], int] = {}
        self.latencies: dict[str, Histogram] = {}

    def add(self, route: str, status: int, seconds: float) -> None:
        """Count one request that took `seconds`."""
        key = (route, status)
        self.counts[key] = self.counts.get(key, 0) + 1
        latency = self.latencies.get(route)
        if latency is None:
            latency = self.latencies[route] = Histogram(BUCKETS)
        latency.add(seconds)


class WebhookStats:
    """What the webhooks of one app did since the start, events and attempts to deliver some of them."""

    __slots__ = ("attempts", "attempts_failed", "events_delivered", "events_dropped")

    def __init__(self) -> None:
        self.attempts = Histogram(WEBHOOK_BUCKETS)
        self.attempts_failed = 0
        self.events_delivered = 0
        # By cause.
        self.events_dropped = dict.fromkeys(CAUSES, 0)


class Gauges:
    """One app's present state, read when it is asked for."""

    __slots__ = ("channels", "connections", "subscriptions")

    def __init__(self, connections: int, channels: int, subscriptions: int) -> None:
        self.connections = connections
        self.channels = channels
        self.subscriptions = subscriptions


class ClusterStats(Struct, frozen=True):
    """How the other nodes are seen from here, over Redis. Times in seconds; the counts are since the start.

    `problem`: why Redis is not there, "" while it is. `unanswered`: commands; `unanswered_reports`: what this node holds that
    Redis may not know yet. `lease_age`: since Redis last said that it knows this node. `replayed`: messages that were read
    from the log after a cut; `gaps`: times that it did not reach back; `recovered`: messages that histories had then;
    `refused`: publishes that got 503; `stale`: times that this node was taken for dead; `reaped`: times that it began to take
    back what a dead node had; `epochs`: times that Redis had lost everything. All but the first two and `nodes` add up over
    partitions, or are the worst of them.
    """

    is_up: bool
    problem: str
    nodes: int
    round_trip: float
    unanswered: int
    unanswered_reports: int
    lease_age: float
    replayed: int
    recovered: int
    gaps: int
    refused: int
    stale: int
    reaped: int
    epochs: int
