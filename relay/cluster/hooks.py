"""The contract of what waits for back ends in a cluster: each event once, handed out by one node at a time.

A partition's events wait in their order, for each app and target until the target was told them (`finish`), with room of its
own for each cause: what finds none is dropped, the oldest first, and counted. One node leads a partition; when it is gone, or
cut off, another one goes on where the targets are: an event is handed out once more if its `finish` did not arrive.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from relay.cluster.bus import Unavailable
from relay.protocol.webhooks import WebhookEvent


class Queued(Struct, frozen=True):
    """An event that waits: what it is known by in the whole cluster, its number among all of the app in the partition, and
    its place among those of its cause."""

    event: WebhookEvent
    id: str
    number: int
    cause: str
    place: int


class Read(Struct, frozen=True):
    """The next events of a target, how many wait for it, these included, and of which causes how many were dropped since the
    last reading."""

    events: Sequence[Queued]
    waiting: int
    lost: Mapping[str, int]


class HookStream(Protocol):
    """The events of one partition, for the node that leads it."""

    def is_led(self) -> bool:
        """Whether this node leads it for some seconds more: only then may a back end be told."""

    def keep(self, app_id: str, targets: Sequence[str], /) -> None:
        """These are the targets of the app; of others nothing is kept."""

    def read(self, app_id: str, target: str, most: int, done: Callable[[Read | Unavailable], None], /) -> None:
        """The next events for a target, the same again until `finish`."""

    def finish(self, app_id: str, target: str, events: Sequence[Queued], done: Callable[[bool], None], /) -> None:
        """These were told, or never will be; `done` gets whether that is remembered."""


class HookReader(Protocol):
    """Who hands them out on this node."""

    def lead(self, stream: HookStream, /) -> None:
        """This node leads a partition from now on. Said again when the cluster may have lost what the targets are."""

    def end(self, stream: HookStream, /) -> None:
        """Not any more."""

    def wake(self, stream: HookStream, app_id: str, /) -> None:
        """There is something new for an app."""


class Hooks(Protocol):
    """All partitions of a cluster."""

    def begin(self, reader: HookReader, /) -> None:
        """Lead what nobody leads, and have `reader` hand it out."""

    def resign(self) -> None:
        """Lead nothing more: others may at once."""
