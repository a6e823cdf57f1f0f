"""A receiver that notes what it is told, and a node without clients: it keeps the lists that a node keeps.

As a real node it holds a member from the moment it may (`done`), and members, counts and users are what it reports.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from relay.apps import App, ChannelHistory, Webhook
from relay.cluster.bus import SENT_ONLY, Accepted, Bus, Kept, Outcome, Unavailable
from relay.cluster.commands import Commands
from relay.cluster.memory import Memory
from relay.cluster.roster import ChannelInfo, Entered, Full, Roster, Wanted
from relay.protocol.session import Member

APP: Final = "3"
EVERYTHING: Final = Wanted(subscriptions=True, members=True)
NOBODY: Final = "0.0"


def app_of(app_id: str) -> App:
    """An app that tells its subscribers how many they are, and back ends what happens; channels in "kept-" have a history."""
    hooks, histories = (Webhook("http://127.0.0.1:9/"),), (ChannelHistory("kept-"),)
    return App(app_id, f"key-{app_id}", "secret", subscription_count=True, webhooks=hooks, history=histories)


class Parts(Protocol):
    """What a node uses of its cluster."""

    @property
    def bus(self) -> Bus: ...
    @property
    def roster(self) -> Roster: ...
    @property
    def memory(self) -> Memory: ...
    @property
    def commands(self) -> Commands: ...
    async def stop(self) -> None: ...


class Recorder:
    """A receiver whose holdings a test sets. `told` has one tuple for each call, the method's name first; `take` empties
    it."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.apps: dict[str, App] = {}
        self.connections: Mapping[str, int] = {APP: 0}
        self.subscriptions: dict[tuple[str, str], int] = {}
        # Who has a connection here.
        self.members: dict[tuple[str, str], dict[str, bytes]] = {}
        self.users: dict[str, dict[str, None]] = {}

    def take(self, *kinds: str) -> list[tuple[Any, ...]]:
        """What was told since the last time, of these kinds if any are named."""
        told, self.told = self.told, []
        return [one for one in told if not kinds or one[0] in kinds]

    def frames(self, channel: str = "a") -> list[bytes]:
        """What was delivered to a channel of the app."""
        return [call[3] for call in self.told if call[:3] == ("deliver", APP, channel)]

    # --- what arrives ----------------------------------------------------------------------------------------------------

    def deliver(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> None:
        self.told.append(("deliver", app_id, channel, frame, exclude))

    def member_added(self, app_id: str, channel: str, member: Member, exclude: str | None, /) -> None:
        self.told.append(("member_added", channel, member.user_id, member.user_info, exclude))

    def member_removed(self, app_id: str, channel: str, user_id: str, /) -> None:
        self.told.append(("member_removed", channel, user_id))

    def members_are(self, app_id: str, channel: str, members: Mapping[str, bytes], /) -> None:
        self.told.append(("members_are", channel, dict(members)))

    def count_told(self, app_id: str, channel: str, count: int, /) -> None:
        self.told.append(("count_told", channel, count))

    def went_online(self, app_id: str, user_id: str, exclude: str | None, /) -> None:
        self.told.append(("went_online", user_id, exclude))

    def went_offline(self, app_id: str, user_id: str, /) -> None:
        self.told.append(("went_offline", user_id))

    def terminated(self, app_id: str, user_id: str, /) -> None:
        self.told.append(("terminated", app_id, user_id))

    def unsubscribed(self, app_id: str, user_id: str, channel: str | None, /) -> None:
        self.told.append(("unsubscribed", app_id, user_id, channel))

    def reloaded(self) -> None:
        self.told.append(("reloaded",))

    def observed(self, app_id: str, viewer: str, seconds: float, /) -> None:
        self.told.append(("observed", app_id, viewer, seconds))

    def shown(self, viewer: str, happening: bytes, /) -> None:
        self.told.append(("shown", viewer, happening))

    def missed(self, channels: Iterable[tuple[str, str]], /) -> None:
        self.told.append(("missed", sorted(channels)))

    # --- what is held ----------------------------------------------------------------------------------------------------

    def app_ids(self) -> Iterable[str]:
        return self.apps or self.connections

    def app(self, app_id: str, /) -> App | None:
        return self.apps.get(app_id)

    def hit(self, app_id: str, limit: str, /) -> None:
        self.told.append(("hit", app_id, limit))

    def connections_here(self, app_id: str, /) -> int:
        return self.connections.get(app_id, 0)

    def channels_here(self, app_id: str, /) -> Iterable[str]:
        return [channel for app, channel in self.subscriptions if app == app_id]

    def subscriptions_here(self, app_id: str, channel: str, /) -> int:
        return self.subscriptions.get((app_id, channel), 0)

    def members_here(self, app_id: str, channel: str, /) -> Mapping[str, bytes]:
        return self.members.get((app_id, channel), {})

    def users_here(self, app_id: str, /) -> Collection[str]:
        return self.users.get(app_id, {})


class FakeNode(Recorder):
    """A node that keeps the lists that a node keeps, and is told of members only what its clients would be."""

    def __init__(self, cluster: Parts) -> None:
        super().__init__()
        self.cluster = cluster
        self.apps = {app_id: app_of(app_id) for app_id in (APP, "4")}
        self.connections: Counter[str] = Counter()
        # By channel all members in the cluster, as this node was told.
        self.replica: dict[tuple[str, str], dict[str, bytes]] = {}
        self.when_delivered: Callable[[str, bytes], None] | None = None

    def delivered(self) -> list[bytes]:
        """The frames that were delivered since the last time."""
        return [frame for _, _, _, frame, _ in self.take("deliver")]

    # --- what a node does with its cluster -------------------------------------------------------------------------------

    def listen(self, channel: str, app_id: str = APP) -> list[str]:
        """Listen; what is returned gets an entry when `done` is called."""
        heard: list[str] = []
        self.cluster.bus.listen(app_id, channel, lambda: heard.append(channel))
        return heard

    def publish(
        self, channel: str, message: bytes, exclude: str | None = None, kept: Kept = SENT_ONLY, app_id: str = APP
    ) -> list[Outcome]:
        """Publish; what is returned gets the outcome."""
        outcomes: list[Outcome] = []
        self.cluster.bus.publish(app_id, channel, message, exclude, kept, outcomes.append)
        return outcomes

    def enter(
        self, channel: str, user_id: str, *, info: bytes = b"{}", limit: int = 100, exclude: str = NOBODY
    ) -> list[Entered | Full]:
        """A user's first connection here joins."""
        answers: list[Entered | Full] = []

        def done(answer: Entered | Full) -> None:
            answers.append(answer)
            if isinstance(answer, Entered):
                self.members.setdefault((APP, channel), {})[user_id] = info
                if answer.members is not None:
                    self.replica[APP, channel] = dict(answer.members)
                self.replica.setdefault((APP, channel), {})[user_id] = info

        self.cluster.roster.enter(APP, channel, Member(user_id, info), limit, exclude, done)
        return answers

    def leave(self, channel: str, user_id: str, handover: float = 0.0) -> None:
        """A user's last connection here leaves, or waits no longer."""
        self.members.get((APP, channel), {}).pop(user_id, None)
        if not self.members.get((APP, channel)):
            self.replica.pop((APP, channel), None)
        self.cluster.roster.leave(APP, channel, user_id, handover)

    def count(self, channel: str, subscriptions: int, *, is_told: bool = False) -> None:
        """So many are subscribed here now."""
        if subscriptions:
            self.subscriptions[APP, channel] = subscriptions
        else:
            self.subscriptions.pop((APP, channel), None)
        self.cluster.roster.count(APP, channel, subscriptions, is_told)

    def sign_in(self, user_id: str, exclude: str = NOBODY) -> None:
        self.users.setdefault(APP, {})[user_id] = None
        self.cluster.roster.sign_in(APP, user_id, exclude)

    def sign_out(self, user_id: str) -> None:
        del self.users[APP][user_id]
        self.cluster.roster.sign_out(APP, user_id)

    def watch(self, *user_ids: str) -> list[frozenset[str]]:
        answers: list[frozenset[str]] = []
        self.cluster.roster.watch(APP, user_ids, answers.append)
        return answers

    def list_channels(
        self, prefix: str = "", wanted: Wanted = EVERYTHING
    ) -> list[Sequence[Sequence[ChannelInfo]] | Unavailable]:
        """What is returned gets the pages."""
        answers: list[Sequence[Sequence[ChannelInfo]] | Unavailable] = []

        def done(answer: Iterator[Sequence[ChannelInfo]] | Unavailable) -> None:
            answers.append(answer if isinstance(answer, Unavailable) else list(answer))

        self.cluster.roster.list_channels(APP, prefix, wanted, done)
        return answers

    def show_channel(self, channel: str, wanted: Wanted = EVERYTHING) -> list[ChannelInfo | Unavailable | None]:
        answers: list[ChannelInfo | Unavailable | None] = []
        self.cluster.roster.show_channel(APP, channel, wanted, answers.append)
        return answers

    def list_members(self, channel: str) -> list[Sequence[str] | Unavailable]:
        answers: list[Sequence[str] | Unavailable] = []
        self.cluster.roster.list_members(APP, channel, answers.append)
        return answers

    # --- Receiver --------------------------------------------------------------------------------------------------------

    def deliver(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> None:
        super().deliver(app_id, channel, frame, exclude)
        if self.when_delivered is not None:
            self.when_delivered(channel, frame)

    def member_added(self, app_id: str, channel: str, member: Member, exclude: str | None, /) -> None:
        super().member_added(app_id, channel, member, exclude)
        self.replica.setdefault((app_id, channel), {}).setdefault(member.user_id, member.user_info)

    def member_removed(self, app_id: str, channel: str, user_id: str, /) -> None:
        if self.replica.get((app_id, channel), {}).pop(user_id, None) is not None:
            super().member_removed(app_id, channel, user_id)

    def members_are(self, app_id: str, channel: str, members: Mapping[str, bytes], /) -> None:
        known = self.replica.get((app_id, channel))
        if known is not None:
            for user_id in known.keys() - members.keys():
                self.told.append(("member_removed", channel, user_id))
            for user_id in members.keys() - known.keys():
                self.told.append(("member_added", channel, user_id, members[user_id], None))
            self.replica[app_id, channel] = dict(members)


def outcome(outcomes: list[Outcome]) -> Accepted:
    """The one outcome, which is that the cluster has it."""
    (one,) = outcomes
    assert isinstance(one, Accepted)
    return one
