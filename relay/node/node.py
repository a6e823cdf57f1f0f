"""All apps of one process of the relay: start, stop, reload, time, and which app a client may come to.

What an app does is in namespace.py. Must not know sockets or HTTP.
"""

import asyncio
import os
import struct
from collections.abc import Callable, Iterator
from typing import Final

from relay.apps import Apps
from relay.cluster.cluster import Cluster
from relay.node.arrivals import Arrivals
from relay.node.channel import Later
from relay.node.joining import HANDOVER
from relay.node.namespace import Namespace, Surroundings
from relay.node.reports import refused_connection
from relay.protocol.errors import CloseCode, Rejected
from relay.watch.happenings import Observers
from relay.watch.stats import AppStats, Gauges
from relay.wire.deflate import Deflater

# What is asked of the system's random numbers at once: eight of them are a socket id.
RANDOM_BYTES: Final = 4_096

# A stop that is spread closes some connections, then pauses for so long. Seconds.
STOP_STEP: Final = 0.05


class Node:
    """One process of the relay.

    `activity_timeout` (seconds) is what clients are told: ping when nothing came for so long. `clock` gives seconds, `defer`
    calls something when the present turn of the event loop ends, `later` after some seconds. `observers` are told what
    happens, if there are any.
    """

    def __init__(
        self,
        apps: Apps,
        cluster: Cluster,
        activity_timeout: int,
        clock: Callable[[], float],
        defer: Callable[[Callable[[], None]], object],
        observers: Observers,
        later: Later | None = None,
    ) -> None:
        self.apps = apps
        self.observers = observers
        self._cluster = cluster
        # A node that is alone reads all that is published at once: nothing is to be waited for.
        rests = None if cluster.is_alone else later
        self._around = Surroundings(
            cluster, activity_timeout, clock, defer, observers, Deflater(), _random_pairs(), rests
        )
        # By app id.
        self.namespaces = {app.id: Namespace(app, self._around) for app in apps}
        self.arrivals = Arrivals(self.namespaces)

    async def start(self) -> None:
        """Join the other nodes. Raises ConnectionError when they cannot be reached."""
        await self._cluster.start(self.arrivals)

    async def stop(self, spread: float = 0.0) -> None:
        """Tell every client to come back, then leave the other nodes.

        `spread` (seconds): 0 closes all connections at once and has them come back after a pause, when this relay runs again;
        more closes them one after another and has each come back at once, to another node.
        """
        for namespace in self.namespaces.values():
            namespace.close(HANDOVER if spread else 0.0)
        self.flush()
        connections = [one for namespace in self.namespaces.values() for one in namespace.hub.connections.values()]
        # Not RECONNECT, at once, where nobody else listens: pusher-js would find no one, and try again only 15 s later (G).
        code = CloseCode.RECONNECT if spread else CloseCode.OVER_CAPACITY
        step = max(1, round(len(connections) * STOP_STEP / spread)) if spread else len(connections)
        for at, connection in enumerate(connections, 1):
            connection.transport.close(code, "the server is restarting")
            if spread and at % step == 0:
                await asyncio.sleep(STOP_STEP)
        await self._cluster.stop()

    def tick(self, now: float) -> None:
        """Do what is due at `now`; wants to be called once a second."""
        self._cluster.tick(now)
        for namespace in list(self.namespaces.values()):
            namespace.tick(now)

    def reload(self, apps: Apps) -> None:
        """Serve `apps` from now on. Connections stay, under the new settings of their app, unless it is gone or disabled."""
        self.flush()
        for app_id in self.namespaces.keys() - {app.id for app in apps}:
            self.namespaces[app_id].end()
            del self.namespaces[app_id]
        self.apps = apps
        for app in apps:
            namespace = self.namespaces.get(app.id)
            if namespace is None:
                self.namespaces[app.id] = Namespace(app, self._around)
            else:
                namespace.adopt(app)
        self._cluster.reload()

    def admit(self, key: str, origin: str | None) -> Namespace:
        """The app that a client on a page of `origin` asks for by its key. Raises Rejected: see `refused`."""
        app = self.apps.by_key(key)
        if app is None:
            raise Rejected(CloseCode.UNKNOWN_APP, f"There is no app with the key {key[:100]!r}")
        if not app.enabled:
            raise Rejected(CloseCode.APP_DISABLED, "The app is disabled")
        if not app.allows_origin(origin):
            raise Rejected(
                CloseCode.UNAUTHORIZED, f"Pages of {(origin or 'no origin')[:100]} may not connect to this app"
            )
        return self.namespaces[app.id]

    def refused(self, key: str, rejected: Rejected, address: str, origin: str | None = None) -> None:
        """A transport turned away the client at `address` that asked for the app of `key`, since `admit` or its connect
        raised."""
        app = self.apps.by_key(key)
        if app is None:
            refused_connection(self.observers, None, rejected, address, origin)
        else:
            self.namespaces[app.id].refused(rejected, address, origin)

    def all_stats(self) -> dict[str, AppStats]:
        """What each app did since the start, by app id."""
        return {app_id: namespace.stats for app_id, namespace in self.namespaces.items()}

    def gauges(self) -> Iterator[tuple[str, Gauges]]:
        """The present state of each app."""
        for app_id, namespace in self.namespaces.items():
            yield app_id, namespace.gauges()

    def flush(self) -> None:
        """Send what is held back to the end of this turn."""
        for namespace in self.namespaces.values():
            namespace.hub.batch.flush()


def _random_pairs() -> Iterator[tuple[int, int]]:
    """Pairs of 32 random bits each. The system is asked for many at once (bench/, scenario "connections")."""
    while True:
        yield from struct.iter_unpack("!II", os.urandom(RANDOM_BYTES))
