"""The members of one presence channel (A7): all of the cluster, by user id, and how many connections each has here.

A user with several connections is one member; the user_info that the cluster took stands until the user has left it. Must not
know who is told of whom.
"""

from collections.abc import Mapping

from relay.protocol import events


class Presence(dict[str, bytes]):
    """Who is in a presence channel: user id → user_info, in the order of joining. Change it by the methods below only.

    A dictionary itself: it is asked at each join (bench/, scenario "presence").
    """

    __slots__ = ("_fragments", "here")

    def __init__(self) -> None:
        super().__init__()
        # The pieces of a subscription's confirmation: of the list of ids, and of the entries.
        self._fragments: dict[str, tuple[bytes, bytes]] = {}
        # User id → how many connections are on this node.
        self.here: dict[str, int] = {}

    def add(self, user_id: str, user_info: bytes) -> None:
        """The user is a member; one that was known stays as it is."""
        if user_id not in self:
            self[user_id] = user_info
            self._fragments[user_id] = events.member_fragments(user_id, user_info)

    def remove(self, user_id: str) -> bytes | None:
        """The user is a member no more: the user_info that was known, None where none was."""
        self._fragments.pop(user_id, None)
        return self.pop(user_id, None)

    def replace(self, members: Mapping[str, bytes]) -> None:
        """These are all members. Of many who join at once each brings a list, with nearly the same members (bench/, scenario
        "presence")."""
        known, fragments = self.copy(), self._fragments
        self.clear()
        self._fragments = {}
        for user_id, user_info in members.items():
            self[user_id] = user_info
            is_known = known.get(user_id) == user_info
            self._fragments[user_id] = fragments[user_id] if is_known else events.member_fragments(user_id, user_info)

    def join(self, user_id: str) -> None:
        """A connection of the user is in."""
        self.here[user_id] = self.here.get(user_id, 0) + 1

    def leave(self, user_id: str) -> bool:
        """A connection of the user has left; True when it was the last one here. Raises KeyError when none was in."""
        connections = self.here[user_id] - 1
        if connections:
            self.here[user_id] = connections
            return False
        del self.here[user_id]
        return True

    def confirmation(self, channel: str, recovery: bytes = b"") -> bytes:
        """The subscription_succeeded message that lists everybody present; `recovery`: see events.recovery."""
        fragments = self._fragments.values()
        ids, entries = [one[0] for one in fragments], [one[1] for one in fragments]
        return events.presence_succeeded(channel, ids, entries, len(self), recovery)
