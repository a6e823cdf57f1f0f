"""The floor under fan-out: what a bare loop of send() costs, by the C programs limit.c (sends) and sink.c (reads)."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.result import Result
from bench.servers import GENERATOR_CPU, SERVER_CPU, free_port
from bench.sizes import Sizes

_LINE: Final = re.compile(r"deliv/s=(\d+) cpu_us_per_delivery=([\d.]+)")

# Bytes of one delivery: the frame of a 200-byte event with its envelope.
FRAME_BYTES: Final = 270

# How long it may take to compile or run, in seconds, and how often the reader tries to connect.
_TIMEOUT: Final = 60
_TRIES: Final = 20


@contextmanager
def compiled(sources: Path) -> Iterator[Path]:
    """The folder of the compiled programs."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("limit", "sink"):
            subprocess.run(
                ["cc", "-O2", "-w", "-o", f"{folder}/{name}", str(sources / f"{name}.c")], check=True, timeout=_TIMEOUT
            )
        yield Path(folder)


def run(programs: Path, sizes: Sizes) -> Result:
    """The figures of the scenario fan-out that a server cannot get below."""
    result = Result()
    for subscribers in sizes.fanout_subscribers:
        messages = max(1, sizes.fanout_deliveries // subscribers)
        rate, cpu = _measure(programs, subscribers, messages)
        result.figures[f"fanout_{subscribers}.per_second"] = rate
        result.figures[f"fanout_{subscribers}.server_us"] = cpu
    return result


def _measure(programs: Path, subscribers: int, messages: int) -> tuple[float, float]:
    port = str(free_port())
    sender = ["taskset", "-c", str(SERVER_CPU), str(programs / "limit"), port]
    sender += [str(subscribers), str(messages), str(FRAME_BYTES)]
    with subprocess.Popen(sender, stdout=subprocess.PIPE, text=True) as process:
        try:
            _read_all(programs, port, subscribers)
            output, _ = process.communicate(timeout=_TIMEOUT)
        finally:
            if process.poll() is None:
                process.kill()
    found = _LINE.search(output)
    if found is None:
        raise OSError(f"the floor's sender failed: {output!r}")
    return float(found[1]), float(found[2])


def _read_all(programs: Path, port: str, subscribers: int) -> None:
    """Run the reader; it ends when the sender does, and at once as long as nobody listens."""
    reader = ["taskset", "-c", str(GENERATOR_CPU), str(programs / "sink"), port, str(subscribers)]
    for _ in range(_TRIES):
        if not subprocess.run(reader, capture_output=True, check=False, timeout=_TIMEOUT).returncode:
            return
        time.sleep(0.05)
    raise OSError("the floor's reader could not connect")
