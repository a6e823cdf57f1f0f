"""One app in this process: its clients, and what follows from what they and its back ends send.

What is legal is decided by the session and the request parsers, what crosses nodes goes through the cluster. Must not know
sockets, HTTP or other apps.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, assert_never

from msgspec import Struct
from orjson import dumps

from pushdesk.ratelimit import TokenBucket
from relay.apps import App
from relay.cluster.bus import SENT_ONLY, Accepted, History, Kept, Outcome, Unavailable
from relay.cluster.cluster import Cluster
from relay.node.channel import Later
from relay.node.connection import Connection, Transport
from relay.node.hub import Hub
from relay.node.joining import Joining
from relay.node.queries import Queries
from relay.node.reports import Reports, refused_connection
from relay.node.signing import SigningIn
from relay.protocol import events
from relay.protocol.channels import ChannelRules
from relay.protocol.errors import (
    CLIENT_EVENT_REFUSED,
    CloseCode,
    MessageRefused,
    RateLimited,
    Rejected,
    SubscriptionRefused,
)
from relay.protocol.requests import Publish
from relay.protocol.session import Effect, Forward, Identify, Join, Leave, SendPong, Session, ensure_protocol
from relay.protocol.webhooks import WebhookEvent
from relay.watch.happenings import Observers
from relay.watch.stats import Gauges
from relay.wire import halves
from relay.wire.codes import WebSocketCode
from relay.wire.deflate import Deflater
from relay.wire.frames import text_frame
from relay.wire.halves import text_json

_PONG: Final = text_frame(events.PONG)


class Surroundings(Struct, frozen=True):
    """What the apps of a node share.

    `activity_timeout` (seconds) is what clients are told: ping when nothing came for so long. `clock` gives seconds,
    monotonic, `defer` calls something when the present turn of the loop ends. `deflate` compresses a frame that goes to many
    for the first of them; of `random_pairs` socket ids are made. `later` calls something after some seconds; None where wide
    channels do not rest.
    """

    cluster: Cluster
    activity_timeout: int
    clock: Callable[[], float]
    defer: Callable[[Callable[[], None]], object]
    observers: Observers
    deflate: Deflater
    random_pairs: Iterator[tuple[int, int]]
    later: Later | None = None


class Namespace:
    """An app on this node."""

    __slots__ = (
        "_activity_timeout",
        "_clock",
        "_cluster",
        "_is_closed",
        "_joining",
        "_pairs",
        "_signing",
        "app",
        "deflate",
        "hub",
        "observers",
        "queries",
        "reports",
        "stats",
    )

    def __init__(self, app: App, around: Surroundings) -> None:
        self.app = app
        self.hub = Hub(around.defer, around.later)
        self.stats = self.hub.stats
        self.observers = around.observers
        self.deflate = around.deflate
        self.reports = Reports(app.id, self.stats, around.observers)
        self.queries = Queries(app.id, self.hub, around.cluster)
        self._cluster = around.cluster
        self._clock = around.clock
        self._activity_timeout = around.activity_timeout
        self._pairs = around.random_pairs
        self._is_closed = False
        parts = (app, self.hub, around.cluster, self.reports, around.clock, self.tell)
        self._joining = Joining(*parts, self._refuse_late)
        self._signing = SigningIn(*parts)

    # --- the app

    def adopt(self, app: App) -> None:
        """Go on under changed settings of the same app. Connections stay, unless it is disabled."""
        self.app = self._joining.app = self._signing.app = app
        for connection in list(self.hub.connections.values()):
            connection.adopt(app)
            if not app.enabled:
                connection.transport.close(CloseCode.APP_DISABLED, "The app is disabled")

    def end(self) -> None:
        """The app is not served any more."""
        for connection in list(self.hub.connections.values()):
            connection.transport.close(CloseCode.UNKNOWN_APP, "The app is no more")

    def close(self, handover: float) -> None:
        """The node stops: welcome nobody more. For `handover` seconds other nodes hold members to be there still."""
        self._is_closed = True
        self._joining.handover = handover

    def tick(self, now: float) -> None:
        """Do what is due at `now`; called once a second."""
        self._joining.tick(now)
        self._signing.tick(now)

    def gauges(self) -> Gauges:
        """The present state."""
        return Gauges(len(self.hub.connections), len(self.hub), sum(map(len, self.hub)))

    # --- clients

    def connect(self, protocol: str | None, transport: Transport, origin: str | None = None) -> Connection:
        """Welcome a client on a page of `origin`; the transport writes `greeting` first. Raises Rejected: see `refused`."""
        ensure_protocol(protocol)
        if self._is_closed:
            raise Rejected(CloseCode.OVER_CAPACITY, "the server is restarting")
        hub, limits = self.hub, self.app.limits
        if limits.connections and self._cluster.roster.connections(self.app.id) >= limits.connections:
            text = f"The app has its {limits.connections} connections"
            raise Rejected(CloseCode.OVER_CONNECTION_LIMIT, text, limit="connections")
        socket_id = _new_socket_id(hub, self._pairs)
        if limits.connections_per_address:
            _enter(hub, socket_id, transport.address, limits.connections_per_address)
        hub.opened += 1
        connection = Connection(self.app, Session(self.app, socket_id), transport, hub.opened)
        hub.connections[socket_id] = connection
        self.reports.connected(connection, origin)
        return connection

    def greeting(self, connection: Connection) -> bytes:
        """The frame of a connection's first message."""
        frame = text_frame(events.connection_established(connection.session.socket_id, self._activity_timeout))
        self.reports.answered(frame)
        return frame

    def refused(self, rejected: Rejected, address: str, origin: str | None = None) -> None:
        """A transport turned away the client at `address`, on a page of `origin`."""
        self.stats.connections_refused += 1
        self.stats.hit(rejected.limit)
        refused_connection(self.observers, self.app.id, rejected, address, origin)

    def receive(self, connection: Connection, message: bytes | bytearray, now: float) -> None:
        """Handle a text message of a client at `now` (seconds, monotonic)."""
        kind = "refused"
        try:
            effect = connection.session.receive(message, now)
            if effect is None:
                kind = "pong"
            else:
                self._apply(connection, effect)
                kind = effect.kind
        except (MessageRefused, SubscriptionRefused) as refused:
            self._refuse(connection, refused, message)
        stats = self.stats
        stats.messages_received[kind] += 1
        stats.bytes_received[kind] += len(message)

    def disconnect(self, connection: Connection, code: int = WebSocketCode.ABNORMAL, reason: str = "") -> None:
        """The client is gone, or is being closed with `code`: nothing is written to it after this. May be called again.
        Call `gone` when its transport has ended as well."""
        session = connection.session
        if self.hub.connections.pop(session.socket_id, None) is None:
            return
        self.stats.closed(code)
        for name in tuple(session.joining):
            self._joining.cancel(connection, name)
        # Out of all of them before any is told: what one channel holds back goes out when the next one is sent something.
        left = [self._joining.take_out(connection, name) for name in session.subscriptions]
        user = session.user
        is_away = user is not None and self._signing.sign_out(connection, user.user_id)
        for channel in left:
            self._joining.left(connection, channel)
        if user is not None and is_away:
            self._signing.is_away(user.user_id)
        self.reports.disconnected(connection, code, reason)

    def flush_resting(self) -> None:
        """Hand on what wide channels hold back beyond its turn: a transport is about to end its client."""
        self.hub.batch.flush_resting()

    def gone(self, connection: Connection) -> None:
        """The way to a client that was disconnected has ended too: the client's address may have another one for it."""
        self.hub.addresses.leave(connection.session.socket_id)

    def tell(self, connection: Connection, frame: bytes) -> None:
        """Send a frame to one client."""
        # As Reports.answered does, a call less (bench/, scenario "connections").
        stats = self.stats
        stats.messages_sent["answer"] += 1
        stats.bytes_sent["answer"] += len(frame)
        connection.write(frame)

    # --- back ends

    def publish(self, event: Publish, done: Callable[[Outcome], None]) -> None:
        """Send an application's event to its channels; `done` when all have answered: see `_together`."""
        name, data = dumps(event.name), text_json(event.data)
        answer = done if len(event.channels) == 1 else _Together(len(event.channels), done)
        if event.once is None:
            self.stats.events_published += len(event.channels)
        else:
            answer = partial(self._count_unless_replay, answer)
        for rules in event.channels:
            message = events.channel_event(name, rules.name, data)
            if self.observers:
                self.reports.published(event, rules.name, self._recipients(rules.name, event.exclude))
            kept = self._kept(rules, event, data)
            self._cluster.bus.publish(self.app.id, rules.name, message, event.exclude, kept, answer)

    def _count_unless_replay(self, done: Callable[[Outcome], None], outcome: Outcome) -> None:
        """What was sent before under the same key was counted then."""
        if not (isinstance(outcome, Accepted) and outcome.is_replay):
            self.stats.events_published += 1
        done(outcome)

    def _kept(self, rules: ChannelRules, event: Publish, data: bytes) -> Kept:
        """What becomes of an event besides being sent: nothing, mostly."""
        history = self.app.history_of(rules.name) if self.app.history else None
        if history is None and not rules.is_cache and event.once is None:
            return SENT_ONLY
        return Kept(
            event.once,
            None if history is None else History(history.size, history.ttl),
            self.app.limits.cache_ttl if rules.is_cache else 0.0,
            data if rules.is_cache else b"",
        )

    def take_request(self, rate: int, done: Callable[[bool | Unavailable], None]) -> None:
        """Whether back ends may make one more request, of at most `rate` a second in the whole cluster."""
        self._cluster.memory.take(self.app.id, rate, done)

    def terminate(self, user_id: str, done: Callable[[Outcome], None]) -> None:
        """Close every connection that is signed in as the user, after what was sent to it."""
        self._cluster.commands.terminate(self.app.id, user_id, done)

    def unsubscribe(self, user_id: str, channel: str | None, done: Callable[[Outcome], None]) -> None:
        """End the user's subscriptions to a channel, or to all that need a signature, after what was sent there.

        What was signed for the user before is of no use after it.
        """
        self._cluster.commands.unsubscribe(self.app.id, user_id, channel, done)

    # --- what the cluster has us do (arrivals.py)

    def terminated(self, user_id: str) -> None:
        """See Receiver."""
        self.hub.batch.flush()
        for connection in list(self.hub.connections_of(user_id)):
            connection.transport.close(CloseCode.UNAUTHORIZED, "the application ended this user's connections")

    def unsubscribed(self, user_id: str, channel: str | None) -> None:
        """See Receiver."""
        hub = self.hub
        hub.batch.flush()
        hub.revoke(user_id, channel)
        for connection in hub.in_the_name_of(user_id):
            names = connection.session.subscribed_as(user_id, channel)
            for left in [self._joining.take_out(connection, name) for name in names]:
                self._joining.left(connection, left)
                self.tell(connection, text_frame(events.unsubscribed(left.rules.name)))

    def tell_watchers(self, user_id: str, message: bytes, exclude: str | None) -> None:
        """Tell who watches the user of a change, but for the socket id `exclude`, and whoever is about to be told anyway."""
        frame = text_frame(message)
        for watcher in self.hub.watchers_of(user_id):
            if watcher.session.socket_id != exclude and not self._signing.is_waiting(watcher):
                self.tell(watcher, frame)

    # --- what follows from a message

    def _apply(self, connection: Connection, effect: Effect) -> None:
        match effect:
            case Forward():
                self._forward(connection, effect)
            case Join():
                self._joining.join(connection, effect)
            case Leave():
                self._leave(connection, effect.channel)
            case Identify():
                self._signing.sign_in(connection, effect)
            case SendPong():
                # A pong also says that everything before it is on its way.
                self.hub.batch.flush()
                self.tell(connection, _PONG)
            case _:
                assert_never(effect)

    def _leave(self, connection: Connection, name: str) -> None:
        if name in connection.session.joining:
            self._joining.cancel(connection, name)
        else:
            self._joining.left(connection, self._joining.take_out(connection, name))

    def _forward(self, connection: Connection, event: Forward) -> None:
        app, sender = self.app, connection.session.socket_id
        if app.limits.client_events_per_channel:
            self._ensure_within_rate(event.channel)
        message = events.client_event(event.name, event.channel, event.data, event.user_id)
        refused = self._cluster.bus.say(app.id, event.channel, text_frame(message), sender)
        if refused is not None:
            raise MessageRefused(f"Not passed on: {refused.reason}", CLIENT_EVENT_REFUSED, event.channel)
        self.stats.client_events += 1
        if app.webhooks:
            self._cluster.witness.happened(app.id, _client_event(connection, event))
        if self.observers:
            self.reports.sent(connection, event, self._recipients(event.channel, sender))

    def _ensure_within_rate(self, name: str) -> None:
        """Raises RateLimited when the senders of client events in a channel send too many, all together."""
        channel, rate, now = self.hub.get(name), self.app.limits.client_events_per_channel, self._clock()
        if channel is None:
            raise RuntimeError(f"somebody is subscribed to {name!r}, which is not occupied")
        bucket = channel.client_events
        if bucket is None or bucket.rate != rate:  # a reload may have changed it
            bucket = channel.client_events = TokenBucket(rate, now)
        if not bucket.take(now):
            text = f"Rate limit reached: a channel takes {rate} client events a second, of all senders together"
            raise RateLimited(text, CLIENT_EVENT_REFUSED, name, limit="client_events_per_channel")

    def _recipients(self, name: str, exclude: str | None) -> int:
        """How many on this node get what is sent to the channel."""
        channel = self.hub.audience(name)
        return 0 if channel is None else len(channel) - (exclude in channel)

    def _refuse(
        self, connection: Connection, refused: MessageRefused | SubscriptionRefused, message: bytes | bytearray
    ) -> None:
        for error in _errors_of(refused):
            self.tell(connection, text_frame(error))
        self.reports.refused_message(connection, refused, message)

    def _refuse_late(self, connection: Connection, refused: SubscriptionRefused) -> None:
        """A subscription is refused after it had to wait; its message is not kept."""
        self._refuse(connection, refused, b"")


