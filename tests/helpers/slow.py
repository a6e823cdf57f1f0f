"""A node in a cluster whose answers come when a test says so: what other nodes are to it that are far away."""

from collections.abc import Callable

from relay.apps import App, Apps
from relay.cluster.bus import History, Unavailable
from relay.cluster.local import LocalCluster
from relay.cluster.memory import LastEvent, Recovered
from relay.cluster.roster import Entered, Full
from relay.node.node import Node
from relay.protocol.session import Member
from relay.watch.happenings import Observers
from tests.helpers.clients import APP
from tests.helpers.node import Client, Clock, RecordingWebhooks

# What a memory answers about a channel: the last event, or what was missed.
Last = LastEvent | Unavailable | None
Since = Recovered | Unavailable


class SlowCluster(LocalCluster):
    """The cluster of one node that holds its answers back, each until `answer`; then all is as it is at that moment. What is
    remembered is what a test says: `last` and `since` are asked for each answer."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(RecordingWebhooks(), clock, lambda _seconds, _call: None)
        self.last: Callable[[], Last] = lambda: None
        self.since: Callable[[str], Since] = lambda _position: Recovered("", is_complete=True)
        self._held: dict[object, Callable[[], None]] = {}
        self._enter, self._leave = self.roster.enter, self.roster.leave
        bus, roster, memory = self.bus, self.roster, self.memory
        for part, names in ((bus, ("listen", "ignore")), (roster, ("enter", "leave")), (memory, ("last", "since"))):
            for name in names:
                setattr(part, name, getattr(self, f"_hold_{name}"))

    @property
    def is_alone(self) -> bool:
        """No: an only node would not listen."""
        return False

    def answer(self) -> None:
        """Answer what was asked until now, in that order, and nothing that is asked thereupon."""
        held, self._held = self._held, {}
        for go_on in held.values():
            go_on()

    def answer_all(self) -> None:
        """Answer until nothing is asked any more."""
        while self._held:
            self.answer()

    def _hold_listen(self, app_id: str, channel: str, done: Callable[[], None]) -> None:
        self._held[app_id, channel] = done

    def _hold_ignore(self, app_id: str, channel: str) -> None:
        self._held.pop((app_id, channel), None)

    def _hold_enter(
        self,
        app_id: str,
        channel: str,
        member: Member,
        limit: int,
        exclude: str,
        done: Callable[[Entered | Full], None],
    ) -> None:
        self._held[app_id, channel, member.user_id] = lambda: self._enter(app_id, channel, member, limit, exclude, done)

    def _hold_leave(self, app_id: str, channel: str, user_id: str, handover: float = 0.0) -> None:
        if self._held.pop((app_id, channel, user_id), None) is None:
            self._leave(app_id, channel, user_id, handover)

    def _hold_last(self, _app_id: str, _channel: str, done: Callable[[Last], None]) -> None:
        self._held[object()] = lambda: done(self.last())

    def _hold_since(
        self, _app_id: str, _channel: str, position: str, _history: History, done: Callable[[Since], None]
    ) -> None:
        self._held[object()] = lambda: done(self.since(position))


class SlowRelay:
    """A node with one app in a SlowCluster."""

    def __init__(self, app: App = APP) -> None:
        self.app = app
        self.clock = Clock()
        self.cluster = SlowCluster(self.clock)
        self.node = Node(Apps([app]), self.cluster, 120, self.clock, lambda _call: None, Observers())
        self.cluster.begin(self.node.arrivals)

    def client(self) -> Client:
        """A client that has been welcomed."""
        client = Client(self.node, self.app)
        client.told()
        return client

    def wait(self, seconds: float) -> None:
        """Let the time pass, and the node do what is due."""
        self.clock.now += seconds
        self.node.tick(self.clock.now)
