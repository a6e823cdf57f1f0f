"""The use cases of the relay: connect, receive, disconnect, publish, query.

Joins hub, presence and bus. What is legal is decided by the session and the request parsers; how bytes travel is the
transports' and the API's business.
"""

import asyncio
import logging
import os
import struct
from collections.abc import Callable, Iterator
from typing import Final, assert_never

import structlog
from orjson import dumps

from relay.apps import App, Apps
from relay.cluster.cache import CachedEvent
from relay.cluster.plain import Bus
from relay.node.channel import Channel
from relay.node.connection import Connection, Transport
from relay.node.counts import SubscriptionCounts
from relay.node.hub import Hub
from relay.node.presence import Presence
from relay.protocol import events
from relay.protocol.channels import ChannelRules, Kind, channel_of, rules_for
from relay.protocol.errors import (
    CLIENT_EVENT_REFUSED,
    LIMIT_REACHED,
    SIGNATURE_REFUSED,
    WATCHLIST_CUT,
    CloseCode,
    MessageRefused,
    RateLimited,
    Rejected,
    SubscriptionRefused,
)
from relay.protocol.ratelimit import TokenBucket
from relay.protocol.requests import Publish
from relay.protocol.session import Answer, Effect, Identify, Join, Leave, Member, Relay, Session, User, ensure_protocol
from relay.protocol.webhooks import WebhookEvent
from relay.watch import happenings
from relay.watch.happenings import Observers
from relay.watch.stats import AppStats, Gauges
from relay.webhooks.base import Webhooks
from relay.wire import halves
from relay.wire.codes import WebSocketCode
from relay.wire.deflate import Deflater
from relay.wire.frames import text_frame
from relay.wire.halves import text_json

log = structlog.get_logger()

_PONG = text_frame(events.PONG)

# What is asked of the system's random numbers at once: eight of them are a socket id.
RANDOM_BYTES: Final = 4_096

# A stop that is spread closes some connections, then pauses for so long. Seconds.
STOP_STEP: Final = 0.05


