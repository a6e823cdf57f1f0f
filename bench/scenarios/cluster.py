"""Many small channels at a fixed rate: 900 readers of 100 channels, nine deliveries a trigger, 1,000 triggers a second.

This is the shape that sockudo publishes figures of. A channel's readers are at the nodes in turn, and so are the back ends,
one for each channel: what it publishes must reach every reader in that order. Its clock runs from when a trigger is due.
"""

import time
from collections import deque
from typing import Final

from bench import frames
from bench.checks import stamp, verify
from bench.loop import Loop
from bench.process import Meter
from bench.publisher import Publisher
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.timed import EVENT, TimedSubscriber, percentiles
from bench.websocket import Client, close_clients, open_clients, subscribe_clients

_SHARES: Final = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}

# How long the last deliveries may take to arrive, in seconds.
_SETTLE: Final = 10.0


class Room:
    """One channel: its readers, and the back end that publishes there, one trigger after the other."""

    def __init__(self, node: Target, loop: Loop, channel: str, clients: list[Client], count: int) -> None:
        self.readers = [TimedSubscriber(client.sock) for client in clients]
        for client, reader in zip(clients, self.readers, strict=True):
            loop.watch(client.sock, reader.read)
        self.due: list[float] = []
        self.publisher = Publisher(node, loop, self._send_next)
        self._requests = deque(node.trigger(EVENT, channel, stamp(0, number)) for number in range(count))
        self._ready = 0

    @property
    def is_done(self) -> bool:
        """Whether all that was due is published and has arrived."""
        if self._ready or self.publisher.is_waiting:
            return False
        return all(reader.has(len(self.due)) for reader in self.readers)

    def publish(self, due: float) -> None:
        """The next trigger is due: send it now, or when the one before is answered."""
        self.due.append(due)
        self._ready += 1
        if not self.publisher.is_waiting:
            self._send_next()

    def _send_next(self) -> None:
        if self._ready:
            self._ready -= 1
            self.publisher.send(self._requests.popleft())


def run(target: Target, sizes: Sizes) -> Result:
    """Latencies of all deliveries but the first fifth, CPU a trigger, and how many triggers a second were really sent."""
    loop = Loop()
    clients, rooms = _rooms(target, loop, sizes)
    meter = Meter(target, loop)
    start = time.perf_counter() + 0.01
    for number in range(sizes.cluster_triggers):
        due = start + number / sizes.cluster_rate
        while loop.spin() < due:
            pass
        rooms[number % len(rooms)].publish(due)
    loop.run(lambda: all(room.is_done for room in rooms), _SETTLE)
    usage = meter.stop()
    result = Result(usage.figures("cluster", sizes.cluster_triggers))
    _check(rooms, result)
    for room in rooms:
        room.publisher.close()
    close_clients(loop, clients)
    return result


def _rooms(target: Target, loop: Loop, sizes: Sizes) -> tuple[list[Client], list[Room]]:
    """Everybody connected and subscribed: reader by reader, so that each channel has some at every node."""
    channels = [f"bench-cluster-{index}" for index in range(sizes.cluster_channels)]
    columns: list[list[Client]] = [[] for _ in channels]
    count = sizes.cluster_channels * sizes.cluster_readers
    clients = open_clients(target, loop, count)
    for client in clients:
        client.take_socket_id()
    for index, client in enumerate(clients):
        columns[index // sizes.cluster_readers].append(client)
    subscribe_clients(
        loop, clients, [frames.subscribe(channels[index // sizes.cluster_readers]) for index in range(count)]
    )
    each = -(-sizes.cluster_triggers // len(channels))
    return clients, [
        Room(target.node(index), loop, channel, column, each)
        for index, (channel, column) in enumerate(zip(channels, columns, strict=True))
    ]


def _check(rooms: list[Room], result: Result) -> None:
    """Put latencies and verdict into `result`; the first fifth of each channel's triggers is warm-up."""
    latencies: list[float] = []
    for room in rooms:
        result.refused += room.publisher.refused
        for reader in room.readers:
            latencies += reader.latencies(room.due)[len(room.due) // 5 :]
            result.verdict += verify(reader.log.common, {0: len(room.due)})
    result.figures |= percentiles("cluster", latencies, _SHARES)
