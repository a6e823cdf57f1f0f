"""A model of growth: how busy nodes and Redis would be at loads that no machine here can offer.

Computed from the costs below, which were measured one by one; nothing that this prints was measured as a whole. It leaves out
memory, the network between the machines, and what a burst costs while it is one.
"""

import math
from typing import Final

from msgspec import Struct

# Measured by bench/ with two nodes over Redis, and with a sketch of the same scripts: see docs/performance.md, "Growth".

# CPU of the node that takes a publish, in µs: read, checked, handed to Redis, answered.
TRIGGER: Final = 82.0

# The same for a client event.
CLIENT_EVENT: Final = 18.0

# CPU of each node that listens, for each message that Redis pushes to it, in µs.
PUSH: Final = 1.5

# CPU of a delivery, in µs: by itself, and where many for the same client leave as one write.
DELIVERY: Final = 6.0
JOINED_DELIVERY: Final = 1.3

# CPU of Redis, in µs: for a publish with its place in the log, for a client event, and for each node that listens to one.
REDIS_PUBLISH: Final = 5.5
REDIS_CLIENT_EVENT: Final = 1.0
REDIS_PUSH: Final = 0.25

# CPU of Redis when somebody comes or goes, in µs: the topic, the count, the member.
REDIS_CHURN: Final = 25.0

# CPU of Redis for what nodes call in each partition all the time, in µs: to say that they are there, every 2 s; that they
# would tell the back ends, every 3 s; to look for the dead and for what is due, every second.
REDIS_BEAT: Final = 11.8
REDIS_LEAD: Final = 3.1
REDIS_LOOK: Final = 13.1

# Above so many looks a second about so many nodes look after each partition: see relay/cluster/redis/roster/reaping.py.
MOST_LOOKS: Final = 1_000
LOOKING: Final = 3

# How busy a Redis primary should be at most: beyond it, latencies grow.
MOST_BUSY: Final = 0.6

_SECOND: Final = 1e6


class Load(Struct, frozen=True):
    """What all clients and back ends ask for together, each second; `subscribers` is of each channel that is published to."""

    words: str
    nodes: int
    publishes: float
    subscribers: int
    client_events: float = 0.0
    churn: float = 0.0
    delivery: float = DELIVERY

    @property
    def listening(self) -> int:
        """Nodes that hear a channel, at most: subscribers come to nodes at random."""
        return min(self.subscribers, self.nodes)


def node_share(load: Load) -> float:
    """The part of one core that each node uses."""
    pushes = PUSH * load.listening
    publish = TRIGGER + pushes + load.delivery * load.subscribers
    # Client events are many and small: they come and leave several at once.
    client_event = CLIENT_EVENT + pushes + JOINED_DELIVERY * (load.subscribers - 1)
    return (load.publishes * publish + load.client_events * client_event) / load.nodes / _SECOND


def redis_share(load: Load) -> float:
    """The part of one core that Redis uses, or all primaries together."""
    pushes = REDIS_PUSH * load.listening
    publishes = load.publishes * (REDIS_PUBLISH + pushes)
    client_events = load.client_events * (REDIS_CLIENT_EVENT + pushes)
    return (publishes + client_events + load.churn * REDIS_CHURN) / _SECOND


def upkeep_share(nodes: int, partitions: int) -> float:
    """The part of one core that all primaries use together while nobody is there."""
    everywhere = nodes * partitions
    looks = everywhere if everywhere <= MOST_LOOKS else LOOKING * partitions
    return (everywhere * (REDIS_BEAT / 2 + REDIS_LEAD / 3) + looks * REDIS_LOOK) / _SECOND


def primaries(load: Load) -> int:
    """How many Redis primaries that takes."""
    return max(1, math.ceil(redis_share(load) / MOST_BUSY))


LOADS: Final = (
    Load("900 subscribers of 100 channels, 5,000 publishes/s", 3, 5_000, 9),
    Load("the same, 20,000/s: 180,000 deliveries/s", 3, 20_000, 9),
    Load("100,000 users in rooms of 10: 2,000 events/s, 2,000 client events/s", 4, 2_000, 10, 2_000),
    Load("1 million users so, 20,000/s and 20,000/s, 1,000 come again each second", 30, 20_000, 10, 20_000, 1_000),
    Load("10 million users so, ten times that", 300, 200_000, 10, 200_000, 10_000),
    Load("one channel of 1 million, 10/s", 30, 10, 1_000_000, delivery=JOINED_DELIVERY),
    Load("5,000/s into a channel that all nodes hear, one subscriber at each", 100, 5_000, 100),
)


def table() -> str:
    """The loads with what they would take, in Markdown."""
    lines = ["| load | nodes | each node | Redis core | primaries |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {load.words} | {load.nodes} | {node_share(load):.0%} | {redis_share(load):.0%} | {primaries(load)} |"
        for load in LOADS
    ]
    return "\n".join(lines)
