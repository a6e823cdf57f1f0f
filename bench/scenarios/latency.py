"""Latency from the call of the trigger to the delivery: one at a time, and at a fixed load that is the same for all servers.

Under load the clock of a trigger starts when it is due, not when the generator gets round to it: a server that stalls is
not spared the triggers that it held up.
"""

import time
from collections.abc import Sequence
from typing import Final

from bench.checks import stamp, verify
from bench.loop import Loop
from bench.process import Meter
from bench.publisher import Publisher
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.timed import EVENT, TimedSubscriber, percentiles
from bench.websocket import Client, close_clients, join_public

_SHARES: Final = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}


def run(target: Target, sizes: Sizes) -> Result:
    """Median, 99th percentile and maximum of both ways, in milliseconds."""
    result = Result()
    _one_at_a_time(target, sizes, result)
    _at_fixed_load(target, sizes, result)
    return result


class _Group:
    """The readers of one channel."""

    def __init__(self, target: Target, channel: str, subscribers: int, count: int) -> None:
        self.loop = Loop()
        self._clients: list[Client] = join_public(target, self.loop, subscribers, channel)
        self.readers = [TimedSubscriber(client.sock) for client in self._clients]
        for client, reader in zip(self._clients, self.readers, strict=True):
            self.loop.watch(client.sock, reader.read)
        self.requests = [target.trigger(EVENT, channel, stamp(0, number)) for number in range(count)]

    def finish(
        self, result: Result, name: str, due: Sequence[float], publishers: Sequence[Publisher], *, ordered: bool
    ) -> None:
        """Put figures and verdict into `result`; the first fifth of the triggers is warm-up."""
        latencies = []
        for reader in self.readers:
            latencies += reader.latencies(due)[len(due) // 5 :]
            verdict = verify(reader.log.common, {0: len(due)})
            if not ordered:  # triggers that were under way together may overtake each other on their way in
                verdict.misordered = 0
            result.verdict += verdict
        result.figures |= percentiles(name, latencies, _SHARES)
        result.refused += sum(publisher.refused for publisher in publishers)
        for publisher in publishers:
            publisher.close()
        close_clients(self.loop, self._clients)


def _one_at_a_time(target: Target, sizes: Sizes, result: Result) -> None:
    group = _Group(target, "bench-latency-one", 1, sizes.latency_singles)
    reader, due = group.readers[0], []
    # Where there are several nodes: from the reader's to another.
    publisher = Publisher(target.node(1), group.loop, lambda: None)
    for request in group.requests:
        before = len(reader.log.common)
        due.append(time.perf_counter())
        publisher.send(request)
        if not group.loop.run(lambda: not publisher.is_waiting and len(reader.log.common) > before, 5.0):  # noqa: B023
            break
    due += [0.0] * (len(group.requests) - len(due))
    group.finish(result, "latency_one", due, [publisher], ordered=True)


def _at_fixed_load(target: Target, sizes: Sizes, result: Result) -> None:
    group = _Group(target, "bench-latency-load", sizes.load_subscribers, sizes.load_triggers)
    idle: list[Publisher] = []
    publishers: list[Publisher] = []

    def make_publisher() -> Publisher:
        publisher = Publisher(target.node(len(publishers)), group.loop, lambda: idle.append(publisher))
        publishers.append(publisher)
        return publisher

    meter = Meter(target, group.loop)
    start = time.perf_counter() + 0.01
    due = [start + number / sizes.load_rate for number in range(len(group.requests))]
    for request, moment in zip(group.requests, due, strict=True):
        while group.loop.spin() < moment:
            pass
        publisher = idle.pop() if idle else make_publisher()
        publisher.send(request)
    group.loop.run(lambda: all(reader.has(len(due)) for reader in group.readers), 5.0)
    usage = meter.stop()
    if usage.nodes:
        result.figures["latency_load.server_busy"] = sum(usage.nodes) / usage.seconds
    group.finish(result, "latency_load", due, publishers, ordered=False)
