"""Deliveries with the time of their arrival: what scenarios of a fixed load measure."""

import socket
import time
from collections.abc import Mapping, Sequence
from typing import Final

from bench import frames
from bench.checks import Log
from bench.loop import BUFFER, READ_BYTES, VIEW

EVENT: Final = "bench"


class TimedSubscriber:
    """A reader that notes when each delivery arrived."""

    __slots__ = ("_sock", "arrived", "log")

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

    def has(self, count: int) -> bool:
        """Whether `count` deliveries have arrived; all are of one size."""
        log = self.log
        if not log.frame_bytes and log.common:
            log.learn()
        return len(log.common) >= count * (log.frame_bytes or 1)

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


def percentiles(group: str, seconds: Sequence[float], shares: Mapping[str, float]) -> dict[str, float | None]:
    """Figures in milliseconds: `shares` is name → share of what took no longer. None where nothing arrived."""
    ordered = sorted(seconds)
    return {
        f"{group}.{name}": ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3 if ordered else None
        for name, share in shares.items()
    }
