"""The contract of a roster: who is where in the cluster. Every implementation passes tests/relay/cluster/contract.py.

A node reports what it has itself: a user's first and last connection in a presence channel, how many are subscribed, a
user's first and last signed-in connection. Every edge (first or last in the cluster) is decided in one place, exactly
once: by it the nodes are told (Receiver), and the back ends (webhooks).
Rule: a `done` sets the caller's state, idempotently; clients are told of others by the calls of Receiver only.
Reports need no answer: they are repeated until the cluster has them, and are made anew from Receiver's holdings when this
node was taken for dead, or the cluster has lost everything. What a dead node had is taken back within 10 s.
Queries ask no other node. Their `done` may get Unavailable, at once, while the cluster cannot be reached.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from relay.cluster.bus import Unavailable
from relay.protocol.session import Member


class Entered(Struct, frozen=True):
    """The member is in. `members` are all of the cluster (user id → user_info) at that moment, in the order of what this
    node is told; None: the node's own list was right already, but for this member."""

    members: Mapping[str, bytes] | None = None


class Full(Struct, frozen=True):
    """The channel has its members; the one who wanted to come in is none."""


class ChannelInfo(Struct, frozen=True):
    """An occupied channel: `subscriptions` of connections, and of a presence channel the number of its `members`. Not asked
    for: 0."""

    name: str
    subscriptions: int = 0
    members: int = 0


class Wanted(Struct, frozen=True):
    """Which figures of a channel somebody wants to know."""

    subscriptions: bool = False
    members: bool = False


class Roster(Protocol):
    """Reports of this node, and questions about all of them."""

    def enter(
        self,
        app_id: str,
        channel: str,
        member: Member,
        limit: int,
        exclude: str,
        done: Callable[[Entered | Full], None],
        /,
    ) -> None:
        """A member's first connection of this node joins; all are told but the socket id `exclude`. Of the first member that
        a node has there it may not be told itself: nobody else is there to hear. A channel has at most `limit` members. The
        node listens to the channel already. `leave` before `done` withdraws it, and `done` is not called."""

    def leave(self, app_id: str, channel: str, user_id: str, handover: float = 0.0, /) -> None:
        """The member's last connection of this node has left; for `handover` seconds the member is held to be there
        still, and nobody hears of one who comes back on another node meanwhile."""

    def count(self, app_id: str, channel: str, subscriptions: int, is_told: bool, /) -> None:
        """So many subscriptions to the channel are on this node now. The first and the last are reported at once.
        `is_told`: subscribers are told the cluster's count (Receiver.count_told) as often as A9 allows."""

    def sign_in(self, app_id: str, user_id: str, exclude: str, /) -> None:
        """A user's first connection of this node is signed in; watchers are told but for the socket id `exclude`."""

    def sign_out(self, app_id: str, user_id: str, /) -> None:
        """The user's last connection of this node is gone."""

    def watch(self, app_id: str, user_ids: Sequence[str], done: Callable[[frozenset[str]], None], /) -> None:
        """Connections of this node want to know of these users: `done` gets those who are online, and from then on
        Receiver.went_online and went_offline are called."""

    def unwatch(self, app_id: str, user_ids: Sequence[str], /) -> None:
        """Nobody on this node wants to know of these users any more."""

    def connections(self, app_id: str, /) -> int:
        """How many connections the app has, in the whole cluster, as of some seconds ago."""

    def list_channels(
        self,
        app_id: str,
        prefix: str,
        wanted: Wanted,
        done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None],
        /,
    ) -> None:
        """The occupied channels whose name begins with `prefix`, in pages of at most 1,000, each made when it is asked
        for."""

    def show_channel(
        self, app_id: str, channel: str, wanted: Wanted, done: Callable[[ChannelInfo | Unavailable | None], None], /
    ) -> None:
        """One channel; None when it is not occupied."""

    def list_members(self, app_id: str, channel: str, done: Callable[[Sequence[str] | Unavailable], None], /) -> None:
        """The ids of a presence channel's members."""
