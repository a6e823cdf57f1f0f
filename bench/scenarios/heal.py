"""A node loses its connection to Redis, events are published at another one, and it comes back: what did its clients miss?

The time runs from the node's new connection to the arrival of the last event, before which it must have read all that it
missed. For the cost of an entry most events are of a channel that the node does not listen to: reading, not delivering.
"""

from typing import Final

from bench import frames
from bench.checks import stamp, verify
from bench.loop import Loop
from bench.publisher import Publisher
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.timed import EVENT, TimedSubscriber
from bench.websocket import Client, close_clients, open_clients, subscribe_clients

_HEARD: Final = "bench-heal"
_UNHEARD: Final = "bench-heal-elsewhere"

# How long the node may take to be connected again and to have everything, in seconds: its pauses between attempts are in it.
_PATIENCE: Final = 15.0


class Trial:
    """A reader at the last node, whose connection is cut, and a back end at the first, which keeps its own."""

    def __init__(self, target: Target) -> None:
        if target.uplink is None or not target.others:
            raise ValueError("needs two nodes, and a connection to Redis that can be cut")
        self.uplink = target.uplink
        self.loop = Loop()
        self._clients = _subscribed(target, self.loop)
        self._target = target
        self.reader = TimedSubscriber(self._clients[-1].sock)
        self.loop.watch(self._clients[-1].sock, self.reader.read)
        self.publisher = Publisher(target, self.loop, lambda: None)
        self.heard = 0

    def publish(self, heard: int, unheard: int = 0) -> None:
        """Publish so many events, one after the other; those that the reader gets come last."""
        for channel, count in ((_UNHEARD, unheard), (_HEARD, heard)):
            for _ in range(count):
                self.publisher.send(self._target.trigger(EVENT, channel, stamp(0, self.heard)))
                self.loop.run(lambda: not self.publisher.is_waiting, _PATIENCE)
                self.heard += channel == _HEARD

    def settle(self) -> bool:
        """Wait for all that the reader should get; False when it does not come."""
        return self.loop.run(lambda: self.reader.has(self.heard), _PATIENCE)

    def heal(self, heard: int, unheard: int = 0) -> float | None:
        """Milliseconds until the node has caught up with so many events; None when the reader did not get all of them."""
        self.uplink.cut()
        self.publish(heard, unheard)
        self.uplink.mend()
        if not self.settle():
            return None
        return (self.reader.arrived[-1][1] - self.uplink.opened_at()) * 1e3

    def finish(self, result: Result) -> None:
        """Put the verdict on all that was published into `result`."""
        result.verdict += verify(self.reader.log.common, {0: self.heard})
        result.refused += self.publisher.refused
        self.publisher.close()
        close_clients(self.loop, self._clients)


def run(target: Target, sizes: Sizes) -> Result:
    """Milliseconds after one missed event and after many, what each of these costs, and the same when all are delivered."""
    trial = Trial(target)
    trial.publish(1)
    trial.settle()
    one, many = trial.heal(1), trial.heal(1, sizes.heal_entries - 1)
    result = Result(
        {
            "heal.one_ms": one,
            "heal.many_ms": many,
            "heal.us_per_entry": None if one is None or many is None else (many - one) / (sizes.heal_entries - 1) * 1e3,
            "heal.heard_ms": trial.heal(sizes.heal_entries),
        }
    )
    trial.finish(result)
    return result


def _subscribed(target: Target, loop: Loop) -> list[Client]:
    """A client at each node; the one at the last has subscribed."""
    clients = open_clients(target, loop, len(target.nodes))
    for client in clients:
        client.take_socket_id()
    subscribe_clients(loop, clients[-1:], [frames.subscribe(_HEARD)])
    return clients
