"""Latency from the call of the trigger to the delivery: one at a time, and at a fixed load that is the same for all servers.

Under load the clock of a trigger starts when it is due, not when the generator gets round to it: a server that stalls is
not spared the triggers that it held up.
"""

import socket
import time
from collections.abc import Sequence

from bench import frames
from bench.checks import Log, stamp, verify
from bench.loop import BUFFER, READ_BYTES, VIEW, Loop
from bench.process import Meter
from bench.publisher import Publisher
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.websocket import Client, close_clients, join_public

_EVENT = "bench"


class TimedSubscriber:
    """A reader that notes when each delivery arrived."""

    __slots__ = ("_sock", "arrived", "log", "numbers")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.log = Log()
        self.arrived: list[tuple[int, float]] = []
        """Bytes until now, and when: deliveries are told apart after the clock has stopped."""

    def read(self) -> None:
        """Take what has arrived."""
        try:
            size = self._sock.recv_into(BUFFER, READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        self.log.common += VIEW[:size]
        self.arrived.append((len(self.log.common), time.perf_counter()))

    def latencies(self, due: Sequence[float]) -> list[float]:
        """Seconds from due to arrival of each delivery; `due` is indexed by the number in the payload."""
        seconds = []
        arrived = iter(self.arrived)
        until, when = 0, 0.0
        for _, payload, end in frames.split(self.log.common):
            while until < end:
                until, when = next(arrived)
            at = payload.find(b"0000-")
            if at >= 0:
                seconds.append(when - due[int(payload[at + 5 : at + 13])])
        return seconds


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
        self.requests = [target.trigger(_EVENT, channel, stamp(0, number)) for number in range(count)]

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
        latencies.sort()
        for figure, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0)):
            at = min(len(latencies) - 1, int(len(latencies) * share))
            result.figures[f"{name}.{figure}"] = latencies[at] * 1e3 if latencies else None
        result.refused += sum(publisher.refused for publisher in publishers)
        for publisher in publishers:
            publisher.close()
        close_clients(self.loop, self._clients)


def _one_at_a_time(target: Target, sizes: Sizes, result: Result) -> None:
    group = _Group(target, "bench-latency-one", 1, sizes.latency_singles)
    reader, due = group.readers[0], []
    publisher = Publisher(target, group.loop, lambda: None)
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
        publisher = Publisher(target, group.loop, lambda: idle.append(publisher))
        publishers.append(publisher)
        return publisher

    meter = Meter(target.pid, group.loop)
    start = time.perf_counter() + 0.01
    due = [start + number / sizes.load_rate for number in range(len(group.requests))]
    for request, moment in zip(group.requests, due, strict=True):
        while group.loop.spin() < moment:
            pass
        publisher = idle.pop() if idle else make_publisher()
        publisher.send(request)
    group.loop.run(lambda: _all_arrived(group.readers, len(due)), 5.0)
    usage = meter.stop()
    if usage.server_cpu is not None:
        result.figures["latency_load.server_busy"] = usage.server_cpu / usage.seconds
    group.finish(result, "latency_load", due, publishers, ordered=False)


def _all_arrived(readers: Sequence[TimedSubscriber], count: int) -> bool:
    """Whether each reader has `count` deliveries; all are of one size."""
    for reader in readers:
        if not reader.log.frame_bytes and reader.log.common:
            reader.log.learn()
        if len(reader.log.common) < count * (reader.log.frame_bytes or 1):
            return False
    return True
