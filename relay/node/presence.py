"""The members of one presence channel (A7): all of the cluster, by user id, and how many connections each has here.

A user with several connections is one member; the user_info that the cluster took stands until the user has left it. Must not
know who is told of whom.
"""

from collections.abc import Iterator, KeysView, Mapping

from relay.protocol import events


class _Present:
    """One member: the user_info, and the pieces of a subscription's confirmation."""

    __slots__ = ("entry", "id_fragment", "user_info")

    def __init__(self, user_id: str, user_info: bytes) -> None:
        self.user_info = user_info
        self.id_fragment, self.entry = events.member_fragments(user_id, user_info)


class Presence(Mapping[str, bytes]):
    """Who is in a presence channel: user id → user_info. Join and leave in pairs, once for a connection of this node."""

    __slots__ = ("_here", "_users")

    def __init__(self) -> None:
        self._users: dict[str, _Present] = {}
        self._here: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __contains__(self, user_id: object) -> bool:
        return user_id in self._users

    def __getitem__(self, user_id: str) -> bytes:
        return self._users[user_id].user_info

    @property
    def here(self) -> KeysView[str]:
        """The users who have a connection on this node."""
        return self._here.keys()

    def add(self, user_id: str, user_info: bytes) -> None:
        """The user is a member; one that was known stays as it is."""
        if user_id not in self._users:
            self._users[user_id] = _Present(user_id, user_info)

    def remove(self, user_id: str) -> bytes | None:
        """The user is a member no more: the user_info that was known, None where none was."""
        present = self._users.pop(user_id, None)
        return None if present is None else present.user_info

    def replace(self, members: Mapping[str, bytes]) -> None:
        """These are all members."""
        self._users = {user_id: _Present(user_id, user_info) for user_id, user_info in members.items()}

    def join(self, user_id: str) -> None:
        """A connection of the user is in."""
        self._here[user_id] = self._here.get(user_id, 0) + 1

    def leave(self, user_id: str) -> bool:
        """A connection of the user has left; True when it was the last one here. Raises KeyError when none was in."""
        connections = self._here[user_id] - 1
        if connections:
            self._here[user_id] = connections
            return False
        del self._here[user_id]
        return True

    def confirmation(self, channel: str, recovery: bytes = b"") -> bytes:
        """The subscription_succeeded message that lists everybody present; `recovery`: see events.recovery."""
        users = self._users.values()
        return events.presence_succeeded(
            channel, [user.id_fragment for user in users], [user.entry for user in users], len(users), recovery
        )
