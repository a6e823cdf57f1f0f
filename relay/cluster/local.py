"""The cluster of a relay with one node: everything is decided here and at once, from what the node itself holds.

Keeps the contracts of bus.py, roster.py, memory.py and commands.py; every `done` is called before the method returns. Must
not know nodes or hubs: they are a Receiver.
"""

import secrets
import string
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from relay.cluster.bus import SENT_ONLY, Kept, Outcome, Unavailable
from relay.cluster.counts import SubscriptionCounts
from relay.cluster.local_memory import ACCEPTED, LocalMemory
from relay.cluster.receiver import Receiver, Witness
from relay.cluster.roster import ChannelInfo, Entered, Full, Wanted
from relay.protocol.session import Member
from relay.protocol.webhooks import WebhookEvent
from relay.wire.frames import text_frame

# Channels of one page of a list, made in one turn of the event loop: about a millisecond.
PAGE: Final = 1_000

_ENTERED: Final = Entered()
_EPOCH: Final = string.digits + string.ascii_lowercase
_LEFT: Final = Unavailable("this node has left the cluster")


def _say_nowhere(app_id: str, channel: str, frame: bytes, exclude: str | None) -> Unavailable | None:
    raise RuntimeError("the cluster is not started")


def _say_no_more(app_id: str, channel: str, frame: bytes, exclude: str | None) -> Unavailable | None:
    """A client's or a back end's last words, come while the node stops."""
    return _LEFT


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000


def new_epoch() -> str:
    """What the ids of this start begin with: 8 characters that no other start has."""
    return "".join(secrets.choice(_EPOCH) for _ in range(8))


class LocalBus:
    """See relay.cluster.bus.Bus."""

    def __init__(self, memory: LocalMemory) -> None:
        self._memory = memory
        # Delivering is all that there is to it (bench/, scenario "client-events").
        self.say: Callable[[str, str, bytes, str | None], Unavailable | None] = _say_nowhere

    def start(self, receiver: Receiver) -> None:
        """Deliver from now on."""
        self.say = receiver.deliver

    def stop(self) -> None:
        """Deliver nothing more."""
        self.say = _say_no_more

    def publish(
        self,
        app_id: str,
        channel: str,
        message: bytes,
        exclude: str | None,
        kept: Kept,
        done: Callable[[Outcome], None],
    ) -> None:
        """See Bus."""
        if kept is SENT_ONLY:
            accepted, frame = ACCEPTED, text_frame(message)
        else:
            accepted, frame = self._memory.keep(app_id, channel, message, kept)
        refused = None if accepted.is_replay else self.say(app_id, channel, frame, exclude)
        done(accepted if refused is None else refused)

    def listen(self, app_id: str, channel: str, done: Callable[[], None]) -> None:
        """See Bus. Nobody else has to know."""
        done()

    def ignore(self, app_id: str, channel: str) -> None:
        """See Bus. Nobody else has to know."""


