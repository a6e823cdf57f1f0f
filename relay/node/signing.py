"""How a connection signs in and out: its user's own channel, the users whom it watches, and what waits between the steps.

It is told of success when the cluster delivers here what is sent to the user, and has said who of the watched is online. Who
comes and goes later comes from the cluster (arrivals.py).
"""

from collections.abc import Callable, Collection
from functools import partial

from relay.apps import App
from relay.cluster.cluster import Cluster
from relay.node.connection import Connection
from relay.node.hub import Hub
from relay.node.reports import Reports
from relay.node.waiting import Waiting
from relay.protocol import events
from relay.protocol.channels import channel_of
from relay.protocol.errors import WATCHLIST_CUT
from relay.protocol.session import Identify
from relay.wire.frames import text_frame


class _Step:
    """A sign-in under way."""

    __slots__ = ("connection", "effect", "is_held", "is_over", "since")

    def __init__(self, connection: Connection, effect: Identify) -> None:
        self.connection = connection
        self.effect = effect
        self.since = 0.0
        # The client waits; it was told of success, or is gone.
        self.is_held = self.is_over = False


class SigningIn:
    """The sign-ins of one app. `clock` gives seconds, monotonic; `tell` sends a frame to one client."""

    __slots__ = ("_clock", "_cluster", "_hub", "_reports", "_steps", "_tell", "_waiting", "app")

    def __init__(
        self,
        app: App,
        hub: Hub,
        cluster: Cluster,
        reports: Reports,
        clock: Callable[[], float],
        tell: Callable[[Connection, bytes], None],
    ) -> None:
        self.app = app
        self._hub = hub
        self._cluster = cluster
        self._reports = reports
        self._clock = clock
        self._tell = tell
        self._waiting: Waiting[_Step, _Step] = Waiting()
        # The same by connection: many may wait at once, and end at once.
        self._steps: dict[Connection, list[_Step]] = {}

    def tick(self, now: float) -> None:
        """End what has waited too long."""
        if self._waiting:
            self._waiting.end(now, self._reports.cut)

    def is_waiting(self, connection: Connection) -> bool:
        """Whether the client has not been told yet how it is with those whom it watches."""
        return connection in self._steps

    def sign_in(self, connection: Connection, effect: Identify) -> None:
        """Begin a good sign-in; one after another, where a client signs in anew before it was told of the last one."""
        step = _Step(connection, effect)
        if connection not in self._steps:
            self._begin(step)
        if not step.is_over:
            step.is_held, step.since = True, self._clock()
            self._waiting[step] = step
            self._steps.setdefault(connection, []).append(step)

    def _begin(self, step: _Step) -> None:
        user_id = step.effect.user.user_id
        audience, is_first = self._hub.sign_in(step.connection, user_id)
        if is_first:
            audience.waiting = {}
            self._cluster.bus.listen(self.app.id, channel_of(user_id), audience.heard)
            self._cluster.roster.sign_in(self.app.id, user_id, step.connection.session.socket_id)
        if audience.waiting is None:
            self._watch(step)
        else:
            audience.waiting[step] = partial(self._watch, step)

    def _watch(self, step: _Step) -> None:
        """What is sent to the user arrives here: ask for those whom the user watches."""
        if step.is_over:
            return
        watched = step.effect.user.watched
        self._unwatch(self._hub.watch(step.connection, watched))
        if watched:
            self._cluster.roster.watch(self.app.id, watched, partial(self._finish, step))
        else:
            self._finish(step, frozenset())

    def _finish(self, step: _Step, online: Collection[str]) -> None:
        """Tell the client."""
        if step.is_over:
            return
        self._end(step)
        connection, effect, user = step.connection, step.effect, step.effect.user
        self._hub.hear(connection, user.user_id)
        self._tell(connection, text_frame(events.signin_success(effect.user_data)))
        self._reports.signed_in(connection, user.user_id)
        if effect.has_too_many_watched:
            self._reports.stats.hit("watchlist")
            text = f"A watchlist holds {self.app.limits.watchlist} users; the first of them are watched"
            self._tell(connection, text_frame(events.error(text, WATCHLIST_CUT)))
        if user.watched:
            # Who watches itself is there, whatever was heard of first.
            self._tell(connection, text_frame(_statuses(user.watched, {*online, user.user_id})))
        if connection in self._steps:
            self._begin(self._steps[connection][0])

    def _end(self, step: _Step) -> None:
        step.is_over = True
        audience = self._hub.audience(channel_of(step.effect.user.user_id))
        if audience is not None:
            audience.wait_no_more(step)
        if step.is_held:
            del self._waiting[step]
            steps = self._steps[step.connection]
            steps.remove(step)
            if not steps:
                del self._steps[step.connection]

    def sign_out(self, connection: Connection, user_id: str) -> bool:
        """The connection is gone; True when it was the user's last one here: `is_away` tells the cluster so."""
        for step in self._steps.get(connection, [])[:]:
            self._end(step)
        self._unwatch(self._hub.watch(connection, ()))
        return self._hub.sign_out(connection, user_id)

    def is_away(self, user_id: str) -> None:
        """The user's last connection here has left."""
        self._cluster.bus.ignore(self.app.id, channel_of(user_id))
        self._cluster.roster.sign_out(self.app.id, user_id)

    def _unwatch(self, user_ids: list[str]) -> None:
        if user_ids:
            self._cluster.roster.unwatch(self.app.id, user_ids)


def _statuses(watched: tuple[str, ...], online: Collection[str]) -> bytes:
    """Who of the watched users is online."""
    here = [user_id for user_id in watched if user_id in online]
    return events.watchlist_events(here, [user_id for user_id in watched if user_id not in online])