class Node:
    """One process of the relay.

    `activity_timeout` (seconds) is what clients are told: ping when nothing came for so long. `clock` gives seconds, `defer`
    calls something when the present turn of the event loop ends, `later` after some seconds. `observers` are told what
    happens, if there are any.
    """

    def __init__(
        self,
        apps: Apps,
        bus: Bus,
        webhooks: Webhooks,
        activity_timeout: int,
        clock: Callable[[], float],
        defer: Callable[[Callable[[], None]], object],
        later: Callable[[float, Callable[[], None]], object],
        observers: Observers,
    ) -> None:
        self.apps = apps
        self.observers = observers
        self._bus = bus
        self._activity_timeout = activity_timeout
        self._webhooks = webhooks
        self._is_stopping = False
        self._random_pairs = _random_pairs()
        # Of all connections: a frame that goes to many is compressed for the first of them.
        self.deflate = Deflater()
        self._clock = clock
        self._defer = defer
        self._hubs = {app.id: Hub(app.limits.cached_events, defer) for app in apps}
        self._counts = SubscriptionCounts(self._tell_count, clock, later)

    async def start(self) -> None:
        """Join the other nodes."""
        await self._bus.start(self._deliver)

    async def stop(self, spread: float = 0.0) -> None:
        """Tell every client to come back, then leave the other nodes.

        `spread` (seconds): 0 closes all connections at once and has them come back after a pause, when this relay runs again;
        more closes them one after another and has each come back at once, to another node.
        """
        self._is_stopping = True
        self._flush()
        connections = [connection for hub in self._hubs.values() for connection in hub.connections.values()]
        # Not RECONNECT, at once, where nobody else listens: pusher-js would find no one, and try again only 15 s later (G).
        code = CloseCode.RECONNECT if spread else CloseCode.OVER_CAPACITY
        step = max(1, round(len(connections) * STOP_STEP / spread)) if spread else len(connections)
        for at, connection in enumerate(connections, 1):
            connection.transport.close(code, "the server is restarting")
            if spread and at % step == 0:
                await asyncio.sleep(STOP_STEP)
        await self._bus.stop()

    def tick(self, now: float) -> None:
        """Do what is due at `now`; wants to be called once a second."""
        self._counts.tick(now)

    def reload(self, apps: Apps) -> None:
        """Serve `apps` from now on. Connections stay, under the new settings of their app, unless it is gone or disabled."""
        self._flush()
        for app_id in self._hubs.keys() - {app.id for app in apps}:
            for connection in list(self._hubs[app_id].connections.values()):
                connection.transport.close(CloseCode.UNKNOWN_APP, "The app is no more")
            del self._hubs[app_id]
        self.apps = apps
        for app in apps:
            hub = self._hubs.setdefault(app.id, Hub(app.limits.cached_events, self._defer))
            hub.cache.bound(app.limits.cached_events)
            for connection in list(hub.connections.values()):
                connection.adopt(app)
                if not app.enabled:
                    connection.transport.close(CloseCode.APP_DISABLED, "The app is disabled")

    def app_for(self, key: str, origin: str | None) -> App:
        """The app that a client on a page of `origin` asks for by its key. Raises Rejected: see `refused`."""
        app = self.apps.by_key(key)
        if app is None:
            raise Rejected(CloseCode.UNKNOWN_APP, f"There is no app with the key {key[:100]!r}")
        if not app.enabled:
            raise Rejected(CloseCode.APP_DISABLED, "The app is disabled")
        if not app.allows_origin(origin):
            raise Rejected(
                CloseCode.UNAUTHORIZED, f"Pages of {(origin or 'no origin')[:100]} may not connect to this app"
            )
        return app

    def connect(self, app: App, protocol: str | None, transport: Transport, origin: str | None = None) -> Connection:
        """Welcome a client on a page of `origin`; the transport writes `greeting` first. Raises Rejected: see `refused`."""
        ensure_protocol(protocol)
        if self._is_stopping:
            raise Rejected(CloseCode.OVER_CAPACITY, "the server is restarting")
        hub, limits = self._hubs[app.id], app.limits
        if limits.connections and len(hub.connections) >= limits.connections:
            text = f"The app has its {limits.connections} connections"
            raise Rejected(CloseCode.OVER_CONNECTION_LIMIT, text, limit="connections")
        socket_id = _new_socket_id(hub, self._random_pairs)
        if limits.connections_per_address:
            _enter(hub, socket_id, transport.address, limits.connections_per_address)
        hub.opened += 1
        connection = Connection(app, Session(app, socket_id), transport, hub.opened)
        hub.connections[socket_id] = connection
        hub.stats.connections_opened += 1
        if self.observers:
            self.observers.tell(app.id, happenings.Connected(socket_id, transport.address, origin))
        return connection

    def greeting(self, connection: Connection) -> bytes:
        """The frame of a connection's first message."""
        frame = text_frame(events.connection_established(connection.session.socket_id, self._activity_timeout))
        self._count_told(connection, frame)
        return frame

    def refused(self, key: str, rejected: Rejected, address: str, origin: str | None = None) -> None:
        """A transport turned away the client at `address` that asked for the app of `key`, since one of the above raised."""
        app = self.apps.by_key(key)
        if app is not None:
            stats = self._hubs[app.id].stats
            stats.connections_refused += 1
            stats.hit(rejected.limit)
        log.info(
            "connection_refused",
            app=None if app is None else app.id,
            address=address,
            code=int(rejected.code),
            reason=rejected.message,
        )
        if self.observers:
            turned_away = happenings.RefusedConnection(rejected.code, rejected.message, address, origin)
            self.observers.tell(None if app is None else app.id, turned_away)

    def disconnect(self, connection: Connection, code: int = WebSocketCode.ABNORMAL, reason: str = "") -> None:
        """The client is gone, or is being closed with `code`: nothing is written to it after this. May be called again.
        Call `gone` when its transport has ended as well."""
        hub, session = self._hubs[connection.app.id], connection.session
        if hub.connections.pop(session.socket_id, None) is None:
            return
        hub.stats.closed(code)
        # Out of all of them before any is told: what one channel holds back goes out when the next one is sent something.
        left = [self._take_out(connection, name) for name in session.subscriptions]
        is_away = session.user is not None and hub.sign_out(connection, session.user)
        for channel in left:
            self._tell_left(connection, channel)
        if session.user is not None and is_away:
            self._bus.ignore(connection.app.id, channel_of(session.user.user_id))
            self._tell_watchers(hub, events.watchlist_events((), [session.user.user_id]), session.user.user_id)
        if self.observers:
            self.observers.tell(connection.app.id, happenings.Disconnected(session.socket_id, code, reason))

    def gone(self, connection: Connection) -> None:
        """The way to a client that was disconnected has ended too: the client's address may have another one for it."""
        hub = self._hubs.get(connection.app.id)
        if hub is not None:
            hub.addresses.leave(connection.session.socket_id)

    def receive(self, connection: Connection, message: bytes | bytearray, now: float) -> None:
        """Handle a text message of a client at `now` (seconds, monotonic)."""
        stats, kind = self._hubs[connection.app.id].stats, "refused"
        try:
            effect = connection.session.receive(message, now)
            if effect is None:
                kind = "pong"
            else:
                self._apply(connection, effect)
                kind = effect.kind
        except (MessageRefused, SubscriptionRefused) as refused:
            stats.hit(refused.limit)
            stats.rate_limited += isinstance(refused, RateLimited)
            for error in _errors_of(refused):
                self._tell(connection, text_frame(error))
            self._tell_refused(connection, refused, message)
        stats.messages_received[kind] += 1
        stats.bytes_received[kind] += len(message)

    def publish(self, app: App, event: Publish) -> None:
        """Send an application's event to its channels."""
        name, data = dumps(event.name), text_json(event.data)
        for rules in event.channels:
            frame = text_frame(events.channel_event(name, rules.name, data))
            if rules.is_cache:
                cached = CachedEvent(frame, data, self._clock() + app.limits.cache_ttl)
                if self._hubs[app.id].cache.put(rules.name, cached):
                    self._hubs[app.id].stats.hit("cached_events")
            if self.observers:
                count = self._recipients(app, rules.name, event.exclude)
                published = happenings.Published(rules.name, event.name, event.data, count, event.exclude)
                self.observers.tell(app.id, published)
            self._bus.publish(app.id, rules.name, frame, event.exclude)
        self._hubs[app.id].stats.events_published += len(event.channels)

    def terminate(self, app: App, user_id: str) -> None:
        """Close every connection that is signed in as the user, after what was sent to it."""
        hub = self._hubs[app.id]
        hub.batch.flush()
        for connection in list(hub.connections_of(user_id)):
            connection.transport.close(CloseCode.UNAUTHORIZED, "the application ended this user's connections")

    def unsubscribe(self, app: App, user_id: str, channel: str | None) -> None:
        """End the user's subscriptions to a channel, or to all that need a signature, after what was sent there.

        What was signed for the user before is of no use after it.
        """
        hub = self._hubs[app.id]
        hub.batch.flush()
        hub.revoke(user_id, channel)
        for connection in hub.in_the_name_of(user_id):
            names = _subscriptions_of(connection.session, user_id, channel)
            for left in [self._take_out(connection, name) for name in names]:
                self._tell_left(connection, left)
                self._tell(connection, text_frame(events.unsubscribed(left.rules.name)))

    def cached(self, app: App, name: str) -> tuple[CachedEvent, float] | None:
        """The last event of a cache channel, and for how many seconds it will be remembered."""
        now = self._clock()
        event = self._hubs[app.id].cache.get(name, now)
        return None if event is None else (event, event.expires - now)

    def slow(self, connection: Connection) -> None:
        """A transport cuts the connection because its client reads too slowly."""
        stats = self._hubs[connection.app.id].stats
        stats.slow_clients_cut += 1
        stats.hit("backlog_bytes")
        reason = "the messages waiting for this client passed backlog_bytes"
        log.warning("slow_client_cut", **_who(connection), code=int(CloseCode.OVER_CAPACITY), reason=reason)

    def cut(self, connection: Connection, code: int, reason: str) -> None:
        """A transport ends the connection for something else that its client did, or did not do in time."""
        if code == WebSocketCode.TOO_BIG:
            self._hubs[connection.app.id].stats.hit("message_bytes")
        log.info("connection_cut", **_who(connection), code=int(code), reason=reason)

    def stats(self, app: App) -> AppStats:
        """What the app did since the start."""
        return self._hubs[app.id].stats

    def all_stats(self) -> dict[str, AppStats]:
        """What each app did since the start, by app id."""
        return {app_id: hub.stats for app_id, hub in self._hubs.items()}

    def gauges(self) -> Iterator[tuple[str, Gauges]]:
        """The present state of each app."""
        for app_id, hub in self._hubs.items():
            channels = list(hub)
            yield app_id, Gauges(len(hub.connections), len(channels), sum(len(channel) for channel in channels))

    def connections(self, app: App) -> int:
        """How many connections the app has."""
        return len(self._hubs[app.id].connections)

    def channels(self, app: App) -> Hub:
        """The occupied channels."""
        return self._hubs[app.id]

    def channel(self, app: App, name: str) -> Channel | None:
        """The channel, if it is occupied."""
        return self._hubs[app.id].get(name)

    def _flush(self) -> None:
        """Send what is held back to the end of this turn."""
        for hub in self._hubs.values():
            hub.batch.flush()

    def _apply(self, connection: Connection, effect: Effect) -> None:
        match effect:
            case Relay():
                self._relay(connection, effect)
            case Join():
                self._join(connection, effect)
                if self.observers:
                    self._tell_joined(connection, effect.rules.name)
            case Leave():
                self._leave(connection, effect.channel)
            case Identify():
                self._identify(connection, effect)
            case Answer():
                # A pong also says that everything before it is on its way.
                self._hubs[connection.app.id].batch.flush()
                self._tell(connection, _PONG)
            case _:
                assert_never(effect)

    def _tell(self, connection: Connection, frame: bytes) -> None:
        """Send a frame to one client."""
        self._count_told(connection, frame)
        connection.write(frame)

    def _count_told(self, connection: Connection, frame: bytes) -> None:
        stats = self._hubs[connection.app.id].stats
        stats.messages_sent["answer"] += 1
        stats.bytes_sent["answer"] += len(frame)

    def _relay(self, connection: Connection, event: Relay) -> None:
        if connection.app.limits.client_events_per_channel:
            self._ensure_within_rate(connection.app, event.channel)
        message = events.client_event(event.name, event.channel, event.data, event.user_id)
        self._bus.publish(connection.app.id, event.channel, text_frame(message), connection.session.socket_id)
        self._hubs[connection.app.id].stats.client_events += 1
        if connection.app.webhooks:
            self._webhooks.happened(connection.app, _client_event(connection, event))
        if self.observers:
            sender, data = connection.session.socket_id, event.data.decode()
            count = self._recipients(connection.app, event.channel, sender)
            sent = happenings.ClientEvent(sender, event.channel, event.name, data, count, event.user_id)
            self.observers.tell(connection.app.id, sent)

    def _ensure_within_rate(self, app: App, name: str) -> None:
        """Raises RateLimited when the senders of client events in a channel send too many, all together."""
        channel, rate, now = self._hubs[app.id].get(name), app.limits.client_events_per_channel, self._clock()
        if channel is None:
            raise RuntimeError(f"somebody is subscribed to {name!r}, which is not occupied")
        bucket = channel.client_events
        if bucket is None or bucket.rate != rate:  # a reload may have changed it
            bucket = channel.client_events = TokenBucket(rate, now)
        if not bucket.take(now):
            text = f"Rate limit reached: a channel takes {rate} client events a second, of all senders together"
            raise RateLimited(text, CLIENT_EVENT_REFUSED, name, limit="client_events_per_channel")

    def _join(self, connection: Connection, join: Join) -> None:
        app, name = connection.app, join.rules.name
        hub = self._hubs[app.id]
        if join.rules.needs_auth and connection.number <= hub.revocations.up_to:
            _ensure_not_revoked(hub, connection, join)
        if join.member is not None:
            self._ensure_room(app, name, join.member)
        if join.rules.kind is Kind.SERVER_TO_USER:
            # Signed in, the client is sent this channel's events already: those of before come before.
            hub.batch.flush()
        channel, is_occupied = hub.open(join.rules)
        if is_occupied:
            self._listen(app, join.rules)
            self._webhooks.came(app, WebhookEvent("channel_occupied", name))
        if join.member is None or channel.presence is None:
            channel.add(connection)
            connection.session.subscriptions[name] = join.user_id
            if join.user_id is not None:
                hub.name(connection, join.user_id)
            self._tell(connection, text_frame(events.subscription_succeeded(name)))
            if channel.rules.is_cache:
                self._send_cached(connection, name)
            if app.subscription_count:
                self._count_changed(app, channel)
            return
        # A7: first the member is in, then the joiner is told of everybody, then the others of the joiner.
        is_first = channel.presence.join(join.member)
        self._tell(connection, text_frame(channel.presence.confirmation(name)))
        if is_first:
            if not _is_back(channel, join.member):
                added = events.member_added(name, join.member.user_id, join.member.user_info)
                self._bus.publish(app.id, name, text_frame(added), connection.session.socket_id)
            self._webhooks.came(app, WebhookEvent("member_added", name, user_id=join.member.user_id))
        channel.add(connection)
        connection.session.subscriptions[name] = join.member.user_id
        hub.name(connection, join.member.user_id)
        if channel.rules.is_cache:
            self._send_cached(connection, name)

    def _ensure_room(self, app: App, name: str, member: Member) -> None:
        """Raises SubscriptionRefused when a new member finds the presence channel full; a further connection never does."""
        channel = self._hubs[app.id].get(name)
        if channel is None or channel.presence is None or member.user_id in channel.presence:
            return
        if len(channel.presence) >= app.limits.presence_members:
            text = f"The channel has its {app.limits.presence_members} members"
            raise SubscriptionRefused(name, "LimitReached", text, LIMIT_REACHED, limit="presence_members")

    def _leave(self, connection: Connection, name: str) -> None:
        self._tell_left(connection, self._take_out(connection, name))

    def _take_out(self, connection: Connection, name: str) -> Channel:
        channel = self._hubs[connection.app.id].get(name)
        if channel is None:
            raise RuntimeError(f"{connection.session.socket_id} is subscribed to {name!r}, which is not occupied")
        channel.remove(connection)
        return channel

    def _tell_left(self, connection: Connection, channel: Channel) -> None:
        """What follows when the connection has been taken out of the channel."""
        app, name = connection.app, channel.rules.name
        hub = self._hubs[app.id]
        user_id = connection.session.subscriptions.pop(name)
        if user_id is not None:
            hub.unname(connection, user_id)
        if self.observers:
            left = happenings.Unsubscribed(connection.session.socket_id, name, len(channel), user_id)
            self.observers.tell(app.id, left)
        if user_id is not None and channel.presence is not None:
            self._take_out_member(app, channel, channel.presence, user_id)
        if hub.close_if_empty(channel):
            self._ignore(app, channel.rules)
            self._webhooks.left(app, WebhookEvent("channel_vacated", name), "channel_occupied")
        elif app.subscription_count:
            self._count_changed(app, channel)

    def _take_out_member(self, app: App, channel: Channel, presence: Presence, user_id: str) -> None:
        """A connection of the member has left: tell the others if it was the last one, and they have heard of the member."""
        name, info = channel.rules.name, presence.info_of(user_id)
        if not presence.leave(user_id):
            return
        if not (channel.is_holding and channel.take_back(text_frame(events.member_added(name, user_id, info)))):
            self._bus.publish(app.id, name, text_frame(events.member_removed(name, user_id)), None)
            channel.note_gone(user_id, info)
        self._webhooks.left(app, WebhookEvent("member_removed", name, user_id=user_id), "member_added")

    def _identify(self, connection: Connection, effect: Identify) -> None:
        hub, user = self._hubs[connection.app.id], effect.user
        is_first = hub.sign_in(connection, user, effect.earlier)
        self._tell(connection, text_frame(events.signin_success(effect.user_data)))
        if self.observers:
            self.observers.tell(connection.app.id, happenings.SignedIn(connection.session.socket_id, user.user_id))
        if effect.has_too_many_watched:
            hub.stats.hit("watchlist")
            text = f"A watchlist holds {connection.app.limits.watchlist} users; the first of them are watched"
            self._tell(connection, text_frame(events.error(text, WATCHLIST_CUT)))
        if user.watched:
            self._tell(connection, text_frame(_statuses(hub, user)))
        if is_first:
            self._bus.listen(connection.app.id, channel_of(user.user_id))
            # Who watches itself has just been told.
            self._tell_watchers(hub, events.watchlist_events([user.user_id], ()), user.user_id, connection)

    def _tell_watchers(self, hub: Hub, message: bytes, user_id: str, exclude: Connection | None = None) -> None:
        frame = text_frame(message)
        for watcher in hub.watchers_of(user_id):
            if watcher is not exclude:
                self._tell(watcher, frame)

    def _tell_joined(self, connection: Connection, name: str) -> None:
        """Tell the observers of a new subscription."""
        session, channel = connection.session, self._hubs[connection.app.id].get(name)
        subscribers = 0 if channel is None else len(channel)
        joined = happenings.Subscribed(session.socket_id, name, subscribers, session.subscriptions[name])
        self.observers.tell(connection.app.id, joined)

    def _tell_refused(
        self, connection: Connection, refused: MessageRefused | SubscriptionRefused, message: bytes | bytearray
    ) -> None:
        """Tell the log and the observers of a message that was answered with an error."""
        _log_refusal(connection, refused.message)
        if self.observers:
            is_join = isinstance(refused, SubscriptionRefused)
            of_kind = happenings.RefusedSubscription if is_join else happenings.RefusedMessage
            socket_id, text = connection.session.socket_id, message.decode("utf-8", "replace")
            told = of_kind(socket_id, refused.message, text, refused.code, refused.channel)
            self.observers.tell(connection.app.id, told)

    def _listen(self, app: App, rules: ChannelRules) -> None:
        """Let other nodes know that the channel is occupied here; whose user's it is, they know since somebody signed in."""
        if rules.kind is not Kind.SERVER_TO_USER:
            self._bus.listen(app.id, rules.name)

    def _ignore(self, app: App, rules: ChannelRules) -> None:
        if rules.kind is not Kind.SERVER_TO_USER:
            self._bus.ignore(app.id, rules.name)

    def _recipients(self, app: App, name: str, exclude: str | None) -> int:
        """How many on this node get what is sent to the channel."""
        channel = self._hubs[app.id].audience(name)
        return 0 if channel is None else len(channel) - (exclude in channel)

    def _send_cached(self, connection: Connection, name: str) -> None:
        """Send the last event of a cache channel, or that there is none."""
        cached = self.cached(connection.app, name)
        if cached is not None:
            self._tell(connection, cached[0].frame)
            return
        self._tell(connection, text_frame(events.cache_miss(name)))
        self._webhooks.happened(connection.app, WebhookEvent("cache_miss", name))

    def _count_changed(self, app: App, channel: Channel) -> None:
        if channel.presence is None:  # it has members instead
            self._counts.changed(app.id, channel.rules.name, len(channel), self._clock())

    def _tell_count(self, app_id: str, name: str) -> None:
        hub = self._hubs.get(app_id)
        channel = None if hub is None else hub.get(name)
        if channel is None:
            return
        app = self.apps.by_id(app_id)
        # A reload may have switched it off while the count waited.
        if app.subscription_count:
            count = len(channel)
            channel.send(text_frame(events.subscription_count(name, count)))
            self._webhooks.happened(app, WebhookEvent("subscription_count", name, subscription_count=count))

    def _deliver(self, app_id: str, name: str, frame: bytes, exclude: str | None) -> None:
        audience = self._hubs[app_id].audience(name)
        if audience is not None:
            audience.send(frame, exclude)


