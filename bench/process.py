"""What a server's processes used, from /proc: CPU of all their threads, resident memory. None where they are not known."""

import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.loop import Loop
from bench.target import Target

# What the kernel calls Redis: a set of workers starts one of its own, which is not a node.
_REDIS: Final = "redis-server"


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


def family(pid: int) -> list[int]:
    """The process and all that it started, directly or not: a server of several workers is more than its parent."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state ppid …"; the name may hold anything.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended just now
            continue
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found += sorted(parents.get(member, ()))
    return found


class Processes:
    """The processes of a server: its nodes or workers with their parent, and apart from them Redis."""

    def __init__(self, target: Target) -> None:
        pids = [pid for node in target.nodes if node.pid is not None for pid in family(node.pid)]
        self._redis = [pid for pid in pids if _name(pid) == _REDIS]
        self._nodes = [pid for pid in pids if pid not in self._redis]
        if target.redis_pid is not None:
            self._redis.append(target.redis_pid)

    def cpu(self) -> tuple[list[float], list[float]]:
        """CPU seconds until now of each node, and of each Redis."""
        return _seconds(self._nodes), _seconds(self._redis)

    def resident(self) -> int | None:
        """Resident bytes of all nodes together."""
        return sum(resident_bytes(pid) or 0 for pid in self._nodes) if self._nodes else None


class Usage(Struct, frozen=True):
    """What a measured section took: seconds by the clock, and of CPU. `nodes` is empty for a server that is not known."""

    seconds: float
    generator_cpu: float
    nodes: tuple[float, ...] = ()
    redis: float | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """Both sections together; of the same server."""
        redis = None if self.redis is None or other.redis is None else self.redis + other.redis
        nodes = tuple(mine + theirs for mine, theirs in zip(self.nodes, other.nodes, strict=True))
        return Usage(self.seconds + other.seconds, self.generator_cpu + other.generator_cpu, nodes, redis)

    def figures(self, group: str, count: int) -> dict[str, float | None]:
        """Rate and costs of `count` things; `busy` is the share of one core that was used, by all nodes together.

        With several nodes also each one's share, and `possible`: how many a second the busiest of them could do alone on
        a core. Where nodes share a core, or one with the generator, that is what their number is worth.
        """
        figures: dict[str, float | None] = {
            "per_second": count / self.seconds,
            "server_us": sum(self.nodes) / count * 1e6 if self.nodes else None,
            "server_busy": sum(self.nodes) / self.seconds if self.nodes else None,
            "generator_busy": self.generator_cpu / self.seconds,
        }
        if self.nodes:
            figures["possible"] = count / max(*self.nodes, self.redis or 0.0)
        if len(self.nodes) > 1:
            figures |= {f"node_{number}_busy": cpu / self.seconds for number, cpu in enumerate(self.nodes, 1)}
        if self.redis is not None:
            figures |= {"redis_us": self.redis / count * 1e6, "redis_busy": self.redis / self.seconds}
        return {f"{group}.{name}": value for name, value in figures.items()}


class Meter:
    """Starts when it is made; `stop` tells the usage since then. What `loop` idled away is not used."""

    def __init__(self, target: Target, loop: Loop) -> None:
        self._processes = Processes(target)
        self._loop = loop
        self._idle = loop.idle
        self._nodes, self._redis = self._processes.cpu()
        self._own = time.process_time()
        self._start = time.perf_counter()

    def stop(self) -> Usage:
        """The usage until now."""
        seconds = time.perf_counter() - self._start
        own = time.process_time() - self._own - (self._loop.idle - self._idle)
        nodes, redis = self._processes.cpu()
        used = tuple(after - before for after, before in zip(nodes, self._nodes, strict=True))
        return Usage(seconds, max(own, 0.0), used, sum(redis) - sum(self._redis) if redis else None)


def _seconds(pids: list[int]) -> list[float]:
    return [cpu_seconds(pid) or 0.0 for pid in pids]


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
