"""What the console tells, as Server-Sent Events: what happened, and the state of an app on one node or on several.

Must not know viewers.
"""

from collections.abc import Iterable, Sequence
from heapq import nlargest
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Struct

from relay.node.namespace import Namespace
from relay.node.queries import OccupiedHere
from relay.watch.happenings import Happening

# Characters of a text that are shown: the data of any event under the default limits.
TEXT_SHOWN: Final = 16_384

_encode = msgspec.json.Encoder().encode


class State(Struct, frozen=True):
    """What an app has; see StateHere. `published` and `client_events` since the start."""

    connections: int
    channels: int
    subscriptions: int
    is_partial: bool
    occupied: Sequence[OccupiedHere]
    published: int
    client_events: int


def message(event: str, data: object) -> bytes:
    """One event of the stream."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), _encode(data))


def entry_of(happening: Happening, at: float) -> bytes:
    """What happened at a time (unix, seconds)."""
    return message("happened", {"at": round(at * 1_000)} | _shown(happening))


def _shown(happening: Happening) -> dict[str, object]:
    """The fields of a happening, long texts cut and then named in `cut`. What is no Unicode is replaced."""
    fields: dict[str, object] = msgspec.to_builtins(happening)
    cut = []
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = value[:TEXT_SHOWN].encode("utf-8", "replace").decode()
            if len(value) > TEXT_SHOWN:
                cut.append(name)
    return fields | {"cut": cut} if cut else fields


def state_of(namespace: Namespace, most_shown: int, most_counted: int) -> State:
    """What an app has on this node: so many channels are looked at, and so many shown."""
    here, stats = namespace.queries.state_here(most_shown, most_counted), namespace.stats
    figures = here.connections, here.channels, here.subscriptions, here.is_partial, here.occupied
    return State(*figures, stats.events_published, stats.client_events)


def summed(here: State, others: Iterable[State], most_shown: int) -> State:
    """The state on all nodes. A channel is one wherever it has subscribers; of those that a node does not list nobody knows
    whether another one has them too: `is_partial` then."""
    nodes = [here, *others]
    if len(nodes) == 1:
        return here
    occupied = _together(nodes)
    unlisted = sum(node.channels - len(node.occupied) for node in nodes)
    return State(
        sum(node.connections for node in nodes),
        len(occupied) + unlisted,
        sum(node.subscriptions for node in nodes),
        unlisted > 0 or any(node.is_partial for node in nodes),
        nlargest(most_shown, occupied, attrgetter("subscriptions")),
        sum(node.published for node in nodes),
        sum(node.client_events for node in nodes),
    )


def _together(nodes: Iterable[State]) -> list[OccupiedHere]:
    """Each channel once; its members are known to every node that has some."""
    found: dict[str, OccupiedHere] = {}
    for channel in (channel for node in nodes for channel in node.occupied):
        known = found.get(channel.name)
        count = channel.subscriptions if known is None else channel.subscriptions + known.subscriptions
        found[channel.name] = OccupiedHere(channel.name, count, channel.users)
    return list(found.values())
