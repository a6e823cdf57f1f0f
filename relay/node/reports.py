"""One act of an app, reported once: to the log, to the figures, and to those who watch the app live.

Nothing is built for viewers while there are none. Must not decide anything.
"""

import logging
from typing import Final

import structlog

from relay.node.connection import Connection
from relay.protocol.errors import CloseCode, MessageRefused, RateLimited, Rejected, SubscriptionRefused
from relay.protocol.requests import Publish
from relay.protocol.session import Forward
from relay.watch import happenings
from relay.watch.happenings import Observers
from relay.watch.stats import AppStats
from relay.wire.codes import WebSocketCode

log = structlog.get_logger()

_SLOW: Final = "the messages waiting for this client passed backlog_bytes"


class Reports:
    """Of one app: its figures are `stats`."""

    __slots__ = ("_app_id", "observers", "stats")

    def __init__(self, app_id: str, stats: AppStats, observers: Observers) -> None:
        self._app_id = app_id
        self.stats = stats
        self.observers = observers

    def connected(self, connection: Connection, origin: str | None) -> None:
        """A client on a page of `origin` was welcomed."""
        self.stats.connections_opened += 1
        if self.observers:
            socket_id, address = connection.session.socket_id, connection.transport.address
            self.observers.tell(self._app_id, happenings.Connected(socket_id, address, origin))

    def disconnected(self, connection: Connection, code: int, reason: str) -> None:
        """A connection ended."""
        if self.observers:
            ended = happenings.Disconnected(connection.session.socket_id, code, reason)
            self.observers.tell(self._app_id, ended)

    def answered(self, frame: bytes) -> None:
        """One client was sent something."""
        self.stats.messages_sent["answer"] += 1
        self.stats.bytes_sent["answer"] += len(frame)

    def joined(self, connection: Connection, name: str, subscribers: int) -> None:
        """A connection is in a channel, where `subscribers` are now. Asked for only while somebody watches."""
        session = connection.session
        joined = happenings.Subscribed(session.socket_id, name, subscribers, session.subscriptions[name])
        self.observers.tell(self._app_id, joined)

    def left(self, connection: Connection, name: str, subscribers: int, user_id: str | None) -> None:
        """A connection has left a channel, where `subscribers` are left. Asked for only while somebody watches."""
        left = happenings.Unsubscribed(connection.session.socket_id, name, subscribers, user_id)
        self.observers.tell(self._app_id, left)

    def signed_in(self, connection: Connection, user_id: str) -> None:
        """A connection is a user's from now on."""
        if self.observers:
            self.observers.tell(self._app_id, happenings.SignedIn(connection.session.socket_id, user_id))

    def sent(self, connection: Connection, event: Forward, recipients: int) -> None:
        """A client's event went to so many others on this node. Asked for only while somebody watches."""
        sender, data = connection.session.socket_id, event.data.decode()
        sent = happenings.ClientEvent(sender, event.channel, event.name, data, recipients, event.user_id)
        self.observers.tell(self._app_id, sent)

    def published(self, event: Publish, channel: str, recipients: int) -> None:
        """A back end's event goes to so many on this node. Asked for only while somebody watches."""
        published = happenings.Published(channel, event.name, event.data, recipients, event.exclude)
        self.observers.tell(self._app_id, published)

    def refused_message(
        self, connection: Connection, refused: MessageRefused | SubscriptionRefused, message: bytes | bytearray
    ) -> None:
        """A message was answered with an error."""
        self.stats.hit(refused.limit)
        self.stats.rate_limited += isinstance(refused, RateLimited)
        # A client may send thousands of them: to ask for its address each time would cost more than all the rest.
        if log.is_enabled_for(logging.DEBUG):
            log.debug("message_refused", **_who(connection), reason=refused.message)
        if self.observers:
            is_join = isinstance(refused, SubscriptionRefused)
            of_kind = happenings.RefusedSubscription if is_join else happenings.RefusedMessage
            socket_id, text = connection.session.socket_id, message.decode("utf-8", "replace")
            told = of_kind(socket_id, refused.message, text, refused.code, refused.channel)
            self.observers.tell(self._app_id, told)

    def slow(self, connection: Connection) -> None:
        """A client is cut because it reads too slowly."""
        self.stats.slow_clients_cut += 1
        self.stats.hit("backlog_bytes")
        log.warning("slow_client_cut", **_who(connection), code=int(CloseCode.OVER_CAPACITY), reason=_SLOW)

    def cut(self, connection: Connection, code: int, reason: str) -> None:
        """A connection is ended for something else that its client did, or did not do in time, or that we could not do."""
        if code == WebSocketCode.TOO_BIG:
            self.stats.hit("message_bytes")
        log.info("connection_cut", **_who(connection), code=int(code), reason=reason)

    def missed(self, channels: int) -> None:
        """Messages to so many channels were lost to this node for good."""
        log.error("messages_missed", app=self._app_id, channels=channels)


def refused_connection(
    observers: Observers, app_id: str | None, rejected: Rejected, address: str, origin: str | None
) -> None:
    """A client at `address` was turned away, by an app or since there is none."""
    log.info("connection_refused", app=app_id, address=address, code=int(rejected.code), reason=rejected.message)
    if observers:
        turned_away = happenings.RefusedConnection(rejected.code, rejected.message, address, origin)
        observers.tell(app_id, turned_away)


def _who(connection: Connection) -> dict[str, str]:
    """The client, for a log line."""
    return {
        "app": connection.app.id,
        "socket_id": connection.session.socket_id,
        "address": connection.transport.address,
    }