class _Together:
    """Answers of several channels to one event, as one: Accepted when all have taken it, with the id where there is only one;
    Unavailable when one has not, and `is_unknown` then unless none has."""

    __slots__ = ("_done", "_left", "_outcomes")

    def __init__(self, count: int, done: Callable[[Outcome], None]) -> None:
        self._left = count
        self._done = done
        self._outcomes: list[Outcome] = []

    def __call__(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._left -= 1
        if not self._left:
            self._done(summed_up(self._outcomes))


def summed_up(outcomes: Sequence[Outcome]) -> Outcome:
    """What became of several publishes, as one: see `_Together`."""
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    if not refused:
        return Accepted(is_replay=all(outcome.is_replay for outcome in accepted))
    return Unavailable(refused[0].reason, bool(accepted) or any(outcome.is_unknown for outcome in refused))


def _new_socket_id(hub: Hub, pairs: Iterator[tuple[int, int]]) -> str:
    """Two random numbers (A3): it is part of what is signed, so it must not be guessable or taken."""
    while True:
        first, second = next(pairs)
        socket_id = f"{first}.{second}"
        if socket_id not in hub.connections:
            return socket_id


def _enter(hub: Hub, socket_id: str, address: str, limit: int) -> None:
    """Count a connection from `address`. Raises Rejected when there are `limit` already; they may soon be fewer."""
    if hub.addresses.count(address) >= limit:
        text = f"There are {limit} connections from this address"
        raise Rejected(CloseCode.OVER_CAPACITY, text, limit="connections_per_address")
    hub.addresses.enter(socket_id, address)


def _client_event(connection: Connection, event: Forward) -> WebhookEvent:
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
