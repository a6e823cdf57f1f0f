"""As much as a server can do while many back ends and channels are busy: what is the number of its workers worth?

First 16 channels with 64 readers and a back end each, which goes on when it is answered: that is delivering, event by event,
as what is joined is of one channel. Then triggers, 256 at once: that is taking requests.
"""

import time
from typing import Final

from bench.broadcast import Broadcast
from bench.loop import Loop
from bench.process import Meter
from bench.result import Result
from bench.scenarios.cluster import check, open_rooms
from bench.sizes import Sizes
from bench.target import Target
from bench.websocket import close_clients

AT_ONCE: Final = 256


def run(target: Target, sizes: Sizes) -> Result:
    """Rate and CPU of both; what the busiest process could do is in "possible"."""
    result = Result()
    _deliver(target, sizes, result)
    _trigger(target, sizes, result)
    return result


def _deliver(target: Target, sizes: Sizes, result: Result) -> None:
    loop = Loop()
    each = max(1, sizes.fanout_deliveries // (sizes.workers_channels * sizes.workers_readers))
    clients, rooms = open_rooms(target, loop, sizes.workers_channels, sizes.workers_readers, each)
    meter = Meter(target, loop)
    for room in rooms:
        for _ in range(each):
            room.publish(time.perf_counter())
    loop.run(lambda: all(room.is_done for room in rooms), sizes.deadline)
    result.figures |= meter.stop().figures("workers_fanout", each * len(clients))
    check(rooms, result)
    close_clients(loop, clients)


def _trigger(target: Target, sizes: Sizes, result: Result) -> None:
    broadcast = Broadcast(target, "bench-workers", 1, AT_ONCE, window=10_000)
    broadcast.first()
    broadcast.publish(sizes.triggers // 3)
    broadcast.prepare(sizes.triggers)
    meter = Meter(target, broadcast.loop)
    broadcast.publish_prepared(sizes.deadline)
    result.figures |= meter.stop().figures("workers_trigger", sizes.triggers)
    result.verdict += broadcast.verdict()
    result.refused += broadcast.refused
    broadcast.close()
