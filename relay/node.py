"""The use cases of the relay: connect, receive, disconnect, publish, query.

Joins hub, presence and bus. What is legal is decided by the session and the request parsers; how bytes travel is the
transports' and the API's business.
"""

import secrets
from collections.abc import Iterable
from typing import assert_never

import structlog
from orjson import dumps

from relay.apps import App, Apps
from relay.bus.base import Bus
from relay.connection import Connection, Transport
from relay.hub import Channel, Hub
from relay.protocol import events
from relay.protocol.errors import (
    LIMIT_REACHED,
    CloseCode,
    MessageRefused,
    Rejected,
    SubscriptionRefused,
)
from relay.protocol.frames import text_frame
from relay.protocol.requests import Publish
from relay.protocol.session import Answer, Effect, Join, Leave, Relay, Session, ensure_protocol

log = structlog.get_logger()

_PONG = text_frame(events.PONG)


class Node:
    """One process of the relay. `activity_timeout` (seconds) is what clients are told: ping when nothing came for so long."""

    def __init__(self, apps: Apps, bus: Bus, activity_timeout: int) -> None:
        self.apps = apps
        self._bus = bus
        self._activity_timeout = activity_timeout
        self._hubs = {app.id: Hub() for app in apps}

    async def start(self) -> None:
        """Join the other nodes."""
        await self._bus.start(self._deliver)

    async def stop(self) -> None:
        """Tell every client to come back, then leave the other nodes."""
        for hub in self._hubs.values():
            for connection in list(hub.connections.values()):
                # Not RECONNECT, at once: pusher-js would find nobody, and try again only 15 s later (G1).
                connection.transport.close(CloseCode.OVER_CAPACITY, "the server is restarting")
        await self._bus.stop()

    def app_for(self, key: str) -> App:
        """The app that a client asks for by its key. Raises Rejected."""
        app = self.apps.by_key(key)
        if app is None:
            raise Rejected(CloseCode.UNKNOWN_APP, f"There is no app with the key {key[:100]!r}")
        if not app.enabled:
            raise Rejected(CloseCode.APP_DISABLED, "The app is disabled")
        return app

    def connect(self, app: App, protocol: str | None, transport: Transport) -> Connection:
        """Welcome a client; its first message, connection_established, is written. Raises Rejected."""
        ensure_protocol(protocol)
        hub = self._hubs[app.id]
        if app.limits.connections and len(hub.connections) >= app.limits.connections:
            raise Rejected(CloseCode.OVER_CONNECTION_LIMIT, f"The app has its {app.limits.connections} connections")
        socket_id = _new_socket_id(hub)
        connection = Connection(app, Session(app, socket_id), transport)
        hub.connections[socket_id] = connection
        connection.write(text_frame(events.connection_established(socket_id, self._activity_timeout)))
        return connection

    def disconnect(self, connection: Connection) -> None:
        """The client is gone, or is being closed: nothing is written to it after this. May be called again."""
        hub, session = self._hubs[connection.app.id], connection.session
        if hub.connections.pop(session.socket_id, None) is None:
            return
        for channel in list(session.subscriptions):
            self._leave(connection, channel)

    def receive(self, connection: Connection, message: bytes | bytearray, now: float) -> None:
        """Handle a text message of a client at `now` (seconds, monotonic)."""
        try:
            effect = connection.session.receive(message, now)
            if effect is not None:
                self._apply(connection, effect)
        except MessageRefused as refused:
            connection.write(text_frame(events.error(refused.message, refused.code, refused.channel)))
            _log_refusal(connection, refused.message)
        except SubscriptionRefused as refused:
            error = events.subscription_error(refused.channel, refused.kind, refused.message, refused.code)
            connection.write(text_frame(error))
            _log_refusal(connection, refused.message)

    def publish(self, app: App, event: Publish) -> None:
        """Send an application's event to its channels."""
        name, data = dumps(event.name), dumps(event.data)
        for rules in event.channels:
            frame = text_frame(events.channel_event(name, rules.name, data))
            self._bus.publish(app.id, rules.name, frame, event.exclude)

    def channels(self, app: App) -> Iterable[Channel]:
        """The occupied channels."""
        return self._hubs[app.id]

    def channel(self, app: App, name: str) -> Channel | None:
        """The channel, if it is occupied."""
        return self._hubs[app.id].get(name)

    def _apply(self, connection: Connection, effect: Effect) -> None:
        match effect:
            case Relay():
                self._relay(connection, effect)
            case Join():
                self._join(connection, effect)
            case Leave():
                self._leave(connection, effect.channel)
            case Answer():
                connection.write(_PONG)
            case _:
                assert_never(effect)

    def _relay(self, connection: Connection, event: Relay) -> None:
        message = events.client_event(event.name, event.channel, bytes(event.data), event.user_id)
        self._bus.publish(connection.app.id, event.channel, text_frame(message), connection.session.socket_id)

    def _join(self, connection: Connection, join: Join) -> None:
        app, name = connection.app, join.rules.name
        channel = self._hubs[app.id].get(name)
        if channel is not None and join.member is not None and channel.presence is not None:
            is_new = join.member.user_id not in channel.presence
            if is_new and len(channel.presence) >= app.limits.presence_members:
                text = f"The channel has its {app.limits.presence_members} members"
                raise SubscriptionRefused(name, "LimitReached", text, LIMIT_REACHED)
        channel, is_occupied = self._hubs[app.id].open(join.rules)
        if is_occupied:
            self._bus.listen(app.id, name)
        if join.member is None or channel.presence is None:
            self._subscribe(connection, channel, None)
            connection.write(text_frame(events.subscription_succeeded(name)))
            return
        # A7: first the member is in, then the joiner is told of everybody, then the others of the joiner.
        is_first = channel.presence.join(join.member)
        connection.write(text_frame(channel.presence.confirmation(name)))
        if is_first:
            added = events.member_added(name, join.member.user_id, join.member.user_info)
            self._bus.publish(app.id, name, text_frame(added), connection.session.socket_id)
        self._subscribe(connection, channel, join.member.user_id)

    @staticmethod
    def _subscribe(connection: Connection, channel: Channel, user_id: str | None) -> None:
        channel.add(connection)
        connection.session.subscriptions[channel.rules.name] = user_id

    def _leave(self, connection: Connection, name: str) -> None:
        app = connection.app
        hub = self._hubs[app.id]
        channel = hub.get(name)
        user_id = connection.session.subscriptions.pop(name)
        if channel is None:
            raise RuntimeError(f"{connection.session.socket_id} is subscribed to {name!r}, which is not occupied")
        channel.remove(connection)
        is_last = user_id is not None and channel.presence is not None and channel.presence.leave(user_id)
        if hub.close_if_empty(channel):
            self._bus.ignore(app.id, name)
        if is_last and user_id is not None:
            self._bus.publish(app.id, name, text_frame(events.member_removed(name, user_id)), None)

    def _deliver(self, app_id: str, name: str, frame: bytes, exclude: str | None) -> None:
        channel = self._hubs[app_id].get(name)
        if channel is not None:
            channel.send(frame, exclude)


def _new_socket_id(hub: Hub) -> str:
    """Two random numbers (A3): it is part of what is signed, so it must not be guessable or taken."""
    while True:
        number = secrets.randbits(64)
        socket_id = f"{number >> 32}.{number & 0xFFFFFFFF}"
        if socket_id not in hub.connections:
            return socket_id


def _log_refusal(connection: Connection, reason: str) -> None:
    log.debug("message_refused", app=connection.app.id, socket_id=connection.session.socket_id, reason=reason)