class LocalRoster:
    """See relay.cluster.roster.Roster. `clock` gives seconds, monotonic, and `later` calls something after some seconds."""

    def __init__(
        self,
        witness: Witness,
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._witness = witness
        self._clock = clock
        self._counts = SubscriptionCounts(self._tell_count, clock, later)
        # App id → the channels that back ends were told are occupied.
        self._occupied: dict[str, set[str]] = {}
        # Set by `start`: nothing may be asked before it.
        self._node: Receiver

    def start(self, receiver: Receiver) -> None:
        """This is the node."""
        self._node = receiver

    def tick(self, now: float) -> None:
        """Tell the counts that are due."""
        self._counts.tick(now)

    def enter(
        self,
        app_id: str,
        channel: str,
        member: Member,
        limit: int,
        exclude: str,
        done: Callable[[Entered | Full], None],
    ) -> None:
        """See Roster."""
        node = self._node
        if len(node.members_here(app_id, channel)) >= limit:
            done(Full())
            return
        node.member_added(app_id, channel, member, exclude)
        self._witness.came(app_id, WebhookEvent("member_added", channel, user_id=member.user_id))
        done(_ENTERED)

    def leave(self, app_id: str, channel: str, user_id: str, handover: float = 0.0) -> None:
        """See Roster. There is nobody to hand over to."""
        self._node.member_removed(app_id, channel, user_id)
        self._witness.left(app_id, WebhookEvent("member_removed", channel, user_id=user_id), "member_added")

    def count(self, app_id: str, channel: str, subscriptions: int, is_told: bool) -> None:
        """See Roster."""
        if subscriptions < 2:
            occupied = self._occupied.get(app_id)
            if occupied is None:
                occupied = self._occupied[app_id] = set()
            if not subscriptions:
                occupied.remove(channel)
                self._witness.left(app_id, WebhookEvent("channel_vacated", channel), "channel_occupied")
            elif channel not in occupied:
                occupied.add(channel)
                self._witness.came(app_id, WebhookEvent("channel_occupied", channel))
        if is_told and subscriptions:
            self._counts.changed(app_id, channel, subscriptions, self._clock())

    def _tell_count(self, app_id: str, channel: str) -> None:
        """A count is due. A reload may have switched it off while it waited, or the channel may be empty by now."""
        app, count = self._node.app(app_id), self._node.subscriptions_here(app_id, channel)
        if app is None or not app.subscription_count or not count:
            return
        self._node.count_told(app_id, channel, count)
        self._witness.happened(app_id, WebhookEvent("subscription_count", channel, subscription_count=count))

    def sign_in(self, app_id: str, user_id: str, exclude: str) -> None:
        """See Roster."""
        self._node.went_online(app_id, user_id, exclude)

    def sign_out(self, app_id: str, user_id: str) -> None:
        """See Roster."""
        self._node.went_offline(app_id, user_id)

    def watch(self, app_id: str, user_ids: Sequence[str], done: Callable[[frozenset[str]], None]) -> None:
        """See Roster."""
        here = self._node.users_here(app_id)
        done(frozenset(user_id for user_id in user_ids if user_id in here))

    def unwatch(self, app_id: str, user_ids: Sequence[str]) -> None:
        """See Roster. The node is told of everybody anyway."""

    def connections(self, app_id: str) -> int:
        """See Roster."""
        return self._node.connections_here(app_id)

    def list_channels(
        self,
        app_id: str,
        prefix: str,
        wanted: Wanted,
        done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None],
    ) -> None:
        """See Roster."""
        names = [name for name in self._node.channels_here(app_id) if name.startswith(prefix)]
        done(self._pages(app_id, names, wanted))

    def _pages(self, app_id: str, names: Sequence[str], wanted: Wanted) -> Iterator[Sequence[ChannelInfo]]:
        """What has been vacated meanwhile is left out."""
        for at in range(0, len(names), PAGE):
            infos = [self._info(app_id, name, wanted) for name in names[at : at + PAGE]]
            yield [info for info in infos if info is not None]

    def _info(self, app_id: str, channel: str, wanted: Wanted) -> ChannelInfo | None:
        subscriptions = self._node.subscriptions_here(app_id, channel)
        if not subscriptions:
            return None
        members = len(self._node.members_here(app_id, channel)) if wanted.members else 0
        return ChannelInfo(channel, subscriptions if wanted.subscriptions else 0, members)

    def show_channel(
        self, app_id: str, channel: str, wanted: Wanted, done: Callable[[ChannelInfo | Unavailable | None], None]
    ) -> None:
        """See Roster."""
        done(self._info(app_id, channel, wanted))

    def list_members(self, app_id: str, channel: str, done: Callable[[Sequence[str] | Unavailable], None]) -> None:
        """See Roster."""
        done(list(self._node.members_here(app_id, channel)))


class LocalCommands:
    """See relay.cluster.commands.Commands."""

    def __init__(self) -> None:
        # Set by `start`: no order may be given before it.
        self._node: Receiver

    def start(self, receiver: Receiver) -> None:
        """This is the node."""
        self._node = receiver

    def _order(self, carry_out: Callable[[Receiver], None], done: Callable[[Outcome], None]) -> None:
        carry_out(self._node)
        done(ACCEPTED)

    def terminate(self, app_id: str, user_id: str, done: Callable[[Outcome], None]) -> None:
        """See Commands."""
        self._order(lambda node: node.terminated(app_id, user_id), done)

    def unsubscribe(self, app_id: str, user_id: str, channel: str | None, done: Callable[[Outcome], None]) -> None:
        """See Commands."""
        self._order(lambda node: node.unsubscribed(app_id, user_id, channel), done)

    def reload(self, done: Callable[[Outcome], None]) -> None:
        """See Commands."""
        self._order(lambda node: node.reloaded(), done)

    def observe(self, app_id: str, viewer: str, seconds: float, done: Callable[[Outcome], None]) -> None:
        """See Commands."""
        self._order(lambda node: node.observed(app_id, viewer, seconds), done)

    def show(self, viewer: str, happening: bytes) -> None:
        """See Commands."""
        self._order(lambda node: node.shown(viewer, happening), lambda _outcome: None)


class LocalCluster:
    """See relay.cluster.cluster.Cluster. `clock` gives seconds, monotonic, `later` calls something after some seconds,
    `unix_ms` is what ids of events are made of, and `epoch` what they begin with: see Histories."""

    def __init__(
        self,
        witness: Witness,
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], object],
        unix_ms: Callable[[], int] = _unix_ms,
        epoch: str | None = None,
    ) -> None:
        self.witness = witness
        self.memory = LocalMemory(clock, unix_ms, epoch or new_epoch())
        self.bus = LocalBus(self.memory)
        self.roster = LocalRoster(witness, clock, later)
        self.commands = LocalCommands()
        self._receiver: Receiver | None = None

    @property
    def is_alone(self) -> bool:
        """See Cluster."""
        return True

    async def start(self, receiver: Receiver) -> None:
        """See Cluster."""
        self.begin(receiver)

    def begin(self, receiver: Receiver) -> None:
        """Start: there is nobody to wait for."""
        self._receiver = receiver
        for part in (self.memory, self.bus, self.roster, self.commands):
            part.start(receiver)

    async def stop(self) -> None:
        """See Cluster."""
        self.bus.stop()

    def reload(self) -> None:
        """See Cluster."""
        if self._receiver is not None:
            self.memory.reload(self._receiver)

    def tick(self, now: float) -> None:
        """See Cluster."""
        self.roster.tick(now)
        self.memory.tick(now)

    def why_not_ready(self) -> str | None:
        """See Cluster."""
        return None
