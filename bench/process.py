"""What a process used, from /proc: CPU of all its threads, and resident memory. None for a process that is not known."""

import time
from dataclasses import dataclass
from pathlib import Path

from bench.loop import Loop


def cpu_seconds(pid: int | None) -> float | None:
    """CPU time of the process until now, by the scheduler's clock (nanoseconds), not by ticks."""
    if pid is None:
        return None
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_bytes(pid: int | None) -> int | None:
    """Resident memory of the process."""
    if pid is None:
        return None
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@dataclass(frozen=True)
class Usage:
    """What a measured section took: seconds by the clock, and of CPU."""

    seconds: float
    server_cpu: float | None
    generator_cpu: float

    def figures(self, group: str, count: int) -> dict[str, float | None]:
        """Rate and costs of `count` things; `busy` is the share of one core that was used."""
        server = self.server_cpu
        return {
            f"{group}.per_second": count / self.seconds,
            f"{group}.server_us": None if server is None else server / count * 1e6,
            f"{group}.server_busy": None if server is None else server / self.seconds,
            f"{group}.generator_busy": self.generator_cpu / self.seconds,
        }


class Meter:
    """Starts when it is made; `stop` tells the usage since then. What `loop` idled away is not used."""

    def __init__(self, pid: int | None, loop: Loop) -> None:
        self._pid = pid
        self._loop = loop
        self._idle = loop.idle
        self._server = cpu_seconds(pid)
        self._own = time.process_time()
        self._start = time.perf_counter()

    def stop(self) -> Usage:
        """The usage until now."""
        seconds = time.perf_counter() - self._start
        own = time.process_time() - self._own - (self._loop.idle - self._idle)
        after = cpu_seconds(self._pid)
        server = None if after is None or self._server is None else after - self._server
        return Usage(seconds, server, max(own, 0.0))
