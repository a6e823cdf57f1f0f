"""What a client sends, signed with the app's secret by hashlib and hmac alone."""

import hashlib
import hmac
import json

from relay.apps import App
from relay.protocol.limits import Limits

APP = App(id="3", key="key-3", secret="secret-3")


def app_with(*, client_messages: bool = True, enabled: bool = True, app_id: str = "3", **limits: int) -> App:
    """An app whose limits are changed: app_with(connections=1)."""
    return App(
        id=app_id,
        key=f"key-{app_id}",
        secret=f"secret-{app_id}",
        enabled=enabled,
        client_messages=client_messages,
        limits=Limits(**limits),
    )


def signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def member(user_id: object, info: object = None) -> str:
    """The channel_data of a member."""
    return json.dumps({"user_id": user_id} if info is None else {"user_id": user_id, "user_info": info})


def subscription(app: App, socket_id: str, channel: str, channel_data: str | None = None) -> dict[str, str]:
    """The data of pusher:subscribe, signed where the channel needs it."""
    data = {"channel": channel}
    if channel.startswith(("private-", "presence-")):
        text = f"{socket_id}:{channel}" if channel_data is None else f"{socket_id}:{channel}:{channel_data}"
        data["auth"] = f"{app.key}:{signature(app.secret, text)}"
    if channel_data is not None:
        data["channel_data"] = channel_data
    return data


def message(event: str, data: object = None, channel: str | None = None) -> bytes:
    """A text message of a client."""
    envelope: dict[str, object] = {"event": event, "data": {} if data is None else data}
    return json.dumps(envelope if channel is None else envelope | {"channel": channel}).encode()
