"""Signed triggers: 1, 16 and 64 at once, with connections kept and with a new one for each request.

One subscriber gets them all and checks them; requests are signed before the clock starts.
"""

from bench.broadcast import Broadcast
from bench.process import Meter
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target


def run(target: Target, sizes: Sizes) -> Result:
    """Figures of each way: triggers a second, server CPU a trigger."""
    result = Result()
    for keep_alive in (True, False):
        for at_once in (1, 16, 64):
            _measure(target, sizes, result, at_once, keep_alive=keep_alive)
    return result


def _measure(target: Target, sizes: Sizes, result: Result, at_once: int, *, keep_alive: bool) -> None:
    name = f"trigger_{at_once}" if keep_alive else f"trigger_{at_once}_close"
    broadcast = Broadcast(target, f"bench-{name}", 1, at_once, keep_alive=keep_alive, window=10_000)
    count = sizes.triggers // (3 if at_once == 1 else 1)
    broadcast.first()
    broadcast.publish(count // 3)
    opened = sum(publisher.opened for publisher in broadcast.publishers)
    broadcast.prepare(count)
    meter = Meter(target, broadcast.loop)
    broadcast.publish_prepared(sizes.deadline)
    usage = meter.stop()
    opened = sum(publisher.opened for publisher in broadcast.publishers) - opened
    result.figures |= usage.figures(name, count)
    result.figures[f"{name}.connections_per_trigger"] = opened / count
    result.verdict += broadcast.verdict()
    result.refused += broadcast.refused
    broadcast.close()
