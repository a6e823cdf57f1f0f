"""Fan-out: events to one public channel with 100 and with 1,000 subscribers, from eight publishers and from one."""

from typing import Final

from bench.broadcast import Broadcast
from bench.process import Meter
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target

# Eight have several events under way at any time, which a server may send together; one has not.
PUBLISHERS: Final = 8


def run(target: Target, sizes: Sizes) -> Result:
    """Figures of each group: rate, server CPU a delivery (the trigger's own share is in it)."""
    result = Result()
    for subscribers in sizes.fanout_subscribers:
        _measure(target, sizes, result, f"fanout_{subscribers}", subscribers, PUBLISHERS)
    fewest = min(sizes.fanout_subscribers)
    _measure(target, sizes, result, f"fanout_one_{fewest}", fewest, 1)
    return result


def _measure(target: Target, sizes: Sizes, result: Result, name: str, subscribers: int, publishers: int) -> None:
    broadcast = Broadcast(target, f"bench-{name}", subscribers, publishers)
    broadcast.first()
    broadcast.publish(max(1, sizes.fanout_deliveries // subscribers // 3))
    count = max(1, sizes.fanout_deliveries // subscribers)
    broadcast.prepare(count)
    meter = Meter(target, broadcast.loop)
    broadcast.publish_prepared(sizes.deadline)
    usage = meter.stop()
    result.figures |= usage.figures(name, count * subscribers)
    result.verdict += broadcast.verdict()
    result.refused += broadcast.refused
    broadcast.close()
