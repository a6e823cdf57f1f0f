"""What waits for the other nodes, each with the connection that it is for: not for ever.

Empty in a relay of one node, whose cluster answers at once.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from relay.node.connection import Connection
from relay.protocol.errors import CloseCode

K = TypeVar("K")

# How long a client waits for the other nodes before it is sent away, to come back and perhaps to another node. Seconds.
HELD: Final = 30.0

REASON: Final = f"the other nodes did not answer within {HELD:.0f} s"


class Held(Protocol):
    """Something that waits `since` (seconds, monotonic)."""

    since: float
    connection: Connection


V = TypeVar("V", bound=Held)


class Waiting(dict[K, V]):
    """What waits, by a key; the one that waits longest comes first."""

    def end(self, now: float, cut: Callable[[Connection, int, str], None]) -> None:
        """Close the connections that have waited too long; `cut` is told of each before."""
        due: dict[Connection, None] = {}
        for held in self.values():
            if now - held.since < HELD:
                break
            due[held.connection] = None
        for connection in due:
            cut(connection, CloseCode.OVER_CAPACITY, REASON)
            connection.transport.close(CloseCode.OVER_CAPACITY, REASON)
