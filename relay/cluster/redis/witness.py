"""What one node alone knows of goes to the back ends through Redis, as what the scripts decide does."""

from collections.abc import Callable
from typing import Final

from msgspec import json

from relay.apps import App
from relay.cluster.redis.calls import ignore
from relay.cluster.redis.partitions import Partitions
from relay.protocol.webhooks import WebhookEvent

# Events of a partition that wait for the back ends, before the oldest are dropped; scripts/_node.lua has the same.
HOOKS: Final = 100_000


class RedisWitness:
    """See relay.cluster.receiver.Witness. What happens while Redis is away is not told."""

    __slots__ = ("_app_of", "_partitions")

    def __init__(self, partitions: Partitions, app_of: Callable[[str], App | None]) -> None:
        self._partitions = partitions
        self._app_of = app_of

    def happened(self, app_id: str, event: WebhookEvent, /) -> None:
        """See Witness."""
        app = self._app_of(app_id)
        if app is None or not app.webhooks:
            return
        partition = self._partitions.of(app_id, event.channel)
        key, body = partition.base + b"hooks", json.encode(event.fields())
        partition.command(("XADD", key, "MAXLEN", "~", HOOKS, "*", "a", app_id, "e", body), ignore)

    def came(self, app_id: str, event: WebhookEvent, /) -> None:
        """See Witness; the roster's scripts keep the grace."""
        self.happened(app_id, event)

    def left(self, app_id: str, event: WebhookEvent, came_name: str, /) -> None:
        """See Witness; likewise."""
        self.happened(app_id, event)
