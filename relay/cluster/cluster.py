"""The four contracts in one value, with the start and stop of what is behind them: what a node is given."""

from typing import Protocol

from relay.cluster.bus import Bus
from relay.cluster.commands import Commands
from relay.cluster.memory import Memory
from relay.cluster.receiver import Receiver, Witness
from relay.cluster.roster import Roster


class Cluster(Protocol):
    """The nodes of a relay, seen from one of them. Implementations: LocalCluster, which is this process alone, and
    RedisCluster."""

    @property
    def bus(self) -> Bus:
        """See relay.cluster.bus."""

    @property
    def roster(self) -> Roster:
        """See relay.cluster.roster."""

    @property
    def memory(self) -> Memory:
        """See relay.cluster.memory."""

    @property
    def commands(self) -> Commands:
        """See relay.cluster.commands."""

    @property
    def witness(self) -> Witness:
        """Where a node says what only it knows of: client events, cache misses. The roster tells of the rest."""

    @property
    def is_alone(self) -> bool:
        """Whether this is the only node there can be: all that is sent is delivered here, without asking for it by `listen`
        (bench/, scenario "connections")."""

    async def start(self, receiver: Receiver) -> None:
        """Join the others. Raises ConnectionError when they cannot be reached within 10 s, with a text for the operator."""

    async def stop(self) -> None:
        """Hand over what was published, leave the others, then deliver nothing more."""

    def reload(self) -> None:
        """Other apps are served here from now on, or with other limits: see Receiver."""

    def tick(self, now: float) -> None:
        """Do what is due at `now` (seconds, monotonic); called once a second."""

    def why_not_ready(self) -> str | None:
        """Why this node should get no new clients; None when it may."""
