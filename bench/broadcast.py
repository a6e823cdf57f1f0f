"""Publishers and subscribers of one channel: what several scenarios set up."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from bench.checks import PAYLOAD_BYTES, Log, Subscriber, Verdict, stamp, verify_all
from bench.loop import Loop
from bench.publisher import Publisher
from bench.target import Target
from bench.websocket import DEADLINE, Client, ServerMisbehaved, close_clients, join_public

EVENT: Final = "bench"

# How long the last deliveries may take to arrive, in seconds.
SETTLE: Final = 5.0


class Broadcast:
    """`subscribers` readers of `channel`, and `at_once` publishers, each with one request under way at most.

    Both are at the nodes in turn; the readers of one node must all get the same bytes, those of another the same events.

    A publisher waits while more than `window` deliveries a subscriber have not arrived: the generator never lets the server
    run ahead of what it reads, so that no reader is slow unless a scenario makes it so.
    """

    def __init__(
        self,
        target: Target,
        channel: str,
        subscribers: int,
        at_once: int,
        *,
        keep_alive: bool = True,
        window: int = 32,
        size: int = PAYLOAD_BYTES,
    ) -> None:
        self.target = target
        self.channel = channel
        self.loop = Loop()
        self.logs = [Log() for _ in target.nodes[:subscribers]]
        self.clients: list[Client] = join_public(target, self.loop, subscribers, channel)
        self.subscribers = [Subscriber(client.sock, self._log(index)) for index, client in enumerate(self.clients)]
        for client, subscriber in zip(self.clients, self.subscribers, strict=True):
            self.loop.watch(client.sock, subscriber.read)
        self.publishers = [
            Publisher(target.node(index), self.loop, partial(self._on_answer, index)) for index in range(at_once)
        ]
        self._keep_alive = keep_alive
        self._size = size
        self._window = window * subscribers
        self._numbers = [0] * at_once
        self._requests: list[Iterator[bytes]] = []
        self._parked: list[int] = []
        self._answered = 0

    def first(self) -> None:
        """Publish one event and wait for it: the size of a delivery is known from then on. Raises ServerMisbehaved."""
        self.prepare(1)
        self._next(0)
        if not self.loop.run(lambda: bool(self._answered) and all(log.common for log in self.logs), SETTLE):
            raise ServerMisbehaved(f"The server did not deliver the first event ({self.refused} requests refused)")
        for log in self.logs:
            log.learn()
        self.loop.run(self._is_finished, SETTLE)

    def prepare(self, count: int) -> None:
        """Sign `count` requests, shared evenly among the publishers."""
        total = len(self.publishers)
        self._requests = [iter([self._request(index) for _ in range(index, count, total)]) for index in range(total)]

    def publish_prepared(self, seconds: float) -> bool:
        """Publish what was prepared, until all is answered and delivered; False when that takes more than `seconds`."""
        for index in range(len(self.publishers)):
            self._next(index)
        return self.loop.run(self._is_finished, seconds)

    def publish(self, count: int, seconds: float = DEADLINE) -> bool:
        """Sign and publish."""
        self.prepare(count)
        return self.publish_prepared(seconds)

    def verdict(self) -> Verdict:
        """Check every delivery since the start."""
        total = Verdict()
        for index, log in enumerate(self.logs):
            total += verify_all(self.subscribers[index :: len(self.logs)], log, self.sent, self._size)
        return total

    @property
    def sent(self) -> dict[int, int]:
        """Publisher → how many events it published."""
        return dict(enumerate(self._numbers))

    @property
    def refused(self) -> int:
        """Triggers that were not answered with 200."""
        return sum(publisher.refused for publisher in self.publishers)

    def close(self) -> None:
        """Drop all connections."""
        for publisher in self.publishers:
            publisher.close()
        close_clients(self.loop, self.clients)

    def _request(self, index: int) -> bytes:
        data = stamp(index, self._numbers[index], self._size)
        self._numbers[index] += 1
        return self.target.trigger(EVENT, self.channel, data, keep_alive=self._keep_alive)

    def _on_answer(self, index: int) -> None:
        self._answered += 1
        self._next(index)

    def _next(self, index: int) -> None:
        """Send the publisher's next request, now or when the readers have caught up."""
        if self._behind() > self._window:
            self._parked.append(index)
            return
        request = next(self._requests[index], None)
        if request is not None:
            self.publishers[index].send(request)

    def _behind(self) -> float:
        """Deliveries that should have arrived by now and have not."""
        return self._answered * len(self.subscribers) - sum(log.deliveries for log in self.logs)

    def _log(self, index: int) -> Log:
        """Of the node that this reader is connected to."""
        return self.logs[index % len(self.logs)]

    def _is_finished(self) -> bool:
        if self._parked and self._behind() <= self._window:
            parked, self._parked = self._parked, []
            for index in parked:
                self._next(index)
        return self._answered == sum(self._numbers) and self._behind() <= 0