def _subscriptions_of(session: Session, user_id: str, channel: str | None) -> list[str]:
    """The subscriptions in the user's name: what was signed for it; signed in as it, all that needed a signature."""
    is_signed_in = session.user is not None and session.user.user_id == user_id
    return [
        name
        for name, signed_for in session.subscriptions.items()
        if channel in (None, name) and (signed_for == user_id or (is_signed_in and rules_for(name).needs_auth))
    ]


def _ensure_not_revoked(hub: Hub, connection: Connection, join: Join) -> None:
    """Raises SubscriptionRefused when a user whom the client comes as has lost the channel since the connection is there."""
    name, user = join.rules.name, connection.session.user
    comes_as = {
        join.user_id,
        None if join.member is None else join.member.user_id,
        None if user is None else user.user_id,
    }
    if any(hub.revocations.covers(user_id, name, connection.number) for user_id in comes_as if user_id is not None):
        text = "The user lost this channel after the connection was opened: connect anew, and have it signed again"
        raise SubscriptionRefused(name, "Revoked", text, SIGNATURE_REFUSED)


def _is_back(channel: Channel, member: Member) -> bool:
    """Whether the member is back as it was, and nobody has heard that it was gone."""
    if channel.gone.get(member.user_id) != member.user_info:
        return False
    return channel.take_back(text_frame(events.member_removed(channel.rules.name, member.user_id)))


