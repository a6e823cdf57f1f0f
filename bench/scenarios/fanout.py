"""Fan-out: events to one public channel with 100 and with 1,000 subscribers."""

from bench.broadcast import Broadcast
from bench.process import Meter
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target

PUBLISHERS = 8


def run(target: Target, sizes: Sizes) -> Result:
    """Figures of each group: rate, server CPU a delivery (the trigger's own share is in it)."""
    result = Result()
    for subscribers in sizes.fanout_subscribers:
        broadcast = Broadcast(target, f"bench-fanout-{subscribers}", subscribers, PUBLISHERS)
        broadcast.first()
        broadcast.publish(max(1, sizes.fanout_deliveries // subscribers // 3))
        count = max(1, sizes.fanout_deliveries // subscribers)
        broadcast.prepare(count)
        meter = Meter(target.pid, broadcast.loop)
        broadcast.publish_prepared(sizes.deadline)
        usage = meter.stop()
        result.figures |= usage.figures(f"fanout_{subscribers}", count * subscribers)
        result.verdict += broadcast.verdict()
        result.refused += broadcast.refused
        broadcast.close()
    return result
