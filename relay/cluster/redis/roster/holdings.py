"""What this node has in the cluster, by partition: what its reports say, and what is asserted anew when it was taken for
dead, or Redis has lost everything. Must not know what is asked, or when.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from relay.cluster.receiver import Receiver
from relay.cluster.redis.link import Argument
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions
from relay.cluster.redis.reports import Assertion

# Holdings of one assertion: bounded in number and bytes, as many assertions are on their way at once.
ASSERTED: Final = 50
ASSERTED_BYTES: Final = 8_192

Key = tuple[str, str]

_pack: Final = msgspec.msgpack.Encoder().encode


class Room:
    """A presence channel with `members` of this node (user id → user_info), or some who have `asked` to come in.

    `known` are all of whom clients here know that they are in, as they know them; None until the node was given the list."""

    __slots__ = ("asked", "known", "members")

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.known: dict[str, bytes] | None = None
        self.members: dict[str, bytes] = {}

    def info_of(self, user_id: str) -> bytes:
        """The user_info of a member of this node, as clients know it: the one who was there first may be on another."""
        return (self.known or {}).get(user_id) or self.members[user_id]


class Count:
    """How many subscriptions a channel has here, and whether subscribers are told how many they are."""

    __slots__ = ("is_told", "subscriptions")

    def __init__(self, subscriptions: int, *, is_told: bool) -> None:
        self.subscriptions = subscriptions
        self.is_told = is_told


class Watched:
    """A user of whom connections here want to know whether they are online; None: not known yet."""

    __slots__ = ("is_online",)

    def __init__(self) -> None:
        self.is_online: bool | None = None


class Held:
    """What this node holds in one partition."""

    def __init__(self) -> None:
        self.rooms: dict[Key, Room] = {}
        self.counts: dict[Key, Count] = {}
        # Who is signed in, and whether Redis has it.
        self.users: dict[Key, bool] = {}
        self.watched: dict[Key, Watched] = {}


class Holdings:
    """`receiver` is set before anything is held: it knows which apps have webhooks."""

    __slots__ = ("_held", "partition_of", "receiver")

    receiver: Receiver

    def __init__(self, partitions: Partitions) -> None:
        self.partition_of = partitions.of
        self._held = {id(partition): Held() for partition in partitions.all}

    def of(self, partition: Partition) -> Held:
        """What is held in a partition."""
        return self._held[id(partition)]

    def is_hooked(self, app_id: str) -> bool:
        """Whether the app has webhooks."""
        app = self.receiver.app(app_id)
        return app is not None and bool(app.webhooks)

    def flag(self, app_id: str) -> int:
        """The same as scripts take it."""
        return int(self.is_hooked(app_id))

    def assertions(self, partition: Partition) -> Iterator[Assertion]:
        """All that this node holds in a partition, as calls of `assert` without the node's name."""
        items: list[Argument] = []
        size = 0
        for item in self._items(self.of(partition)):
            items.append(item)
            size += len(item)
            if len(items) == ASSERTED or size >= ASSERTED_BYTES:
                yield "assert", items
                items, size = [], 0
        if items:
            yield "assert", items

    def _items(self, held: Held) -> Iterator[bytes]:
        """See scripts/assert.lua. What is held may change while they are taken one by one."""
        for app_id, channel in list(held.rooms):
            room = held.rooms.get((app_id, channel))
            for user_id in [] if room is None else list(room.members):
                if room is not None and user_id in room.members:
                    user_info = room.info_of(user_id).decode()
                    yield _pack(("e", app_id, channel, user_id, user_info, self.is_hooked(app_id)))
        for app_id, channel in list(held.counts):
            count = held.counts.get((app_id, channel))
            if count is not None:
                yield _pack(("c", app_id, channel, count.subscriptions, self.is_hooked(app_id), count.is_told))
        for app_id, user_id in list(held.users):
            if (app_id, user_id) in held.users:
                yield _pack(("u", app_id, user_id))
