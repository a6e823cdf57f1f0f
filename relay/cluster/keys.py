"""Names in Redis: which partition something belongs to, and what its keys and topics are called. Pure.

Keys and topics of a partition share a hash tag, so that one script and one link serve them, in a Cluster as well.
"""

from binascii import crc_hqx
from functools import lru_cache
from typing import Final, Literal
from zlib import crc32

SLOTS: Final = 16_384
DEFAULT_PREFIX: Final = "pd"

# One Redis: a total order, and one script for everything. A Cluster: 7 or 8 partitions on each of 9 primaries.
PARTITIONS_ALONE: Final = 1
PARTITIONS_IN_CLUSTER: Final = 64

# Entries of a partition's log: minutes at usual loads, 4 s at 5,000 messages a second, 6.9 MB at 300 bytes each.
LOG_ENTRIES: Final = 20_000

# What a topic is of: a channel, a user, all nodes, whoever hands out the webhooks of a partition.
TopicKind = Literal["t", "u", "k", "h"]


def slot_of(tag: str) -> int:
    """The slot of keys with the hash tag {tag}: CRC16 (XMODEM) mod 16384."""
    return crc_hqx(tag.encode(), 0) % SLOTS


@lru_cache
def tags_of(partitions: int) -> tuple[str, ...]:
    """The tags of partitions: of the i-th the smallest number whose slot lies in the i-th of equal ranges of all slots.

    So partitions are spread over primaries as evenly as slots are. Raises ValueError unless there are 1 to 1,024.
    """
    if not 1 <= partitions <= 1_024:
        raise ValueError(f"from 1 to 1,024 partitions, not {partitions}")
    tags: dict[int, str] = {}
    number = 0
    while len(tags) < partitions:
        tags.setdefault(slot_of(str(number)) * partitions // SLOTS, str(number))
        number += 1
    return tuple(tags[index] for index in range(partitions))


class Keys:
    """The names of all that one installation has in Redis; all its nodes must share `prefix` and `partitions`."""

    def __init__(self, prefix: str = DEFAULT_PREFIX, partitions: int = PARTITIONS_ALONE) -> None:
        if not prefix or set(prefix) & set("{}*?[]\\"):
            raise ValueError(f"no prefix of keys: {prefix!r}")
        self.prefix = prefix
        self.tags = tags_of(partitions)
        self.partitions = partitions
        self.control_partition = self.tags.index("0")
        self.control_topic = self.key(self.control_partition, "k").encode()
        """The topic that all nodes listen to."""

    def partition_of(self, app_id: str, name: str) -> int:
        """The partition of a channel or a user."""
        return crc32(f"{app_id}\0{name}".encode()) % self.partitions

    def key(self, partition: int, kind: str, *names: str) -> str:
        """pd:{tag}:KIND:NAME:…; the last name may be anything, those before it must not hold a colon."""
        return ":".join((f"{self.prefix}:{{{self.tags[partition]}}}:{kind}", *names))
