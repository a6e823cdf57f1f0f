import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from relay.watch.prometheus import Metrics, render
from relay.watch.stats import AppStats, Gauges
from relay.watch.sums import Ended, Family, Sample, add_up

COUNTER = "relay_events_published"


def counted(value: float, **labels: str) -> Family:
    return Family(COUNTER, "Events", "counter", (Sample(f"{COUNTER}_total", tuple(labels.items()), value),))


def gauge(name: str, value: float) -> Family:
    return Family(name, "A gauge", "gauge", (Sample(name, (), value),))


def values(families: list[Family]) -> dict[str, float]:
    return {f"{sample.name}{dict(sample.labels)}": sample.value for family in families for sample in family.samples}


def metrics_of(published: int, lag: float) -> Metrics:
    stats = AppStats()
    stats.events_published = published
    metrics = Metrics(lambda: {"1": stats}, lambda: [("1", Gauges(published, 1, 1))], dict)
    metrics.requests.add("events", 200, 0.002)
    metrics.loop_lag = lag
    return metrics


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=5))
def test_counters_and_gauges_are_added_up_by_their_labels(counts: list[int]) -> None:
    processes = [
        [counted(count, app=str(at % 2)), gauge("relay_connections", count)] for at, count in enumerate(counts)
    ]
    found = values(add_up(processes))
    assert found["relay_connections{}"] == sum(counts)
    assert found[f"{COUNTER}_total{{'app': '0'}}"] == sum(counts[::2])


@pytest.mark.parametrize(
    ("name", "told", "expected"),
    [
        ("relay_loop_lag_seconds", [0.25, 1.5, 0.5], 1.5),
        ("relay_cluster_nodes", [3, 4, 3], 4),
        ("relay_cluster_up", [1, 0, 1], 0),
        ("relay_cluster_unanswered_commands", [1, 0, 2], 3),
    ],
)
def test_of_some_gauges_one_process_counts(name: str, told: list[float], expected: float) -> None:
    assert values(add_up([[gauge(name, value)] for value in told])) == {f"{name}{{}}": expected}


def test_what_an_ended_process_counted_stays_and_what_it_held_does_not() -> None:
    ended = Ended()
    ended.add([counted(5, app="1"), gauge("relay_connections", 7)])
    ended.add([counted(2, app="1")])
    found = values(add_up([[counted(1, app="1"), gauge("relay_connections", 1)], ended.families]))
    assert found == {f"{COUNTER}_total{{'app': '1'}}": 8, "relay_connections{}": 1}


def test_the_text_of_one_process_is_the_same_by_either_way() -> None:
    metrics = metrics_of(3, 0.5)
    assert render(metrics.snapshot()) == metrics.render()


def test_the_text_of_several_is_what_prometheus_reads() -> None:
    told = [metrics_of(3, 0.5).snapshot(), metrics_of(4, 0.25).snapshot()]
    families = {family.name: family for family in text_string_to_metric_families(render(add_up(told)).decode())}
    assert [sample.value for sample in families[COUNTER].samples] == [7]
    samples = families["relay_api_request_seconds"].samples
    buckets = {sample.labels["le"]: sample.value for sample in samples if "le" in sample.labels}
    assert buckets["0.001"] == 0
    assert buckets["0.0025"] == buckets["+Inf"] == 2
