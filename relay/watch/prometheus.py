"""Every metric of the relay, in one list: names, help and labels, made when somebody asks. Counting is in stats.py.

What can be derived is derived then, so that it cannot drift. No label has unbounded values: apps and routes are few.
The only place that knows the library.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, cast

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from relay.watch.stats import AppStats, ClusterStats, Gauges, RequestStats, WebhookStats
from relay.watch.sums import Family, Sample

# Of what `render` returns.
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_COUNTERS: Final = {
    "connections_opened": "Connections that were welcomed",
    "connections_refused": "Connections of a known app that were refused",
    "client_events": "Client events that were passed on",
    "events_published": "Events that back ends triggered, once a channel, replays of idempotent ones left out",
    "rate_limited": "Client events and API requests over a rate limit",
    "slow_clients_cut": "Connections closed because the client read too slowly",
}

_COUNTERS_BY_KIND: Final = {
    "messages_received": "Messages from clients; those of kind refused were answered with an error",
    "bytes_received": "Bytes of messages from clients",
    "messages_sent": "Messages to clients, each as often as it was sent",
    "bytes_sent": "Bytes of messages to clients",
}

_CLUSTER_GAUGES: Final = {
    "up": ("is_up", "1 while Redis is there and this node is in step with the others"),
    "round_trip_seconds": ("round_trip", "Time that Redis took to answer last"),
    "unanswered_commands": ("unanswered", "Commands to Redis that wait for an answer"),
    "unanswered_reports": ("unanswered_reports", "What this node holds and Redis may not know yet"),
    "lease_age_seconds": ("lease_age", "Time since Redis last said that it knows this node"),
    "nodes": ("nodes", "Nodes that are alive, as Redis last said"),
}

_CLUSTER_COUNTERS: Final = {
    "messages_replayed": ("replayed", "Messages that were read from the log after a lost connection"),
    "messages_recovered": (
        "recovered",
        "Messages that were not in the log any more, and still in the histories of channels",
    ),
    "gaps": ("gaps", "Times that the log did not reach back, and what no history had was lost to this node"),
    "publishes_refused": ("refused", "Publishes that got 503"),
    "taken_for_dead": ("stale", "Times that this node had lost its lease"),
    "taken_back": ("reaped", "Times that this node began to take back what a dead one had"),
    "data_lost": ("epochs", "Times that Redis had lost everything"),
}

_WEBHOOK_COUNTERS: Final = {
    "events_delivered": "Webhook events that a target has taken",
    "attempts_failed": "Requests to webhook targets that were not answered with 2xx in time",
}


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
        # How the other nodes are seen from here, where there are any.
        self.cluster: Callable[[], ClusterStats] | None = None
        self._stats = stats
        self._gauges = gauges
        self._webhooks = webhooks
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    async def text(self) -> bytes:
        """The same, for whoever may have to wait for it."""
        return self.render()

    def snapshot(self) -> list[Family]:
        """All metrics as values that can be sent to another process and added up there."""
        return [_family_of(metric) for metric in self.collect()]

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
        yield from self._collect_cluster()
        yield GaugeMetricFamily("relay_loop_lag_seconds", "How late the last tick of the event loop was", self.loop_lag)

    def _by_kind(self, name: str, text: str) -> Metric:
        family = CounterMetricFamily(f"relay_{name}", text, labels=["app", "kind"])
        for app_id, stats in self._stats().items():
            counts: dict[str, int] = getattr(stats, name)
            for kind, count in counts.items():
                family.add_metric([app_id, kind], count)
        return family

    def _collect_gauges(self) -> Iterator[Metric]:
        names = {
            "connections": "Open connections",
            "channels": "Channels with subscribers here: a sum over nodes or workers counts one once for each",
            "subscriptions": "Subscriptions",
        }
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

    def _collect_cluster(self) -> Iterator[Metric]:
        if self.cluster is None:
            return
        stats = self.cluster()
        for name, (field, text) in _CLUSTER_GAUGES.items():
            yield GaugeMetricFamily(f"relay_cluster_{name}", text, float(getattr(stats, field)))
        for name, (field, text) in _CLUSTER_COUNTERS.items():
            yield CounterMetricFamily(f"relay_cluster_{name}", text, getattr(stats, field))

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


class _Given(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client.registry.Collector."""
        for family in self._families:
            metric = Metric(family.name, family.help, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric


def render(families: Iterable[Family]) -> bytes:
    """Metrics of other processes in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Given(families))
    return generate_latest(registry)


def _family_of(metric: Metric) -> Family:
    kind = cast(Literal["counter", "gauge", "histogram"], metric.type)  # there are no others above
    samples = tuple(Sample(sample.name, tuple(sample.labels.items()), sample.value) for sample in metric.samples)
    return Family(metric.name, metric.documentation, kind, samples)
