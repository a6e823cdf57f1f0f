"""POST /users/ID/terminate_connections: end what a signed-in user has open."""

from relay.apps import App
from relay.node import Node


def terminate(node: Node, app: App, user_id: str) -> dict[str, object]:
    """Close every connection that is signed in as the user; there may be none."""
    node.terminate(app, user_id)
    return {}
