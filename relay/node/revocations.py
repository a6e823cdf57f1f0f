"""Which users lost which channels, so that what was signed for them before is of no use any more (decision 0014).

A signature is valid for one connection, for as long as that lives: so what a user has lost is kept from the connections
that were there at that moment, and a later one needs a new signature. Must not know connections, only their numbers: each
has a higher one than those before it.
"""

from typing import Final

# Losses remembered for one app; of those with connections that may concern them.
MAX_REVOCATIONS: Final = 10_000


class Revocations:
    """The losses of one app's users.

    Beyond `most` the oldest are forgotten, to the safe side: connections that were there at that moment join nothing more
    in any user's name.
    """

    __slots__ = ("_floor", "_lost_up_to", "_most", "up_to")

    def __init__(self, most: int = MAX_REVOCATIONS) -> None:
        self._most = most
        # (user id, channel; None for all) → the number of the newest connection at that moment. The oldest loss comes first.
        self._lost_up_to: dict[tuple[str, str | None], int] = {}
        self._floor = 0
        # No connection with a higher number has lost anything.
        self.up_to = 0

    def __len__(self) -> int:
        return len(self._lost_up_to)

    def add(self, user_id: str, channel: str | None, newest: int, oldest: int) -> None:
        """The user lost the channel, or all of them. `newest` and `oldest` number the connections that are there."""
        self._forget(oldest)
        self._lost_up_to.pop((user_id, channel), None)
        self._lost_up_to[user_id, channel] = self.up_to = newest
        while len(self._lost_up_to) > self._most:
            self._floor = self._lost_up_to.pop(next(iter(self._lost_up_to)))

    def covers(self, user_id: str, channel: str, number: int) -> bool:
        """Whether the connection with this number joins the channel no more in this user's name."""
        lost = self._lost_up_to
        return number <= max(self._floor, lost.get((user_id, channel), 0), lost.get((user_id, None), 0))

    def _forget(self, oldest: int) -> None:
        """Drop what concerns none of the connections that are still there."""
        while self._lost_up_to:
            first = next(iter(self._lost_up_to))
            if self._lost_up_to[first] >= oldest:
                return
            del self._lost_up_to[first]
