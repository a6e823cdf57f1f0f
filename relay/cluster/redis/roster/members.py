"""Who of this node is in presence channels, and whom its clients know to be in them. Must not know connections."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relay.cluster.redis.partition import Partition
from relay.cluster.redis.roster.holdings import Holdings, Key, Room
from relay.cluster.roster import Entered, Full
from relay.protocol.session import Member


class RedisMembers:
    """See Roster."""

    def __init__(self, held: Holdings) -> None:
        self._held = held

    def enter(
        self,
        app_id: str,
        channel: str,
        member: Member,
        limit: int,
        exclude: str,
        done: Callable[[Entered | Full], None],
        /,
    ) -> None:
        """See Roster."""
        partition, key = self._held.partition_of(app_id, channel), (app_id, channel)
        room = self._held.of(partition).rooms.setdefault(key, Room())
        room.asked.add(member.user_id)

        def take(answer: Any) -> None:
            room.asked.discard(member.user_id)
            if answer == b"FULL":
                self._drop_if_empty(partition, key)
                done(Full())
                return
            room.members[member.user_id] = member.user_info
            members = _pairs(answer) if isinstance(answer, list) else None
            if members is not None and room.known is None:
                # Later lists may have some of whom it is yet to be told.
                room.known = dict(members)
            done(Entered(members))

        flags = self._held.flag(app_id), int(room.known is None)
        arguments = (app_id, channel, member.user_id, member.user_info, limit, exclude, *flags)
        partition.reports.report(("member", app_id, channel, member.user_id), "enter", arguments, take)

    def leave(self, app_id: str, channel: str, user_id: str, handover: float = 0.0, /) -> None:
        """See Roster."""
        partition, key = self._held.partition_of(app_id, channel), (app_id, channel)
        room = self._held.of(partition).rooms.get(key)
        if room is not None:
            room.asked.discard(user_id)
            room.members.pop(user_id, None)
            self._drop_if_empty(partition, key)
        arguments = (app_id, channel, user_id, round(handover * 1_000), self._held.flag(app_id))
        partition.reports.report(("member", app_id, channel, user_id), "leave", arguments)

    def _drop_if_empty(self, partition: Partition, key: Key) -> None:
        rooms = self._held.of(partition).rooms
        room = rooms.get(key)
        if room is not None and not room.members and not room.asked:
            del rooms[key]

    # --- what the nodes are told

    def member_added(self, app_id: str, channel: str, member: Member, exclude: str | None) -> None:
        """A member is new in the cluster; clients have heard of it before where nodes assert what they hold."""
        known = self._known((app_id, channel))
        if known is None or member.user_id not in known:
            if known is not None:
                known[member.user_id] = member.user_info
            self._held.receiver.member_added(app_id, channel, member, exclude)

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None:
        """A member is nowhere in the cluster any more; unless this node was taken for dead, has them, and will say so."""
        room = self._held.of(self._held.partition_of(app_id, channel)).rooms.get((app_id, channel))
        if room is not None and user_id in room.members:
            return
        known = None if room is None else room.known
        if known is None or user_id in known:
            if known is not None:
                del known[user_id]
            self._held.receiver.member_removed(app_id, channel, user_id)

    def members_are(self, app_id: str, channel: str, members: Mapping[str, bytes]) -> None:
        """All members, as Redis has them after a gap."""
        room = self._held.of(self._held.partition_of(app_id, channel)).rooms.get((app_id, channel))
        if room is not None:
            room.known = dict(members)
        self._held.receiver.members_are(app_id, channel, members)

    def _known(self, key: Key) -> dict[str, bytes] | None:
        room = self._held.of(self._held.partition_of(*key)).rooms.get(key)
        return None if room is None else room.known


def _pairs(flat: Sequence[bytes]) -> Mapping[str, bytes]:
    """A flat list of user, user_info, …"""
    items = iter(flat)
    return {user_id.decode(): user_info for user_id, user_info in zip(items, items, strict=True)}
