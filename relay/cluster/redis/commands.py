"""Orders to all nodes over Redis. See relay.cluster.commands.Commands."""

from collections.abc import Callable
from typing import Any

from relay.cluster import push
from relay.cluster.bus import Accepted, Outcome, Unavailable
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions, user_topic


class RedisCommands:
    """See relay.cluster.commands.Commands. Orders are in the log: a node that was cut off gets them when it is back."""

    __slots__ = ("_partitions", "_publish_verb")

    def __init__(self, partitions: Partitions, *, is_sharded: bool) -> None:
        self._partitions = partitions
        self._publish_verb = b"SPUBLISH" if is_sharded else b"PUBLISH"

    def terminate(self, app_id: str, user_id: str, done: Callable[[Outcome], None], /) -> None:
        """See Commands."""
        partition = self._partitions.of(app_id, user_id)
        _order(partition, user_topic(partition, app_id, user_id), push.message(push.TERMINATE), done)

    def unsubscribe(self, app_id: str, user_id: str, channel: str | None, done: Callable[[Outcome], None], /) -> None:
        """See Commands."""
        partition = self._partitions.of(app_id, user_id)
        _order(partition, user_topic(partition, app_id, user_id), push.message_of(push.UNSUBSCRIBE, (channel,)), done)

    def reload(self, done: Callable[[Outcome], None], /) -> None:
        """See Commands."""
        self._control(("reload",), done)

    def observe(self, app_id: str, viewer: str, seconds: float, done: Callable[[Outcome], None], /) -> None:
        """See Commands."""
        self._control(("observe", app_id, viewer, float(seconds)), done)

    def show(self, viewer: str, happening: bytes, /) -> None:
        """See Commands."""
        payload = push.push(push.message_of(push.CONTROL, ["show", viewer, happening]))
        self._partitions.control.send(self._publish_verb, self._partitions.keys.control_topic, payload)

    def _control(self, words: tuple[str | float, ...], done: Callable[[Outcome], None]) -> None:
        _order(
            self._partitions.control, self._partitions.keys.control_topic, push.message_of(push.CONTROL, [*words]), done
        )


def _order(partition: Partition, topic: bytes, message: bytes, done: Callable[[Outcome], None]) -> None:
    def take(answer: Any) -> None:
        done(answer if isinstance(answer, Unavailable) else Accepted())

    partition.ask("publish", (topic, message), take)
