"""POST /users/ID/…: end what a user has open, or is subscribed to."""

from relay.apps import App
from relay.node.node import Node
from relay.protocol.requests import BadRequest, parse_unsubscribe


def terminate(node: Node, app: App, user_id: str) -> dict[str, object]:
    """Close every connection that is signed in as the user; there may be none."""
    _ensure_named(user_id)
    node.terminate(app, user_id)
    return {}


def unsubscribe(node: Node, app: App, user_id: str, body: bytes) -> dict[str, object]:
    """End the user's subscriptions to a channel, or to all; there may be none."""
    _ensure_named(user_id)
    if len(user_id) > app.limits.user_id_length:
        # In signed data of private channels such an id is passed over: nobody would lose anything.
        text = f"The id of a user is 1 to {app.limits.user_id_length} characters long, a longer one names nobody"
        raise BadRequest(text, limit="user_id_length")
    node.unsubscribe(app, user_id, parse_unsubscribe(body, app.limits))
    return {}


def _ensure_named(user_id: str) -> None:
    """Raises BadRequest where the path names nobody: whoever has lost a user's id must not believe that the access ended."""
    if not user_id:
        raise BadRequest("The path names no user: it is /users/ID/...")
