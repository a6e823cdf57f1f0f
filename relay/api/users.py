"""POST /users/ID/…: end what a user has open, or is subscribed to."""

from relay.apps import App
from relay.node import Node
from relay.protocol.requests import parse_unsubscribe


def terminate(node: Node, app: App, user_id: str) -> dict[str, object]:
    """Close every connection that is signed in as the user; there may be none."""
    node.terminate(app, user_id)
    return {}


def unsubscribe(node: Node, app: App, user_id: str, body: bytes) -> dict[str, object]:
    """End the user's subscriptions to a channel, or to all; there may be none."""
    node.unsubscribe(app, user_id, parse_unsubscribe(body, app.limits))
    return {}
