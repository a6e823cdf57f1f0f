"""Every metric of the relay, in one list, and how they are counted.

Counting is adding to plain integers, cheap enough for every message; names, help and labels are made when somebody asks.
What can be derived is derived then, so that it cannot drift. No label has unbounded values: apps and routes are few.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

# Kinds of messages from clients: commands, and what was answered with an error.
RECEIVED: Final = ("subscribe", "unsubscribe", "signin", "client_event", "ping", "pong", "refused")
# Kinds of messages to clients: a back end's events, client events, what the relay tells subscribers, answers to one client.
SENT: Final = ("event", "client_event", "internal", "answer")

# Upper bounds of the latency histogram of API requests, in seconds.
BUCKETS: Final = (0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class AppStats:
    """What one app did since the start. Messages and bytes are counted by kind; bytes coming in are of messages, those going
    out are of frames."""

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "client_events",
        "connections_opened",
        "connections_refused",
        "events_published",
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


class RequestStats:
    """HTTP API requests by route and status, and how long they took."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], int] = {}
        self.buckets: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}

    def add(self, route: str, status: int, seconds: float) -> None:
        """Count one request that took `seconds`."""
        key = (route, status)
        self.counts[key] = self.counts.get(key, 0) + 1
        buckets = self.buckets.get(route)
        if buckets is None:
            buckets = self.buckets[route] = [0] * (len(BUCKETS) + 1)
        buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds[route] = self.seconds.get(route, 0.0) + seconds


class Gauges:
    """One app's present state, read when it is asked for."""

    __slots__ = ("channels", "connections", "subscriptions")

    def __init__(self, connections: int, channels: int, subscriptions: int) -> None:
        self.connections = connections
        self.channels = channels
        self.subscriptions = subscriptions


class Metrics(Collector):
    """All metrics of one relay. `stats`, `gauges` and `dropped` look at the parts that know."""

    def __init__(
        self,
        stats: Callable[[], Mapping[str, AppStats]],
        gauges: Callable[[], Iterable[tuple[str, Gauges]]],
        dropped: Callable[[], Mapping[str, int]],
    ) -> None:
        self.requests = RequestStats()
        self.loop_lag = 0.0
        self._stats = stats
        self._gauges = gauges
        self._dropped = dropped
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
        dropped = CounterMetricFamily("relay_webhook_events_dropped", "Webhook events given up", labels=["app"])
        for app_id, count in self._dropped().items():
            dropped.add_metric([app_id], count)
        yield dropped
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
        for route, buckets in self.requests.buckets.items():
            latency.add_metric([route], list(_cumulative(buckets)), self.requests.seconds[route])
        yield latency


def _cumulative(buckets: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip([*(str(bound) for bound in BUCKETS), "+Inf"], buckets, strict=True):
        total += count
        yield bound, total
