"""All partitions of a cluster, and which of them a channel or a user is in. Must not know where they are."""

from collections.abc import Sequence

from relay.cluster.keys import Keys
from relay.cluster.redis.partition import Partition, Topic


class Partitions:
    """`topics` are those of all partitions, by name."""

    __slots__ = ("_only", "all", "control", "keys", "topics")

    def __init__(self, keys: Keys, partitions: Sequence[Partition], topics: dict[bytes, Topic]) -> None:
        self.keys = keys
        self.all = partitions
        self.topics = topics
        self.control = partitions[keys.control_partition]
        self._only = partitions[0] if len(partitions) == 1 else None

    def of(self, app_id: str, name: str) -> Partition:
        """The partition of a channel or a user."""
        return self._only or self.all[self.keys.partition_of(app_id, name)]


def channel_topic(partition: Partition, app_id: str, channel: str) -> bytes:
    """The topic of a channel of the partition."""
    return partition.base + f"t:{app_id}:{channel}".encode()


def user_topic(partition: Partition, app_id: str, user_id: str) -> bytes:
    """The topic of a user of the partition: who is signed in as them, or watches them, listens to it."""
    return partition.base + f"u:{app_id}:{user_id}".encode()
