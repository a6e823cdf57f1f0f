"""The members of one presence channel, counted by user id (A7).

A user with several connections is one member; the first connection's user_info stands until the user has left.
"""

from collections.abc import Iterator

from relay.protocol import events
from relay.protocol.session import Member


class _Present:
    """One user in the channel: how many connections, and the user's pieces of a subscription's confirmation."""

    __slots__ = ("connections", "entry", "id_fragment", "user_info")

    def __init__(self, member: Member) -> None:
        self.connections = 0
        self.user_info = member.user_info
        self.id_fragment, self.entry = events.member_fragments(member.user_id, member.user_info)


class Presence:
    """Who is in a presence channel. Join and leave in pairs, once a connection."""

    __slots__ = ("_users",)

    def __init__(self) -> None:
        self._users: dict[str, _Present] = {}

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._users

    def join(self, member: Member) -> bool:
        """Add a connection of `member`; True when it is the user's first."""
        present = self._users.get(member.user_id)
        is_first = present is None
        if present is None:
            present = self._users[member.user_id] = _Present(member)
        present.connections += 1
        return is_first

    def leave(self, user_id: str) -> bool:
        """Take away a connection of the user; True when it was the last."""
        present = self._users[user_id]
        present.connections -= 1
        if present.connections:
            return False
        del self._users[user_id]
        return True

    def info_of(self, user_id: str) -> bytes:
        """The user_info of a member. Raises KeyError."""
        return self._users[user_id].user_info

    def confirmation(self, channel: str) -> bytes:
        """The subscription_succeeded message that lists everybody present."""
        users = self._users.values()
        return events.presence_succeeded(
            channel, [user.id_fragment for user in users], [user.entry for user in users], len(users)
        )
