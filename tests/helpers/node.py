"""A node on a bus of its own, without sockets: clients, a clock that a test moves, and what back ends are told."""

from typing import Any

from relay.apps import App, Apps
from relay.cluster.plain import Bus, Deliver
from relay.node.connection import Connection
from relay.node.node import Node
from relay.protocol.channels import rules_for
from relay.protocol.errors import Rejected
from relay.protocol.requests import Publish
from relay.protocol.webhooks import WebhookEvent
from relay.watch.happenings import Observers
from relay.webhooks.base import Webhooks
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
    """See relay.webhooks.base.Webhooks: what the node told, each as (verb, app id, event)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, WebhookEvent]] = []

    def happened(self, app: App, event: WebhookEvent) -> None:
        self.told.append(("happened", app.id, event))

    def came(self, app: App, event: WebhookEvent) -> None:
        self.told.append(("came", app.id, event))

    def left(self, app: App, event: WebhookEvent, came_name: str) -> None:
        self.told.append((f"left, undone by {came_name}", app.id, event))

    def take(self) -> list[tuple[str, dict[str, object]]]:
        """What was told since the last time."""
        told, self.told = self.told, []
        return [(verb, event.fields()) for verb, _, event in told]


class DirectBus:
    """A bus that delivers at once, and notes which channels the node listens to."""

    def __init__(self) -> None:
        self.listening: set[tuple[str, str]] = set()
        self._deliver: Deliver | None = None

    def begin(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def start(self, deliver: Deliver) -> None:
        self.begin(deliver)

    async def stop(self) -> None:
        self._deliver = None

    def publish(self, app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
        assert self._deliver is not None
        self._deliver(app_id, channel, frame, exclude)

    def listen(self, app_id: str, channel: str) -> None:
        assert (app_id, channel) not in self.listening
        self.listening.add((app_id, channel))

    def ignore(self, app_id: str, channel: str) -> None:
        self.listening.remove((app_id, channel))


def node_of(
    *apps: App, bus: Bus, webhooks: Webhooks | None = None, clock: Clock | None = None, timeout: int = 120
) -> Node:
    """A node that serves `apps`; `timeout` is the activity timeout. No turn ends by itself: see `end_turn`."""
    return Node(
        Apps(apps),
        bus,
        webhooks or RecordingWebhooks(),
        timeout,
        clock or Clock(),
        lambda _call: None,
        lambda _seconds, _call: None,
        Observers(),
    )


def end_turn(node: Node) -> None:
    """What the event loop does at the end of a turn."""
    node._flush()


class Client:
    """A connection of a node, and what it was told."""

    def __init__(self, node: Node, app: App, protocol: str | None = "7", address: str = "192.0.2.1") -> None:
        self.node = node
        self.app = app
        self.transport = RecordingTransport()
        self.transport.address = address
        self.connection = self._welcomed(protocol)
        self.transport.write(node.greeting(self.connection))
        # As a real transport does, once it is closed by the node.
        self.transport.when_closed = self.drop
        self.socket_id = self.connection.session.socket_id

    def _welcomed(self, protocol: str | None) -> Connection:
        """As a real transport connects, and as it reports that it could not. Raises Rejected."""
        try:
            return self.node.connect(self.app, protocol, self.transport)
        except Rejected as rejected:
            self.node.refused(self.app.key, rejected, self.transport.address)
            raise

    def send(self, raw: bytes, now: float = 0.0) -> list[dict[str, Any]]:
        self.node.receive(self.connection, raw, now)
        return self.told()

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
        self.node.disconnect(self.connection)

    def told(self) -> list[dict[str, Any]]:
        end_turn(self.node)
        return self.transport.take()


class Relay:
    """A node with its apps on a bus of its own."""

    def __init__(self, *apps: App) -> None:
        self.bus = DirectBus()
        self.webhooks = RecordingWebhooks()
        self.clock = Clock()
        self.node = node_of(
            *(apps or (APP,)), bus=self.bus, webhooks=self.webhooks, clock=self.clock, timeout=ACTIVITY_TIMEOUT
        )
        # Started by hand: a node's start only awaits its bus.
        self.bus.begin(self.node._deliver)

    def client(self, app: App = APP) -> Client:
        """A client that has been welcomed."""
        client = Client(self.node, app)
        client.told()
        return client

    def publish(self, name: str, data: str, *channels: str, exclude: str | None = None, app: App = APP) -> None:
        rules = tuple(rules_for(channel) for channel in channels)
        self.node.publish(app, Publish(name, data, rules, exclude, frozenset()))

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
