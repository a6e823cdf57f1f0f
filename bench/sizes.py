"""How much of everything a run does: each scenario is bounded by a count, and by a deadline should the server stall."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace


class Sizes(Struct, frozen=True):
    """The defaults are for figures; TINY is for finding out whether it works."""

    fanout_subscribers: tuple[int, ...] = (100, 1_000)
    fanout_deliveries: int = 600_000
    """Measured deliveries of each group; a third as many warm up."""

    triggers: int = 30_000
    """Measured triggers of each way; a third as many with one at once, and another third to warm up."""

    latency_singles: int = 5_000
    """Triggers one after the other."""

    load_rate: float = 1_000.0
    """Triggers a second of the fixed load: about a third of what one core of the slowest server here can do."""

    load_subscribers: int = 20
    load_triggers: int = 5_000

    rooms: int = 100
    room_events: int = 1_500
    """Measured events of each room; a third as many warm up."""

    connections: int = 5_000

    members: int = 200
    storms: int = 5
    """Channels that the members join, one after the other; one more warms up."""

    slow_messages: int = 10_000
    slow_bytes: int = 1_000
    """Bytes of an event's data: together more than any kernel and server hold back."""

    flood_seconds: float = 10.0
    """For how long each kind of flood goes on: bounds its bytes too, as there is a rate."""

    cluster_rate: float = 1_000.0
    """Triggers a second over all channels: with nine readers of each, the shape that sockudo publishes figures of."""

    cluster_triggers: int = 10_000
    cluster_channels: int = 100
    cluster_readers: int = 9

    workers_channels: int = 16
    workers_readers: int = 64
    """Of each of these channels."""

    heal_entries: int = 10_000
    """Events that a node misses while it is cut off: fewer than the log keeps."""

    ghosts: int = 200
    """Members who are connected to the node that is killed."""

    ghosts_deadline: float = 20.0
    """Seconds that the others wait to be told; twice what is promised."""

    desk_tickets: int = 20
    desk_rates: tuple[int, ...] = (20, 100)
    """Messages a second of the fixed loads."""

    desk_messages: int = 1_000
    """Messages at each rate."""

    desk_flood: int = 6_000
    """Messages of all sides, each as fast as it is answered."""

    desk_step_seconds: float = 5.0
    """For how long a rate is tried that the outbox may keep up with."""

    desk_calls: int = 1_000
    """Of each other kind."""

    growth_tickets: int = 100_000
    growth_messages: int = 2_000_000
    growth_calls: int = 50
    """Of each kind, one at a time."""

    deadline: float = 60.0
    """Seconds that one measured section may take."""

    def scaled(self, factor: float) -> "Sizes":
        """As many subscribers, rooms, connections and members, but `factor` times the events that they get."""
        repeats = (
            "fanout_deliveries",
            "triggers",
            "latency_singles",
            "load_triggers",
            "room_events",
            "cluster_triggers",
            "desk_messages",
            "desk_flood",
            "desk_calls",
        )
        return replace(self, **{name: max(1, round(getattr(self, name) * factor)) for name in repeats})


TINY: Final = Sizes(
    fanout_subscribers=(3, 7),
    fanout_deliveries=210,
    triggers=100,
    latency_singles=20,
    load_rate=200.0,
    load_subscribers=3,
    load_triggers=40,
    rooms=3,
    room_events=12,
    connections=20,
    members=6,
    storms=2,
    slow_messages=30,
    flood_seconds=0.3,
    cluster_rate=200.0,
    cluster_triggers=40,
    cluster_channels=5,
    cluster_readers=3,
    workers_channels=3,
    workers_readers=4,
    heal_entries=20,
    ghosts=6,
    desk_tickets=2,
    desk_rates=(20, 100),
    desk_messages=12,
    desk_flood=40,
    desk_step_seconds=0.2,
    desk_calls=8,
    growth_tickets=200,
    growth_messages=2_000,
    growth_calls=3,
    deadline=20.0,
)
