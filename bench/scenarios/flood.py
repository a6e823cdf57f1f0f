"""Ten greedy clients: how long does another client's ping take beside them?

They send pings by WebSocket, then requests one after the other without waiting for answers, as fast as the server takes
them, up to a rate; what comes back is read and thrown away. Bounded in time and bytes.
"""

import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from bench import frames
from bench.checks import Verdict
from bench.loop import BUFFER, READ_BYTES, Loop, connect
from bench.process import Meter
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.timed import percentiles
from bench.websocket import close_clients, open_clients

FLOODS: Final = 10

# What one of them sends at most in a second, and at once. Bytes.
RATE: Final = 4_500_000
_CHUNK: Final = 65_536

# Between two pings of the client that is measured; and how long it waits for the last answers. Seconds.
_INTERVAL: Final = 0.02
_PATIENCE: Final = 20.0

_SHARES: Final = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}


class Flood:
    """One greedy connection, which sends `piece` again and again until the server has enough of it."""

    __slots__ = ("_at", "_chunk", "_loop", "is_over", "sent", "sock")

    def __init__(self, loop: Loop, sock: socket.socket, piece: bytes) -> None:
        self._loop = loop
        self.sock = sock
        self.is_over = False
        self._chunk = memoryview(piece * max(1, _CHUNK // len(piece)))
        # Where in the chunk the next byte is: the server may take a part of it.
        self._at = 0
        self.sent = 0

    def pour(self, limit: float) -> None:
        """Send what the server takes, up to `limit` bytes since the beginning."""
        if self.is_over or self.sent >= limit:
            return
        try:
            count = self.sock.send(self._chunk[self._at :], socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            self.end()
            return
        self.sent += count
        self._at = (self._at + count) % len(self._chunk)

    def drain(self) -> None:
        """Throw away what came back."""
        try:
            if not self.sock.recv_into(BUFFER, READ_BYTES, socket.MSG_DONTWAIT):
                self.end()
        except BlockingIOError:
            return
        except ConnectionError:
            self.end()

    def end(self) -> None:
        """Hang up, or find that the server has; may be called again."""
        if not self.is_over:
            self.is_over = True
            self._loop.forget(self.sock)
            self.sock.close()


class Pinger:
    """The client that is measured: each ping's answer is waited for before the next one."""

    __slots__ = ("_asked", "_data", "_sock", "asked", "seconds")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""
        self._asked = 0.0
        self.asked = 0
        self.seconds: list[float] = []

    def ask(self) -> None:
        """Send a ping, if the last one is answered and its time has come."""
        now = time.perf_counter()
        if self.is_answered and now - self._asked >= _INTERVAL:
            self._asked = now
            self.asked += 1
            self._sock.send(_PING)

    @property
    def is_answered(self) -> bool:
        """Whether all pings are."""
        return self.asked == len(self.seconds)

    def read(self) -> None:
        """Take an answer."""
        self._data += self._sock.recv(READ_BYTES)
        for _, payload, end in frames.split(self._data):
            if b"pusher:pong" in payload:
                self.seconds.append(time.perf_counter() - self._asked)
                self._data = self._data[end:]
                return


_PING: Final = frames.message("pusher:ping", {})


def run(target: Target, sizes: Sizes) -> Result:
    """Median, 99th percentile and maximum beside both kinds of floods, in milliseconds; and what the floods got through."""
    result = Result()
    request = f"GET /up HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n\r\n".encode()
    _measure(target, sizes, result, "flood_pings", _PING, _websockets)
    _measure(target, sizes, result, "flood_requests", request, _connections)
    return result


def _websockets(target: Target, loop: Loop) -> list[socket.socket]:
    return [client.sock for client in open_clients(target, loop, FLOODS)]


def _connections(target: Target, _loop: Loop) -> list[socket.socket]:
    return [connect(node.host, node.port) for node in map(target.node, range(FLOODS))]


def _measure(
    target: Target,
    sizes: Sizes,
    result: Result,
    name: str,
    piece: bytes,
    connected: Callable[[Target, Loop], Sequence[socket.socket]],
) -> None:
    loop = Loop()
    honest = open_clients(target, loop, 1)
    pinger = Pinger(honest[0].sock)
    floods = [Flood(loop, sock, piece) for sock in connected(target, loop)]
    for flood in floods:
        loop.watch(flood.sock, flood.drain)
    loop.watch(honest[0].sock, pinger.read)
    meter = Meter(target, loop)
    start = time.perf_counter()
    while (passed := loop.spin() - start) < sizes.flood_seconds:
        pinger.ask()
        for flood in floods:
            flood.pour(passed * RATE)
    loop.run(lambda: pinger.is_answered, _PATIENCE)
    usage = meter.stop()
    result.verdict += Verdict(expected=pinger.asked, arrived=len(pinger.seconds))
    result.figures |= usage.figures(name, sum(flood.sent for flood in floods) // len(piece))
    result.figures |= percentiles(name, pinger.seconds, _SHARES)
    for flood in floods:
        flood.end()
    close_clients(loop, honest)
