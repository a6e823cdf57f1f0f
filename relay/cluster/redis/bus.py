"""The bus over Redis: what is published comes back from Redis as a push, to this node as to all others.

See relay.cluster.bus.Bus. Nothing is delivered here before Redis has it: so all nodes deliver in one order, and what
Redis did not take nobody gets (docs/decisions/0021).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from relay.cluster import push
from relay.cluster.bus import SENT_ONLY, Accepted, Kept, Outcome, Unavailable
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions, channel_topic
from relay.cluster.redis.pushes import id_of
from relay.wire.frames import text_frame

# How long the key of an idempotent publish is known, in seconds.
ONCE_TTL: Final = 120

_ACCEPTED: Final = Accepted()


class RedisBus:
    """See relay.cluster.bus.Bus."""

    __slots__ = ("_partitions", "_publish_verb", "refused")

    def __init__(self, partitions: Partitions, *, is_sharded: bool) -> None:
        self._partitions = partitions
        self._publish_verb = b"SPUBLISH" if is_sharded else b"PUBLISH"
        # Publishes that were not taken, for the metrics.
        self.refused = 0

    def publish(
        self,
        app_id: str,
        channel: str,
        message: bytes,
        exclude: str | None,
        kept: Kept,
        done: Callable[[Outcome], None],
        /,
    ) -> None:
        """See Bus."""
        partition = self._partitions.of(app_id, channel)
        topic = channel_topic(partition, app_id, channel)
        if kept is SENT_ONLY:
            payload = push.message(push.EVENT, text_frame(message), exclude)
            # No function in a function: that is seven objects for each publish.
            partition.ask("publish", (topic, payload), partial(self._take, done))
            return
        # What is remembered gets its id at each node, and is framed there.
        payload = push.message(push.EVENT, message if kept.history else text_frame(message), exclude)
        arguments = _kept_arguments(app_id, channel, kept)
        partition.ask("publish_kept", (topic, payload, *arguments), partial(self._take_kept, partition, kept, done))

    def _take(self, done: Callable[[Outcome], None], answer: Any) -> None:
        if type(answer) is bytes:
            done(_ACCEPTED)
        else:
            self.refused += 1
            done(answer)

    def _take_kept(self, partition: Partition, kept: Kept, done: Callable[[Outcome], None], answer: Any) -> None:
        if isinstance(answer, Unavailable):
            self._take(done, answer)
            return
        entry_id, is_replay = answer
        done(Accepted(id_of(partition, entry_id) if kept.history else "", bool(is_replay)))

    def say(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> Unavailable | None:
        """See Bus."""
        partition = self._partitions.of(app_id, channel)
        payload = push.push(push.message(push.CLIENT_EVENT, frame, exclude))
        return partition.send(self._publish_verb, channel_topic(partition, app_id, channel), payload)

    def listen(self, app_id: str, channel: str, done: Callable[[], None], /) -> None:
        """See Bus."""
        partition = self._partitions.of(app_id, channel)
        partition.listen(channel_topic(partition, app_id, channel), "t", app_id, channel, done)

    def ignore(self, app_id: str, channel: str, /) -> None:
        """See Bus."""
        partition = self._partitions.of(app_id, channel)
        partition.ignore(channel_topic(partition, app_id, channel))


def _kept_arguments(app_id: str, channel: str, kept: Kept) -> tuple[bytes | str | int, ...]:
    """Arguments of `publish_kept`, behind the topic and the message."""
    once = "" if kept.once is None else f"{app_id}:{kept.once}\0{channel}"
    size, ttl = (kept.history.size, kept.history.ttl) if kept.history else (0, 0)
    return (once, ONCE_TTL, f"{app_id}:{channel}", size, ttl, round(kept.cache_ttl * 1_000), kept.data)
