"""What all ways to a client have in common: how it comes to its app, how it is turned away, cut and let go, and which of its
limits count while it is read.

How bytes travel, and when something is due, is said by each transport. Must not know a frame or a request.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from relay.net.liveness import Wheel
from relay.node.connection import Connection
from relay.node.namespace import Namespace
from relay.node.node import Node
from relay.protocol.errors import CloseCode, Rejected
from relay.protocol.limits import AUTHORIZATION_TIMEOUT, Limits
from relay.transports.intake import Intake

# What a client is told that is cut, whatever it came by.
UNAUTHORIZED: Final = f"neither signed in nor authorised within {AUTHORIZATION_TIMEOUT} s"
TOO_SLOW: Final = "too slow: the messages waiting for this client passed the limit"

T = TypeVar("T")


class Link(Intake[T]):
    """Base of what implements relay.node.connection.Transport and relay.net.liveness.Watched."""

    __slots__ = ("_connection", "_counted", "_namespace", "_node", "_wheel", "wheel_slot", "write")

    # See relay.node.connection.Transport.
    write: Callable[[bytes], None]
    # Set as soon as there is a connection.
    _namespace: Namespace

    def __init__(self, node: Node, wheel: Wheel) -> None:
        self.wheel_slot = 0
        self._loop = asyncio.get_running_loop()
        self._node = node
        self._wheel = wheel
        self._connection: Connection | None = None
        # The same, until nothing of the client holds a socket any more: one that is being closed is one as well.
        self._counted: Connection | None = None
        self._start()

    @property
    def address(self) -> str:
        """See relay.node.connection.Transport."""
        raise NotImplementedError

    def close(self, code: int, reason: str) -> None:
        """See relay.node.connection.Transport."""
        raise NotImplementedError

    def adopt(self, limits: Limits) -> None:
        """See relay.node.connection.Transport."""
        self._renew()

    def _connect(self, namespace: Namespace, protocol: str | None, origin: str | None) -> bytes:
        """The client is one of the app from now on, and is to be sent this greeting first. Raises Rejected."""
        connection = namespace.connect(protocol, self, origin)
        self._namespace = namespace
        self._connection = self._counted = connection
        return namespace.greeting(connection)

    def _turn_away(self, app_key: str, rejected: Rejected, origin: str | None) -> None:
        """The client does not come to the app of the key."""
        self._node.refused(app_key, rejected, self.address, origin)
        self.close(rejected.code, rejected.message)

    def _end(self, code: int, reason: str) -> None:
        """Close for what the client did, or did not do in time."""
        if self._connection is not None:
            self._namespace.reports.cut(self._connection, code, reason)
        self.close(code, reason)

    def _cut(self) -> None:
        """Close as more waits for the client than may."""
        if self._connection is not None:
            self._namespace.reports.slow(self._connection)
            self.close(CloseCode.OVER_CAPACITY, TOO_SLOW)

    def _flush(self) -> None:
        """Before the client is closed: write to it what was sent to its channels."""
        if self._connection is not None:
            self._namespace.flush_resting()

    def _detach(self, code: int, reason: str) -> None:
        """The client is not of its app any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._namespace.disconnect(connection, code, reason)

    def _release(self) -> None:
        """Nothing of the client holds a socket any more."""
        counted, self._counted = self._counted, None
        if counted is not None:
            self._namespace.gone(counted)

    @property
    def _is_unauthorized(self) -> bool:
        """Whether the client still has to prove something."""
        return self._connection is not None and self._connection.is_unauthorized

    def _limits(self) -> Limits | None:
        """See Intake. Of a client that is being closed nothing but its own close matters any more."""
        return None if self._connection is None else self._connection.app.limits

    def _count_hit(self) -> None:
        """See Intake."""
        if self._connection is not None:
            self._namespace.stats.hit("messages_per_second")