def _new_socket_id(hub: Hub, pairs: Iterator[tuple[int, int]]) -> str:
    """Two random numbers (A3): it is part of what is signed, so it must not be guessable or taken."""
    while True:
        first, second = next(pairs)
        socket_id = f"{first}.{second}"
        if socket_id not in hub.connections:
            return socket_id


def _random_pairs() -> Iterator[tuple[int, int]]:
    """Pairs of 32 random bits each. The system is asked for many at once (bench/, scenario "connections")."""
    while True:
        yield from struct.iter_unpack("!II", os.urandom(RANDOM_BYTES))


def _enter(hub: Hub, socket_id: str, address: str, limit: int) -> None:
    """Count a connection from `address`. Raises Rejected when there are `limit` already; they may soon be fewer."""
    if hub.addresses.count(address) >= limit:
        text = f"There are {limit} connections from this address"
        raise Rejected(CloseCode.OVER_CAPACITY, text, limit="connections_per_address")
    hub.addresses.enter(socket_id, address)


def _client_event(connection: Connection, event: Relay) -> WebhookEvent:
    """What a back end is told of a client event: its data as text, whatever it was (D)."""
    text = halves.loads(event.data) if event.data[:1] == b'"' else event.data.decode()
    return WebhookEvent("client_event", event.channel, event.name, text, connection.session.socket_id, event.user_id)


