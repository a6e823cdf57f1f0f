"""The memory over Redis: last events, histories and request rates. See relay.cluster.memory.Memory."""

import re
from collections.abc import Callable
from typing import Any, Final

from relay.cluster.bus import History, Unavailable
from relay.cluster.memory import LastEvent, Recovered
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions
from relay.cluster.redis.pushes import FRAME, frame_of, id_of
from relay.wire.frames import text_frame

_POSITION: Final = re.compile(r"([0-9a-z]{8})\.([0-9]{1,15}-[0-9]{1,15})")

# What is in an answer now would be delivered once more, when the node reads what it missed.
_BEHIND: Final = Unavailable("this node is not in step with the others")


class RedisMemory:
    """See relay.cluster.memory.Memory."""

    __slots__ = ("_partitions",)

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    def last(self, app_id: str, channel: str, done: Callable[[LastEvent | Unavailable | None], None], /) -> None:
        """See Memory."""
        partition = self._partitions.of(app_id, channel)
        if not partition.is_ready:
            done(_BEHIND)
            return

        def take(answer: Any) -> None:
            done(_last_event(*answer) if isinstance(answer, list) else answer)

        partition.ask("last", (f"{app_id}:{channel}",), take)

    def since(
        self,
        app_id: str,
        channel: str,
        position: str,
        history: History,
        done: Callable[[Recovered | Unavailable], None],
        /,
    ) -> None:
        """See Memory."""
        partition = self._partitions.of(app_id, channel)
        if not partition.is_ready:
            done(_BEHIND)
            return
        match = _POSITION.fullmatch(position)

        def take(answer: Any) -> None:
            if isinstance(answer, Unavailable):
                done(answer)
                return
            # A position of other data than these, or no position at all: nothing can be said.
            is_foreign = bool(position) and (match is None or match[1] != partition.lease.epoch)
            done(_recovered(partition, answer, is_foreign=is_foreign))

        partition.ask("since", (f"{app_id}:{channel}", match[2] if match else ""), take)

    def take(self, app_id: str, rate: int, done: Callable[[bool | Unavailable], None], /) -> None:
        """See Memory."""

        def take(answer: Any) -> None:
            done(answer if isinstance(answer, Unavailable) else bool(answer))

        self._partitions.of(app_id, "").ask("take", (app_id, rate), take)


def _last_event(entry: bytes, left_ms: int) -> LastEvent:
    _, data, body = entry.split(b"\0", 2)
    frame = body if body[0] == FRAME else text_frame(body)
    return LastEvent(frame, data, left_ms / 1_000)


def _recovered(partition: Partition, answer: Any, *, is_foreign: bool) -> Recovered:
    top, is_complete, found = answer
    position = id_of(partition, top)
    if is_foreign or not is_complete:
        return Recovered(position, is_complete=False)
    frames = [frame_of(found[at + 1], id_of(partition, found[at])) for at in range(0, len(found), 2)]
    return Recovered(position, is_complete=True, frames=frames)
