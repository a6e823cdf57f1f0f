"""A node on a bus of its own, without sockets: clients, a clock that a test moves, and what back ends are told."""

from collections.abc import Callable
from typing import Any

from relay.apps import App, Apps
from relay.cluster.bus import Outcome
from relay.cluster.cluster import Cluster
from relay.cluster.local import LocalCluster
from relay.cluster.receiver import Witness
from relay.node.connection import Connection
from relay.node.node import Node
from relay.protocol.channels import rules_for
from relay.protocol.errors import Rejected
from relay.protocol.requests import Publish
from relay.protocol.webhooks import WebhookEvent
from relay.watch.happenings import Observers
from tests.helpers.clients import APP, message, signature, subscription
from tests.helpers.transport import RecordingTransport

ACTIVITY_TIMEOUT = 77


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class RecordingWebhooks:
    """See relay.cluster.receiver.Witness: what the node told, each as (verb, app id, event)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, WebhookEvent]] = []

    def happened(self, app_id: str, event: WebhookEvent) -> None:
        self.told.append(("happened", app_id, event))

    def came(self, app_id: str, event: WebhookEvent) -> None:
        self.told.append(("came", app_id, event))

    def left(self, app_id: str, event: WebhookEvent, came_name: str) -> None:
        self.told.append((f"left, undone by {came_name}", app_id, event))

    def take(self) -> list[tuple[str, dict[str, object]]]:
        """What was told since the last time."""
        told, self.told = self.told, []
        return [(verb, event.fields()) for verb, _, event in told]


class ListeningCluster(LocalCluster):
    """The cluster of one node, which notes the channels that the node listens to."""

    def __init__(self, webhooks: Witness, clock: Callable[[], float]) -> None:
        super().__init__(webhooks, clock, lambda _seconds, _call: None)
        self.listening: set[tuple[str, str]] = set()
        self.bus.listen = self._listen  # type: ignore[method-assign] # it is noted, nothing else
        self.bus.ignore = self._ignore  # type: ignore[method-assign] # likewise

    @property
    def is_alone(self) -> bool:
        """No: an only node would not listen."""
        return False

    def _listen(self, app_id: str, channel: str, done: Callable[[], None]) -> None:
        assert (app_id, channel) not in self.listening
        self.listening.add((app_id, channel))
        done()

    def _ignore(self, app_id: str, channel: str) -> None:
        self.listening.remove((app_id, channel))


def cluster_of(webhooks: Witness | None = None, clock: Clock | None = None) -> ListeningCluster:
    """A cluster of one node."""
    return ListeningCluster(webhooks or RecordingWebhooks(), clock or Clock())


def node_of(*apps: App, cluster: Cluster | None = None, clock: Clock | None = None, timeout: int = 120) -> Node:
    """A node that serves `apps`; `timeout` is the activity timeout. No turn ends by itself: see `end_turn`. In a cluster of
    its own it is started."""
    alone = cluster_of(clock=clock)
    node = Node(Apps(apps), cluster or alone, timeout, clock or Clock(), lambda _call: None, Observers())
    if cluster is None:
        alone.begin(node.arrivals)
    return node


def ignore(outcome: Outcome) -> None:
    """Nobody waits for it."""


def end_turn(node: Node) -> None:
    """What the event loop does at the end of a turn."""
    node.flush()


class Client:
    """A connection of a node, and what it was told."""

    def __init__(self, node: Node, app: App, protocol: str | None = "7", address: str = "192.0.2.1") -> None:
        self.node = node
        self.app = app
        # Called after everything that the client does.
        self.settle: Callable[[], None] = lambda: None
        self.transport = RecordingTransport()
        self.transport.address = address
        self.namespace = node.namespaces[app.id]
        self.connection = self._welcomed(protocol)
        self.transport.write(self.namespace.greeting(self.connection))
        # As a real transport does, once it is closed by the node.
        self.transport.when_closed = self.drop
        self.socket_id = self.connection.session.socket_id

    def _welcomed(self, protocol: str | None) -> Connection:
        """As a real transport connects, and as it reports that it could not. Raises Rejected."""
        try:
            return self.namespace.connect(protocol, self.transport)
        except Rejected as rejected:
            self.node.refused(self.app.key, rejected, self.transport.address)
            raise

    def send(self, raw: bytes, now: float = 0.0) -> list[dict[str, Any]]:
        self.say(raw, now)
        return self.told()

    def say(self, raw: bytes, now: float = 0.0) -> None:
        """Send a message, and do not end the turn."""
        self.namespace.receive(self.connection, raw, now)
        self.settle()

    def subscribe(self, channel: str, channel_data: str | None = None) -> list[dict[str, Any]]:
        return self.send(message("pusher:subscribe", subscription(self.app, self.socket_id, channel, channel_data)))

    def unsubscribe(self, channel: str) -> list[dict[str, Any]]:
        return self.send(message("pusher:unsubscribe", {"channel": channel}))

    def sign_in(self, user_data: str) -> list[dict[str, Any]]:
        """Sign in, with a good signature."""
        return self.send(self.sign_in_message(user_data))

    def sign_in_message(self, user_data: str) -> bytes:
        auth = f"{self.app.key}:{signature(self.app.secret, f'{self.socket_id}::user::{user_data}')}"
        return message("pusher:signin", {"auth": auth, "user_data": user_data})

    def drop(self) -> None:
        self.namespace.disconnect(self.connection)
        self.settle()

    def told(self) -> list[dict[str, Any]]:
        end_turn(self.node)
        return self.transport.take()


class Relay:
    """A node with its apps on a bus of its own."""

    def __init__(self, *apps: App) -> None:
        self.webhooks = RecordingWebhooks()
        self.clock = Clock()
        self.bus = self.cluster = cluster_of(self.webhooks, self.clock)
        self.node = node_of(*(apps or (APP,)), cluster=self.cluster, clock=self.clock, timeout=ACTIVITY_TIMEOUT)
        # By hand: a node's start only awaits its cluster.
        self.cluster.begin(self.node.arrivals)

    def client(self, app: App = APP) -> Client:
        """A client that has been welcomed."""
        client = Client(self.node, app)
        client.told()
        return client

    def publish(self, name: str, data: str, *channels: str, exclude: str | None = None, app: App = APP) -> None:
        rules = tuple(rules_for(channel) for channel in channels)
        self.node.namespaces[app.id].publish(Publish(name, data, rules, exclude, frozenset()), ignore)

    def wait(self, seconds: float) -> None:
        """Let the time pass, and the node do what is due."""
        self.clock.now += seconds
        self.node.tick(self.clock.now)


def succeeded(channel: str, *ids: str) -> dict[str, Any]:
    """The confirmation of a subscription; with `ids`, of one to a presence channel."""
    event = {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": {}}
    if not ids:
        return event
    presence = {"ids": list(ids), "hash": {user_id: {} for user_id in ids}, "count": len(ids)}
    return event | {"data": {"presence": presence}}
