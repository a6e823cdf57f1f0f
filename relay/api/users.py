"""POST /users/ID/…: end what a user has open, or is subscribed to."""

from functools import partial

from relay.api.request import Request
from relay.api.responses import Handled, ensure_done, json_response
from relay.cluster.bus import Outcome
from relay.node.namespace import Namespace
from relay.protocol.requests import BadRequest, parse_unsubscribe
from relay.wire.http import Response
from relay.wire.later import after, asked


def terminate(namespace: Namespace, request: Request) -> Handled:
    """Close every connection that is signed in as the user; there may be none."""
    user_id = request.name
    _ensure_named(user_id)
    return after(asked(partial(namespace.terminate, user_id)), _done)


def unsubscribe(namespace: Namespace, request: Request) -> Handled:
    """End the user's subscriptions to a channel, or to all; there may be none."""
    user_id, limits = request.name, namespace.app.limits
    _ensure_named(user_id)
    if len(user_id) > limits.user_id_length:
        # In signed data of private channels such an id is passed over: nobody would lose anything.
        text = f"The id of a user is 1 to {limits.user_id_length} characters long, a longer one names nobody"
        raise BadRequest(text, limit="user_id_length")
    channel = parse_unsubscribe(request.body, limits)
    return after(asked(partial(namespace.unsubscribe, user_id, channel)), _done)


def _done(outcome: Outcome) -> Response:
    ensure_done(outcome)
    return json_response({})


def _ensure_named(user_id: str) -> None:
    """Raises BadRequest where the path names nobody: whoever has lost a user's id must not believe that the access ended."""
    if not user_id:
        raise BadRequest("The path names no user: it is /users/ID/...")
