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
    each = -(-sizes.cluster_triggers // sizes.cluster_channels)
    clients, rooms = open_rooms(target, loop, sizes.cluster_channels, sizes.cluster_readers, each)
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
    result.figures |= percentiles("cluster", check(rooms, result), _SHARES)
    close_clients(loop, clients)
    return result


def open_rooms(
    target: Target, loop: Loop, channels: int, readers: int, triggers: int
) -> tuple[list[Client], list[Room]]:
    """All clients, and so many channels with their readers, who have subscribed, and with requests for so many triggers each.

    The readers come channel by channel, so that each channel has some at every node.
    """
    names = [f"bench-room-{index}" for index in range(channels)]
    clients = open_clients(target, loop, channels * readers)
    for client in clients:
        client.take_socket_id()
    subscribe_clients(loop, clients, [frames.subscribe(name) for name in names for _ in range(readers)])
    return clients, [
        Room(target.node(index), loop, name, clients[index * readers : (index + 1) * readers], triggers)
        for index, name in enumerate(names)
    ]


def check(rooms: list[Room], result: Result) -> list[float]:
    """Put the verdict on all rooms into `result`; the latencies in seconds, the first fifth of each reader's left out."""
    latencies: list[float] = []
    for room in rooms:
        result.refused += room.publisher.refused
        room.publisher.close()
        for reader in room.readers:
            latencies += reader.latencies(room.due)[len(room.due) // 5 :]
            result.verdict += verify(reader.log.common, {0: len(room.due)})
    return latencies