def _errors_of(refused: MessageRefused | SubscriptionRefused) -> tuple[bytes, ...]:
    """What the client is told of a message that was refused (A6), in the dialects of all client libraries.

    Some know pusher:subscription_error, which reaches the handlers of the channel; others only pusher:error, which for the
    sake of the first has no channel of its own, and names it in the text.
    """
    if isinstance(refused, SubscriptionRefused):
        named = f"Subscription to channel {refused.channel[:200]} refused: {refused.message}"
        error = events.subscription_error(refused.channel, refused.kind, refused.message, refused.code)
        return error, events.error(named, None)
    return (events.error(refused.message, refused.code, refused.channel),)


def _statuses(hub: Hub, user: User) -> bytes:
    """Who of the watched users is here at the moment."""
    online = [watched for watched in user.watched if hub.connections_of(watched)]
    return events.watchlist_events(online, [watched for watched in user.watched if watched not in online])


def _log_refusal(connection: Connection, reason: str) -> None:
    # A client may send thousands of them: to ask for its address each time would cost more than all the rest.
    if log.is_enabled_for(logging.DEBUG):
        log.debug("message_refused", **_who(connection), reason=reason)


def _who(connection: Connection) -> dict[str, str]:
    """The client, for a log line."""
    return {
        "app": connection.app.id,
        "socket_id": connection.session.socket_id,
        "address": connection.transport.address,
    }
