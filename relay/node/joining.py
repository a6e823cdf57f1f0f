"""How a connection gets into a channel, and out: the steps of it, and what waits between them.

A join is confirmed when the cluster delivers here what is sent to the channel, has taken the member, and has said what it
remembers. A relay of one node gets all the answers at once: then nothing waits, and nothing is kept. What clients are told of
others comes from the cluster (arrivals.py).
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from typing import Final

from msgspec.structs import replace

from relay.apps import App
from relay.cluster.bus import History, Unavailable
from relay.cluster.cluster import Cluster
from relay.cluster.memory import LastEvent, Recovered
from relay.cluster.roster import Entered, Full
from relay.node.channel import Channel
from relay.node.connection import Connection
from relay.node.hub import Hub
from relay.node.presence import Presence
from relay.node.reports import Reports
from relay.node.waiting import Waiting
from relay.protocol import events
from relay.protocol.channels import Kind
from relay.protocol.errors import LIMIT_REACHED, SIGNATURE_REFUSED, SubscriptionRefused
from relay.protocol.session import Join, Member
from relay.protocol.webhooks import WebhookEvent
from relay.wire.frames import text_frame

# For how long the other nodes hold a member to be there still whose node stops: who returns on another one within it makes
# no event at all. Seconds.
HANDOVER: Final = 5.0


class _NotAsked(Enum):
    """Nobody has asked for the last event."""

    NOT_ASKED = auto()


_NOT_ASKED: Final = _NotAsked.NOT_ASKED


class _Step:
    """A join under way."""

    __slots__ = (
        "asks",
        "channel",
        "connection",
        "history",
        "is_counted",
        "is_entering",
        "is_held",
        "is_in",
        "is_over",
        "join",
        "recovered",
        "refused",
        "since",
    )

    def __init__(self, connection: Connection, join: Join, channel: Channel) -> None:
        self.connection = connection
        self.join = join
        self.channel = channel
        self.since = 0.0
        # Whether anything that is remembered of the channel is asked for.
        self.asks = join.rules.is_cache or join.since is not None
        # Whether it counts among the subscriptions; the cluster was asked to take the member, and has; the client waits; it
        # was confirmed, refused or cancelled.
        self.is_counted = self.is_entering = self.is_in = self.is_held = self.is_over = False
        self.refused: SubscriptionRefused | None = None
        # What the client misses, and how much of the channel's history was asked for.
        self.recovered: Recovered | None = None
        self.history: History | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.connection.session.socket_id, self.join.rules.name


class Joining:
    """The joins and leaves of one app. `clock` gives seconds, monotonic; `tell` sends a frame to one client, `refuse` tells
    it of a subscription that is refused after it had to wait."""

    __slots__ = (
        "_again",
        "_clock",
        "_cluster",
        "_entering",
        "_hub",
        "_is_alone",
        "_refuse",
        "_reports",
        "_tell",
        "_waiting",
        "app",
        "handover",
    )

    def __init__(
        self,
        app: App,
        hub: Hub,
        cluster: Cluster,
        reports: Reports,
        clock: Callable[[], float],
        tell: Callable[[Connection, bytes], None],
        refuse: Callable[[Connection, SubscriptionRefused], None],
    ) -> None:
        self.app = app
        # Seconds for which members who leave are held to be there still: see HANDOVER.
        self.handover = 0.0
        self._hub = hub
        self._cluster = cluster
        self._is_alone = cluster.is_alone
        self._reports = reports
        self._clock = clock
        self._tell = tell
        self._refuse = refuse
        # By socket id and channel.
        self._waiting: Waiting[tuple[str, str], _Step] = Waiting()
        # Channel and user id → those who wait for the user's first connection here to be let in, that one included.
        self._entering: dict[tuple[str, str], list[_Step]] = {}
        # Those whose question could not be answered: it is asked again.
        self._again: list[_Step] = []

    def tick(self, now: float) -> None:
        """Ask again what could not be answered, and end what has waited too long."""
        again, self._again = self._again, []
        for step in again:
            if not step.is_over:
                self._ask(step)
        if self._waiting:
            self._waiting.end(now, self._reports.cut)

    # --- in

    def join(self, connection: Connection, join: Join) -> None:
        """Begin a legal subscription. Raises SubscriptionRefused, unless that turns out later."""
        rules = join.rules
        if rules.needs_auth and connection.number <= self._hub.revocations.up_to:
            _ensure_not_revoked(self._hub, connection, join)
        if rules.kind is Kind.SERVER_TO_USER:
            # Signed in, the client is sent this channel's events already: those of before come before.
            self._hub.batch.flush()
        channel, is_new = self._hub.open(rules)
        if is_new and not self._is_alone:
            self._listen(channel)
        if channel.waiting is None and not (rules.is_presence or rules.is_cache or join.since is not None):
            self._add(connection, join, channel)
        else:
            self._begin(_Step(connection, join, channel))

    def _listen(self, channel: Channel) -> None:
        """Have what is sent to the channel delivered here; for a user's own, that began with the sign-in."""
        name = channel.rules.name
        if channel.rules.kind is not Kind.SERVER_TO_USER:
            channel.waiting = {}
            self._cluster.bus.listen(self.app.id, name, channel.heard)
            return
        audience = self._hub.audience(name)
        if audience is not None and audience.waiting is not None:
            channel.waiting = {}
            audience.waiting[channel] = channel.heard

    def _begin(self, step: _Step) -> None:
        step.channel.coming += 1
        if step.channel.waiting is None:
            self._go_in(step)
        else:
            step.channel.waiting[step] = partial(self._go_in, step)
        if step.refused is not None:
            raise step.refused
        if not step.is_over:
            step.is_held, step.since = True, self._clock()
            step.connection.session.wait(step.join.rules.name)
            self._waiting[step.key] = step

    def _go_in(self, step: _Step) -> None:
        """The channel is heard here."""
        if step.is_over:
            return
        member, presence, name = step.join.member, step.channel.presence, step.join.rules.name
        if member is None or presence is None:
            self._ask(step)
            return
        step.is_counted = True
        self._count(step.channel, 1)
        if member.user_id in presence.here:
            self._let_in((step,), presence, member.user_id)
            return
        if self._entering and (name, member.user_id) in self._entering:
            self._entering[name, member.user_id].append(step)
            return
        limit, socket_id = self.app.limits.presence_members, step.connection.session.socket_id
        step.is_entering = True
        entered = partial(self._entered, step, presence, member)
        self._cluster.roster.enter(self.app.id, name, member, limit, socket_id, entered)
        if step.is_entering:
            self._entering[name, member.user_id] = [step]

    def _entered(self, first: _Step, presence: Presence, member: Member, outcome: Entered | Full) -> None:
        """The cluster has taken the member, or not."""
        name = first.join.rules.name
        first.is_entering = False
        # Where the answer came at once, there was nobody to wait with it.
        steps = self._entering.pop((name, member.user_id), (first,)) if self._entering else (first,)
        if isinstance(outcome, Full):
            for step in steps:
                self._turn_away(step, _full(name, self.app))
            return
        if outcome.members is not None:
            presence.replace(outcome.members)
        if member.user_id not in presence:
            presence.add(member.user_id, member.user_info)
        self._let_in(steps, presence, member.user_id)

    def _let_in(self, steps: Sequence[_Step], presence: Presence, user_id: str) -> None:
        """The connections are a member's: all of them before any goes on, as one that is turned away would be taken for the
        member's last."""
        for step in steps:
            presence.join(user_id)
            step.is_in = True
        for step in steps:
            if step.asks:
                self._ask(step)
            else:
                self._finish(step)

    def _ask(self, step: _Step) -> None:
        """Ask for what is remembered of the channel, as far as the client wants it and has not been answered."""
        rules, since = step.join.rules, step.join.since
        history = None if since is None or step.recovered is not None else self.app.history_of(rules.name)
        if since is not None and history is not None:
            step.history = History(history.size, history.ttl)
            self._cluster.memory.since(self.app.id, rules.name, since, step.history, partial(self._recovered, step))
        elif rules.is_cache and (step.recovered is None or not (since and step.recovered.is_complete)):
            self._cluster.memory.last(self.app.id, rules.name, partial(self._remembered, step))
        else:
            self._finish(step)

    def _recovered(self, step: _Step, answer: Recovered | Unavailable) -> None:
        if step.is_over:
            return
        if isinstance(answer, Unavailable):
            self._again.append(step)
            return
        step.recovered = answer
        self._ask(step)

    def _remembered(self, step: _Step, answer: LastEvent | Unavailable | None) -> None:
        if step.is_over:
            return
        if isinstance(answer, Unavailable):
            self._again.append(step)
        elif step.is_held and step.recovered is not None and step.history is not None:
            # More may have been published since the position was answered.
            name, position = step.join.rules.name, step.recovered.position
            self._cluster.memory.since(
                self.app.id, name, position, step.history, partial(self._caught_up, step, answer)
            )
        else:
            self._finish(step, answer)

    def _caught_up(self, step: _Step, last: LastEvent | None, answer: Recovered | Unavailable) -> None:
        """What came after the position, while the last event was asked for: that is among it then, or was before."""
        if step.is_over or step.recovered is None:
            return
        if isinstance(answer, Unavailable):
            self._again.append(step)
        elif not answer.is_complete:
            step.recovered = None
            self._ask(step)
        elif answer.frames:
            step.recovered = replace(step.recovered, frames=answer.frames)
            self._finish(step)
        else:
            self._finish(step, last)

    def _finish(self, step: _Step, last: LastEvent | _NotAsked | None = _NOT_ASKED) -> None:
        """All is answered: the client is in, unless its user has lost the channel meanwhile."""
        if step.is_held:
            try:
                if step.join.rules.needs_auth:
                    _ensure_not_revoked(self._hub, step.connection, step.join)
            except SubscriptionRefused as refused:
                self._turn_away(step, refused)
                return
            self._stop_waiting(step)
        step.is_over = True
        step.channel.coming -= 1
        self._add(step.connection, step.join, step.channel, step.recovered, last)

    def _add(
        self,
        connection: Connection,
        join: Join,
        channel: Channel,
        recovered: Recovered | None = None,
        last: LastEvent | _NotAsked | None = _NOT_ASKED,
    ) -> None:
        """The connection is subscribed from now on, and told so; then it gets what it has missed, or the last event."""
        name, member = join.rules.name, join.member
        recovery = b"" if recovered is None else events.recovery(recovered.position, recovered.is_complete)
        if member is None or channel.presence is None:
            user_id, confirmation = join.user_id, events.subscription_succeeded(name, recovery)
        else:
            # A7: with everybody who is there, the joiner too.
            user_id, confirmation = member.user_id, channel.presence.confirmation(name, recovery)
        channel.add(connection)
        connection.session.join(name, user_id)
        if user_id is not None:
            self._hub.name(connection, user_id)
        self._tell(connection, text_frame(confirmation))
        if recovered is not None:
            connection.resumes = True
            for frame in recovered.frames:
                self._tell(connection, frame)
        if last is not _NOT_ASKED:
            self._tell_last(connection, name, last)
        if channel.presence is None:
            self._count(channel, 1)
        if self._reports.observers:
            self._reports.joined(connection, name, len(channel))

    def _tell_last(self, connection: Connection, name: str, last: LastEvent | None) -> None:
        """Send the last event of a cache channel, or that there is none."""
        if last is not None:
            self._tell(connection, last.frame)
            return
        self._tell(connection, text_frame(events.cache_miss(name)))
        self._cluster.witness.happened(self.app.id, WebhookEvent("cache_miss", name))

    def _stop_waiting(self, step: _Step) -> None:
        step.channel.wait_no_more(step)
        del self._waiting[step.key]

    def _turn_away(self, step: _Step, refused: SubscriptionRefused) -> None:
        """The subscription is refused: at once by `_begin`, or later by ourselves."""
        is_held = step.is_held
        self._give_up(step)
        if is_held:
            self._refuse(step.connection, refused)
        else:
            step.refused = refused

    # --- out

    def cancel(self, connection: Connection, name: str) -> None:
        """End a join that is not confirmed yet. Raises KeyError when there is none."""
        self._give_up(self._waiting[connection.session.socket_id, name])

    def _give_up(self, step: _Step) -> None:
        """The join comes to nothing."""
        channel, member = step.channel, step.join.member
        if step.is_held:
            self._stop_waiting(step)
            step.connection.session.leave(step.join.rules.name)
        step.is_over = True
        channel.coming -= 1
        if member is not None:
            self._take_back(step, member.user_id)
        self._settle(channel)
        if step.is_counted:
            self._count(channel, -1)

    def _take_back(self, step: _Step, user_id: str) -> None:
        """The member does not come in after all, unless by another connection."""
        if step.is_in:
            self._leave_as_member(step.channel, user_id)
            return
        key = step.join.rules.name, user_id
        together = self._entering.get(key)
        if together is not None and step in together:
            together.remove(step)
            if not together:
                del self._entering[key]
                self._cluster.roster.leave(self.app.id, *key)

    def take_out(self, connection: Connection, name: str) -> Channel:
        """The connection gets nothing more that is sent to the channel; call `left` next."""
        channel = self._hub.get(name)
        if channel is None:
            raise RuntimeError(f"{connection.session.socket_id} is subscribed to {name!r}, which is not occupied")
        channel.remove(connection)
        return channel

    def left(self, connection: Connection, channel: Channel) -> None:
        """What follows when the connection has been taken out of the channel."""
        name = channel.rules.name
        user_id = connection.session.leave(name)
        if user_id is not None:
            self._hub.unname(connection, user_id)
        if self._reports.observers:
            self._reports.left(connection, name, len(channel), user_id)
        if user_id is not None and channel.presence is not None:
            self._leave_as_member(channel, user_id)
        self._settle(channel)
        self._count(channel, -1)

    def _leave_as_member(self, channel: Channel, user_id: str) -> None:
        if channel.presence is not None and channel.presence.leave(user_id):
            self._cluster.roster.leave(self.app.id, channel.rules.name, user_id, self.handover)

    def _settle(self, channel: Channel) -> None:
        """Somebody has left the channel, or does not come: listen no more when it is empty."""
        if self._hub.close_if_empty(channel) and not self._is_alone:
            self._ignore(channel)

    def _ignore(self, channel: Channel) -> None:
        """Undo `_listen`."""
        name = channel.rules.name
        if channel.rules.kind is not Kind.SERVER_TO_USER:
            self._cluster.bus.ignore(self.app.id, name)
            return
        audience = self._hub.audience(name)
        if audience is not None:
            audience.wait_no_more(channel)

    def _count(self, channel: Channel, more: int) -> None:
        """Tell the cluster that there are more subscriptions here, or fewer."""
        channel.reported += more
        is_told = self.app.subscription_count and channel.presence is None
        self._cluster.roster.count(self.app.id, channel.rules.name, channel.reported, is_told)


def _full(name: str, app: App) -> SubscriptionRefused:
    text = f"The channel has its {app.limits.presence_members} members"
    return SubscriptionRefused(name, "LimitReached", text, LIMIT_REACHED, limit="presence_members")


def _ensure_not_revoked(hub: Hub, connection: Connection, join: Join) -> None:
    """Raises SubscriptionRefused when a user whom the client comes as has lost the channel since the connection is there."""
    name, user = join.rules.name, connection.session.user
    comes_as = {
        join.user_id,
        None if join.member is None else join.member.user_id,
        None if user is None else user.user_id,
    }
    if any(hub.revocations.covers(user_id, name, connection.number) for user_id in comes_as if user_id is not None):
        text = "The user lost this channel after the connection was opened: connect anew, and have it signed again"
        raise SubscriptionRefused(name, "Revoked", text, SIGNATURE_REFUSED)
