"""What one node alone knows of goes to the back ends through Redis, as what the scripts decide does."""

from collections.abc import Callable
from typing import Final

from relay.apps import App
from relay.cluster.redis.calls import ignore
from relay.cluster.redis.link import Argument
from relay.cluster.redis.partitions import Partitions
from relay.protocol.webhooks import MISS_INTERVAL, WebhookEvent, cause_of
from relay.wire import halves

_MISS_INTERVAL_MS: Final = round(MISS_INTERVAL * 1_000)


class RedisWitness:
    """See relay.cluster.receiver.Witness. What happens while Redis is away is not told."""

    __slots__ = ("_app_of", "_partitions")

    def __init__(self, partitions: Partitions, app_of: Callable[[str], App | None]) -> None:
        self._partitions = partitions
        self._app_of = app_of

    def happened(self, app_id: str, event: WebhookEvent, /) -> None:
        """See Witness."""
        app = self._app_of(app_id)
        if app is None or not any(hook.wants(event) for hook in app.webhooks):
            return
        arguments: list[Argument] = [app_id, cause_of(event), halves.dumps(event.fields())]
        if event.name == "cache_miss":
            arguments += [f"miss:{event.channel}", _MISS_INTERVAL_MS]
        self._partitions.of(app_id, event.channel).ask("hook", arguments, ignore)

    def came(self, app_id: str, event: WebhookEvent, /) -> None:
        """See Witness; the roster's scripts keep the grace."""
        self.happened(app_id, event)

    def left(self, app_id: str, event: WebhookEvent, came_name: str, /) -> None:
        """See Witness; likewise."""
        self.happened(app_id, event)
