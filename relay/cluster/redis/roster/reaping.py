"""What some node has to do for all: taking back what the dead had, and telling what has waited long enough.

Scripts do both; here is how often they are called. Must not know what is held.
"""

import random
from collections.abc import Sequence
from typing import Any, Final

from relay.cluster.redis.link import Argument
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions
from relay.cluster.redis.roster.holdings import Holdings

# What one call takes back of a dead node, or tells of those whose grace is over: about 2 ms of Redis.
REAPED: Final = 100
SWEPT: Final = 100
# So many calls a second are made by all nodes; where it would be more, about REAPERS nodes see to each partition.
MOST_CALLS: Final = 1_000
REAPERS: Final = 3


class Reaper:
    """`held` knows which apps there are, and which have webhooks."""

    def __init__(self, partitions: Partitions, held: Holdings) -> None:
        self._partitions = partitions
        self._held = held
        self._repeating: set[tuple[int, str]] = set()

    def tick(self) -> None:
        """Take back what the dead had, and tell what has waited long enough; called once a second."""
        for partition in self._partitions.all:
            if partition.link is not None and self.sees_to(partition):
                self._reap(partition)
                self._repeat(partition, "sweep", (SWEPT,))

    def sees_to(self, partition: Partition) -> bool:
        """Whether this node does what one has to do; not every node every time, where they are many."""
        nodes = partition.lease.nodes
        return nodes * len(self._partitions.all) <= MOST_CALLS or random.random() < REAPERS / nodes  # noqa: S311 - no secret

    def _reap(self, partition: Partition) -> None:
        def take(answer: Any) -> None:
            if answer == 1:
                partition.figures.reaped += 1
                hooked = [app_id for app_id in self._held.receiver.app_ids() if self._held.is_hooked(app_id)]
                self._repeat(partition, "reap", (REAPED, *hooked))

        partition.ask("reap", (), take)

    def _repeat(self, partition: Partition, script: str, arguments: Sequence[Argument]) -> None:
        """Call it until there is nothing more to do; once at a time."""
        if (id(partition), script) in self._repeating:
            return
        self._repeating.add((id(partition), script))

        def take(answer: Any) -> None:
            if answer == 1:
                partition.ask(script, arguments, take)
            else:
                self._repeating.discard((id(partition), script))

        partition.ask(script, arguments, take)
