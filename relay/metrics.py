"""Every metric of the relay, in one list, and how they are counted.

Counting is adding to plain integers, cheap enough for every message; names, help and labels are made when somebody asks.
What can be derived is derived then, so that it cannot drift. No label has unbounded values: apps and routes are few.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from relay.protocol.errors import CloseCode, WebSocketCode

# Kinds of messages from clients: commands, and what was answered with an error.
RECEIVED: Final = ("subscribe", "unsubscribe", "signin", "client_event", "ping", "pong", "refused")
# Kinds of messages to clients: a back end's events, client events, what the relay tells subscribers, answers to one client.
SENT: Final = ("event", "client_event", "internal", "answer")

# Causes of webhook events: strangers; who was let in, by joining and leaving; who was let in, as a member. Each has room of
# its own in a queue.
ANYBODY: Final = "anybody"
CHANNELS: Final = "channels"
MEMBERS: Final = "members"
CAUSES: Final = (ANYBODY, CHANNELS, MEMBERS)

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


_COUNTERS: Final = {
    "connections_opened": "Connections that were welcomed",
    "connections_refused": "Connections of a known app that were refused",
    "client_events": "Client events that were passed on",
    "events_published": "Events that back ends triggered, once a channel",
    "rate_limited": "Client events and API requests over a rate limit",
    "slow_clients_cut": "Connections closed because the client read too slowly",
}

_COUNTERS_BY_KIND: Final = {
    "messages_received": "Messages from clients; those of kind refused were answered with an error",
    "bytes_received": "Bytes of messages from clients",
    "messages_sent": "Messages to clients, each as often as it was sent",
    "bytes_sent": "Bytes of messages to clients",
}

_WEBHOOK_COUNTERS: Final = {
    "events_delivered": "Webhook events that a target has taken",
    "attempts_failed": "Requests to webhook targets that were not answered with 2xx in time",
}


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


class Metrics(Collector):
    """All metrics of one relay. `stats`, `gauges` and `webhooks` look at the parts that know; the last one says by app what
    was done, and how many events wait."""

    def __init__(
        self,
        stats: Callable[[], Mapping[str, AppStats]],
        gauges: Callable[[], Iterable[tuple[str, Gauges]]],
        webhooks: Callable[[], Mapping[str, tuple[WebhookStats, int]]],
    ) -> None:
        self.requests = RequestStats()
        self.loop_lag = 0.0
        self._stats = stats
        self._gauges = gauges
        self._webhooks = webhooks
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client.registry.Collector."""
        yield from self._collect_gauges()
        for name, text in _COUNTERS.items():
            family = CounterMetricFamily(f"relay_{name}", text, labels=["app"])
            for app_id, stats in self._stats().items():
                family.add_metric([app_id], getattr(stats, name))
            yield family
        for name, text in _COUNTERS_BY_KIND.items():
            yield self._by_kind(name, text)
        yield from self._collect_tallies()
        yield from self._collect_webhooks()
        yield from self._collect_requests()
        yield GaugeMetricFamily("relay_loop_lag_seconds", "How late the last tick of the event loop was", self.loop_lag)

    def _by_kind(self, name: str, text: str) -> Metric:
        family = CounterMetricFamily(f"relay_{name}", text, labels=["app", "kind"])
        for app_id, stats in self._stats().items():
            counts: dict[str, int] = getattr(stats, name)
            for kind, count in counts.items():
                family.add_metric([app_id, kind], count)
        return family

    def _collect_gauges(self) -> Iterator[Metric]:
        names = {"connections": "Open connections", "channels": "Occupied channels", "subscriptions": "Subscriptions"}
        families = {name: GaugeMetricFamily(f"relay_{name}", text, labels=["app"]) for name, text in names.items()}
        for app_id, gauges in self._gauges():
            for name, family in families.items():
                family.add_metric([app_id], getattr(gauges, name))
        yield from families.values()

    def _collect_requests(self) -> Iterator[Metric]:
        counts = CounterMetricFamily("relay_api_requests", "HTTP API requests", labels=["route", "status"])
        for (route, status), count in self.requests.counts.items():
            counts.add_metric([route, str(status)], count)
        yield counts
        latency = HistogramMetricFamily(
            "relay_api_request_seconds", "Time that HTTP API requests took", labels=["route"]
        )
        for route, histogram in self.requests.latencies.items():
            latency.add_metric([route], list(histogram.cumulative()), histogram.sum)
        yield latency

    def _collect_tallies(self) -> Iterator[Metric]:
        closed = CounterMetricFamily(
            "relay_connections_closed", "Connections that ended, by close code", labels=["app", "code"]
        )
        limits = CounterMetricFamily("relay_limits_hit", "Times that a limit was passed", labels=["app", "limit"])
        for app_id, stats in self._stats().items():
            for code, count in stats.closes.items():
                closed.add_metric([app_id, code], count)
            for limit, count in stats.limits_hit.items():
                limits.add_metric([app_id, limit], count)
        yield from (closed, limits)

    def _collect_webhooks(self) -> Iterator[Metric]:
        counters = {
            name: CounterMetricFamily(f"relay_webhook_{name}", text, labels=["app"])
            for name, text in _WEBHOOK_COUNTERS.items()
        }
        dropped = CounterMetricFamily(
            "relay_webhook_events_dropped", "Webhook events given up, by who made them happen", labels=["app", "cause"]
        )
        waiting = GaugeMetricFamily("relay_webhook_events_waiting", "Webhook events in the queues", labels=["app"])
        seconds = HistogramMetricFamily(
            "relay_webhook_attempt_seconds", "Time that requests to webhook targets took", labels=["app"]
        )
        for app_id, (stats, count) in self._webhooks().items():
            for name, family in counters.items():
                family.add_metric([app_id], getattr(stats, name))
            for cause, lost in stats.events_dropped.items():
                dropped.add_metric([app_id, cause], lost)
            waiting.add_metric([app_id], count)
            seconds.add_metric([app_id], list(stats.attempts.cumulative()), stats.attempts.sum)
        yield from (*counters.values(), dropped, waiting, seconds)
