"""The roster over Redis (relay/cluster/roster.py is the contract): its parts in one value.

Every edge is decided and told by a script (scripts/_roster.lua). What this node reports is in `members.py`, `counts.py` and
`users.py`, and kept in `holdings.py`; `questions.py` asks about all nodes; `reaping.py` is what one of them has to do for
all. Must not know links, clients or hubs.
"""

from collections.abc import Callable, Iterator, Sequence

from relay.cluster.bus import Unavailable
from relay.cluster.receiver import Receiver
from relay.cluster.redis.loads import Loads
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions
from relay.cluster.redis.reports import Assertion
from relay.cluster.redis.roster.counts import Later, RedisCounts
from relay.cluster.redis.roster.holdings import Holdings
from relay.cluster.redis.roster.members import RedisMembers
from relay.cluster.redis.roster.questions import RedisQuestions
from relay.cluster.redis.roster.reaping import Reaper
from relay.cluster.redis.roster.users import RedisUsers
from relay.cluster.roster import ChannelInfo, Entered, Full, Wanted
from relay.protocol.session import Member


class RedisRoster:
    """See Roster. `begin` comes before everything else. `members` and `users` are told what other nodes have pushed."""

    def __init__(self, partitions: Partitions) -> None:
        self._held = held = Holdings(partitions)
        self.members = RedisMembers(held)
        self.users = RedisUsers(held)
        self._counts = RedisCounts(held)
        self._questions = RedisQuestions(partitions)
        self._reaper = Reaper(partitions, held)
        self._loads: Loads

    def begin(self, receiver: Receiver, loads: Loads, later: Later) -> None:
        """Tell `receiver`; `later` is the loop's call_later."""
        self._held.receiver, self._loads = receiver, loads
        self.users.later = self._counts.later = later

    def tick(self) -> None:
        """See Reaper."""
        self._reaper.tick()

    def holdings(self, partition: Partition) -> Iterator[Assertion]:
        """See Holdings."""
        return self._held.assertions(partition)

    def refresh(self, partition: Partition) -> None:
        """What was told may have been missed, or the cluster was rebuilt."""
        self.users.refresh(partition)

    # --- reports

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
        """See Roster."""
        self.members.enter(app_id, channel, member, limit, exclude, done)

    def leave(self, app_id: str, channel: str, user_id: str, handover: float = 0.0, /) -> None:
        """See Roster."""
        self.members.leave(app_id, channel, user_id, handover)

    def count(self, app_id: str, channel: str, subscriptions: int, is_told: bool, /) -> None:
        """See Roster."""
        self._counts.count(app_id, channel, subscriptions, is_told)

    def sign_in(self, app_id: str, user_id: str, exclude: str, /) -> None:
        """See Roster."""
        self.users.sign_in(app_id, user_id, exclude)

    def sign_out(self, app_id: str, user_id: str, /) -> None:
        """See Roster."""
        self.users.sign_out(app_id, user_id)

    def watch(self, app_id: str, user_ids: Sequence[str], done: Callable[[frozenset[str]], None], /) -> None:
        """See Roster."""
        self.users.watch(app_id, user_ids, done)

    def unwatch(self, app_id: str, user_ids: Sequence[str], /) -> None:
        """See Roster."""
        self.users.unwatch(app_id, user_ids)

    # --- questions

    def connections(self, app_id: str, /) -> int:
        """See Roster."""
        return self._loads.connections(app_id)

    def list_channels(
        self,
        app_id: str,
        prefix: str,
        wanted: Wanted,
        done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None],
        /,
    ) -> None:
        """See Roster."""
        self._questions.list_channels(app_id, prefix, wanted, done)

    def show_channel(
        self, app_id: str, channel: str, wanted: Wanted, done: Callable[[ChannelInfo | Unavailable | None], None], /
    ) -> None:
        """See Roster."""
        self._questions.show_channel(app_id, channel, wanted, done)

    def list_members(self, app_id: str, channel: str, done: Callable[[Sequence[str] | Unavailable], None], /) -> None:
        """See Roster."""
        self._questions.list_members(app_id, channel, done)
