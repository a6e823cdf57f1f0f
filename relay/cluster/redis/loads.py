"""How many connections the apps have, in the whole cluster: each node says its own with every beat, and is told the sums."""

from collections.abc import Callable
from typing import Any

from relay.cluster.bus import Unavailable
from relay.cluster.receiver import Receiver
from relay.cluster.redis.partition import Partition


class Loads:
    """`partition` is where all nodes say it."""

    __slots__ = ("_others", "_partition", "_receiver")

    def __init__(self, partition: Partition, receiver: Receiver) -> None:
        self._partition = partition
        self._receiver = receiver
        # Connections on other nodes, when they were told last.
        self._others: dict[str, int] = {}

    def connections(self, app_id: str) -> int:
        """Connections of the app in the cluster: those here are counted now, the others as of some seconds ago."""
        return self._others.get(app_id, 0) + self._receiver.connections_here(app_id)

    def report(self) -> None:
        """Say how many there are here."""
        mine = {app_id: self._receiver.connections_here(app_id) for app_id in self._receiver.app_ids()}
        arguments = [part for load in mine.items() for part in load]
        self._partition.ask("load", (self._partition.lease.node, *arguments), self._take(mine))

    def _take(self, mine: dict[str, int]) -> Callable[[Any], None]:
        def take(answer: Any) -> None:
            if not isinstance(answer, Unavailable):
                self._others = {app_id: total - own for (app_id, own), total in zip(mine.items(), answer, strict=True)}

        return take
