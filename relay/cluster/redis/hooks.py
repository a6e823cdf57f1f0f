"""Who leads the webhooks of which partition, and reads them: see relay.cluster.hooks for the contract.

Must not know back ends.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import convert

from relay.cluster.bus import Unavailable
from relay.cluster.hooks import HookReader, Queued, Read
from relay.cluster.redis.calls import ignore
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions
from relay.protocol.webhooks import WebhookEvent
from relay.wire import halves

# Seconds: a leader who does not say so again for LEAD is none; it says so every RENEWED, and begins nothing in the last
# MARGIN of what it knows to be left.
LEAD: Final = 10.0
RENEWED: Final = 3.0
MARGIN: Final = 3.0

# What `lead` answers when nobody led.
_ANEW: Final = 2

# Of an event read: its number, its JSON, its cause, its place among those of the cause, when it was queued.
_FIELDS: Final = 5


class RedisStream:
    """See HookStream. `clock` gives seconds, monotonic."""

    def __init__(self, partition: Partition, name: str, clock: Callable[[], float]) -> None:
        self.partition = partition
        self.is_begun = False
        self.ends_at = 0.0
        self._name = name
        self._clock = clock

    @property
    def topic(self) -> bytes:
        """Where whoever leads hears of news."""
        return self.partition.base + b"h"

    def is_led(self) -> bool:
        """See HookStream."""
        return self.is_begun and self._clock() < self.ends_at - MARGIN

    def keep(self, app_id: str, targets: Sequence[str], /) -> None:
        """See HookStream."""
        self.partition.ask("hooks_keep", (app_id, *targets), ignore)

    def read(self, app_id: str, target: str, most: int, done: Callable[[Read | Unavailable], None], /) -> None:
        """See HookStream."""

        def take(answer: Any) -> None:
            done(answer if isinstance(answer, Unavailable) else self._read_of(*answer))

        self.partition.ask("hooks_read", (app_id, target, most), take)

    def _read_of(self, waiting: int, lost: Sequence[Any], found: Sequence[Any]) -> Read:
        epoch, tag = self.partition.lease.epoch, self.partition.base.decode().rpartition("{")[2].partition("}")[0]
        events = []
        for at in range(0, len(found), _FIELDS):
            number, text, cause, place, queued_at = found[at : at + _FIELDS]
            event = convert(halves.loads(text), WebhookEvent)
            events.append(Queued(event, _name_of(epoch, tag, number, queued_at), number, cause.decode(), place))
        return Read(events, waiting, {lost[at].decode(): lost[at + 1] for at in range(0, len(lost), 2)})

    def finish(self, app_id: str, target: str, events: Sequence[Queued], done: Callable[[bool], None], /) -> None:
        """See HookStream."""
        newest = {queued.cause: queued.place for queued in events}
        last, arguments = events[-1], [value for pair in newest.items() for value in pair]
        epoch = last.id.partition(".")[0]

        def take(answer: Any) -> None:
            done(answer == 1)

        self.partition.ask("hooks_done", (self._name, app_id, target, epoch, last.number, *arguments), take)


class RedisHooks:
    """See Hooks. Call `tick` once a second."""

    def __init__(self, partitions: Partitions, clock: Callable[[], float]) -> None:
        self._clock = clock
        # A leader is a process: a node that was taken for dead leads on if nobody else does.
        self._name = secrets.token_hex(8)
        self._streams = {id(partition): RedisStream(partition, self._name, clock) for partition in partitions.all}
        self._reader: HookReader | None = None
        self._renewed_at = float("-inf")

    def begin(self, reader: HookReader, /) -> None:
        """See Hooks."""
        self._reader = reader

    def tick(self) -> None:
        """Say who leads, when it is time."""
        now, reader = self._clock(), self._reader
        if reader is None:
            return
        for stream in self._streams.values():
            if stream.is_begun and now >= stream.ends_at - MARGIN:
                self._end(stream, reader)
        if now - self._renewed_at >= RENEWED * 0.9:
            self._renewed_at = now
            for stream in self._streams.values():
                self._renew(stream, reader)

    def heard(self, partition: Partition, message: bytes) -> None:
        """Something was queued; `message` is its kind and its app."""
        stream = self._streams[id(partition)]
        if stream.is_begun and self._reader is not None:
            self._reader.wake(stream, message.partition(b"\0")[2].decode())

    def resign(self) -> None:
        """See Hooks."""
        self._reader = None
        for stream in self._streams.values():
            if stream.is_begun:
                stream.is_begun = False
                stream.partition.ask("lead", (self._name, 0), ignore)

    def _renew(self, stream: RedisStream, reader: HookReader) -> None:
        asked_at = self._clock()

        def take(answer: Any) -> None:
            if self._reader is not reader or isinstance(answer, Unavailable):
                return
            if answer:
                stream.ends_at = asked_at + LEAD
                if not stream.is_begun:
                    self._begin(stream, reader)
                elif answer == _ANEW:
                    # What was kept may be lost as this node's lead was.
                    reader.lead(stream)
            elif stream.is_begun:
                self._end(stream, reader)

        stream.partition.ask("lead", (self._name, round(LEAD * 1_000)), take)

    def _begin(self, stream: RedisStream, reader: HookReader) -> None:
        stream.is_begun = True
        stream.partition.listen(stream.topic, "h", "", "")
        reader.lead(stream)

    def _end(self, stream: RedisStream, reader: HookReader) -> None:
        stream.is_begun = False
        stream.partition.ignore(stream.topic)
        reader.end(stream)


def _name_of(epoch: str, tag: str, number: int, queued_at: bytes) -> str:
    """What an event is called for ever; after a fail-over another one may have its number, but not its time."""
    return f"{epoch}.{tag}.{number}" + (f".{int(queued_at):x}" if queued_at else "")
