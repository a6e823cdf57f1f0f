"""A cluster of one node that carries out each call when a test says so, in their order: what a link to Redis is to a node.

Calls that withdraw others (`ignore` before a listen is done, `leave` before an enter is) do so at once, as the contracts say.
So are counts taken: the roster of one node looks at what the node holds when it tells them.
"""

from collections.abc import Callable
from typing import Any, Final

from relay.apps import App
from relay.cluster.bus import Unavailable
from relay.cluster.receiver import Receiver, Witness
from relay.cluster.roster import Entered, Full
from relay.protocol.session import Member
from tests.helpers.clients import APP
from tests.helpers.node import ListeningCluster, Relay, node_of

# What a node is told by a push.
_PUSHES: Final = (
    "deliver",
    "member_added",
    "member_removed",
    "count_told",
    "went_online",
    "went_offline",
    "terminated",
    "unsubscribed",
)


class LateCluster(ListeningCluster):
    """See above. `are_replies_first`: what a call has the node told comes after its answer, as from Redis 7.2 on; before it
    otherwise."""

    def __init__(self, webhooks: Witness, clock: Callable[[], float], *, are_replies_first: bool = False) -> None:
        super().__init__(webhooks, clock)
        self._are_replies_first = are_replies_first
        self._calls: dict[object, Callable[[], None]] = {}
        self._is_answering = False
        self._pushes: list[Callable[[], None]] | None = None
        self._inner_listen, self._inner_ignore = self.bus.listen, self.bus.ignore
        self._inner_enter, self._inner_leave = self.roster.enter, self.roster.leave
        roster, memory, commands = self.roster, self.memory, self.commands
        for part, names in (
            (self.bus, ("publish",)),
            (roster, ("sign_in", "sign_out", "watch", "unwatch")),
            (roster, ("list_channels", "show_channel", "list_members")),
            (memory, ("last", "since", "take")),
            (commands, ("terminate", "unsubscribe")),
        ):
            for name in names:
                setattr(part, name, self._later(getattr(part, name)))
        for part, name, method in (
            (self.bus, "listen", self._late_listen),
            (self.bus, "ignore", self._late_ignore),
            (roster, "enter", self._late_enter),
            (roster, "leave", self._late_leave),
        ):
            setattr(part, name, method)

    @property
    def is_waiting(self) -> bool:
        """Whether something has not been answered."""
        return bool(self._calls)

    def begin(self, receiver: Receiver) -> None:
        """See LocalCluster."""
        super().begin(_Node(receiver, self._push))
        say = self.bus.say

        def later(app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
            self._calls[object()] = lambda: _ignore(say(app_id, channel, frame, exclude))

        self.bus.say = later

    def answer(self) -> None:
        """Carry out what was called until now, in that order, and nothing that is called thereupon."""
        for key in list(self._calls):
            call = self._calls.pop(key, None)
            if call is not None:
                self._carry_out(call)

    def answer_all(self) -> None:
        """Answer until nothing is asked any more; called while it does so already, it leaves that to itself."""
        if self._is_answering:
            return
        self._is_answering = True
        while self._calls:
            self.answer()
        self._is_answering = False

    def _carry_out(self, call: Callable[[], None]) -> None:
        if not self._are_replies_first:
            call()
            return
        self._pushes = []
        call()
        pushes, self._pushes = self._pushes, None
        for push in pushes:
            push()

    def _push(self, push: Callable[[], None]) -> None:
        if self._pushes is None:
            push()
        else:
            self._pushes.append(push)

    def _later(self, method: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any) -> None:
            self._calls[object()] = lambda: method(*args)

        return call

    def _late_listen(self, app_id: str, channel: str, done: Callable[[], None]) -> None:
        self._calls["listen", app_id, channel] = lambda: self._inner_listen(app_id, channel, done)

    def _late_ignore(self, app_id: str, channel: str) -> None:
        if self._calls.pop(("listen", app_id, channel), None) is None:
            self._inner_ignore(app_id, channel)

    def _late_enter(
        self,
        app_id: str,
        channel: str,
        member: Member,
        limit: int,
        exclude: str,
        done: Callable[[Entered | Full], None],
    ) -> None:
        key = "enter", app_id, channel, member.user_id
        assert key not in self._calls
        self._calls[key] = lambda: self._inner_enter(app_id, channel, member, limit, exclude, done)

    def _late_leave(self, app_id: str, channel: str, user_id: str, handover: float = 0.0) -> None:
        if self._calls.pop(("enter", app_id, channel, user_id), None) is None:
            self._calls[object()] = lambda: self._inner_leave(app_id, channel, user_id, handover)


class _Node:
    """A receiver whose pushes go through `push`."""

    def __init__(self, receiver: Receiver, push: Callable[[Callable[[], None]], None]) -> None:
        self._receiver = receiver
        self._push = push

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._receiver, name)
        if name not in _PUSHES:
            return method
        return lambda *args: self._push(lambda: method(*args))


def _ignore(outcome: Unavailable | None) -> None:
    """A client is told of it when it is known at once, and else never."""


class LateRelay(Relay):
    """A node with its apps in a LateCluster."""

    def __init__(self, *apps: App, are_replies_first: bool = False) -> None:
        super().__init__(*apps)
        self.late = LateCluster(self.webhooks, self.clock, are_replies_first=are_replies_first)
        self.node = node_of(*(apps or (APP,)), cluster=self.late, clock=self.clock)
        self.bus = self.cluster = self.late
        self.late.begin(self.node.arrivals)

    def answer(self) -> None:
        """Let everything be answered."""
        self.late.answer_all()
