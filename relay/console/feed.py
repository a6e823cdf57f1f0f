"""What the viewers of the console are told: the state of an app once a second, and what happens to it, as lines of
Server-Sent Events.

Each viewer has a bounded queue: what does not fit is left out, and the viewer is told how much that was. Nothing here waits
for a viewer. Must not know HTTP.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from relay.apps import App
from relay.console.abroad import Abroad
from relay.console.entries import entry_of, message, state_of, summed
from relay.node.node import Node
from relay.watch.happenings import Happening, Observe, Observers

# Viewers at once, of all apps.
VIEWERS: Final = 20
# Entries that may wait for one viewer, and their size in bytes.
QUEUE: Final = 1_000
QUEUE_BYTES: Final = 4_194_304
# Channels that are listed, those with the most subscribers; and channels that are looked at for that, so that a look costs
# a few milliseconds at most.
CHANNELS_SHOWN: Final = 500
CHANNELS_COUNTED: Final = 10_000
# A viewer is told something at least so often, so that both ends notice when the other is gone. Seconds.
HEARTBEAT: Final = 15.0

_HEARTBEAT: Final = b": still here\n\n"


class TooManyViewers(Exception):
    """All places are taken."""

    def __str__(self) -> str:
        return f"{VIEWERS} pages of the console are open, which is the most there may be: close one"


class Viewer:
    """One open page: what it has not been told yet."""

    def __init__(self, app_id: str) -> None:
        self.app_id = app_id
        self._entries: deque[bytes] = deque()
        self._size = 0
        self._missed = 0
        self._state = b""
        self._told_state = b""
        self._is_over = False
        self._wake = asyncio.Event()

    def add(self, entry: bytes) -> None:
        """Queue an entry, or leave it out where there is no room."""
        if len(self._entries) >= QUEUE or self._size + len(entry) > QUEUE_BYTES or self._missed:
            self._missed += 1
        else:
            self._entries.append(entry)
            self._size += len(entry)
        self._wake.set()

    def miss(self, count: int) -> None:
        """So many entries were left out elsewhere."""
        self._missed += count
        self._wake.set()

    def show(self, state: bytes) -> None:
        """The app's present state: only the newest is told, when it differs from what was told before."""
        if state != self._told_state:
            self._state = self._told_state = state
            self._wake.set()

    def end(self) -> None:
        """Tell nothing more."""
        self._is_over = True
        self._wake.set()

    async def next(self) -> bytes:
        """What is to be told next, a heartbeat when nothing has happened for long; empty when it is over."""
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._wake.wait()
        except TimeoutError:
            return _HEARTBEAT
        self._wake.clear()
        return b"" if self._is_over else self._take()

    def _take(self) -> bytes:
        parts = [self._state, *self._entries]
        if self._missed:
            parts.append(message("missed", {"count": self._missed}))
        self._entries.clear()
        self._size, self._missed, self._state = 0, 0, b""
        return b"".join(parts)


class Feeds:
    """All viewers of this node. `abroad` brings what happens on the others. `clock` gives unix time, for people. Call `tick`
    once a second."""

    def __init__(
        self, node: Node, observers: Observers, abroad: Abroad | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._node = node
        self._observers = observers
        self._abroad = abroad
        self._clock = clock
        self._viewers: dict[str, list[Viewer]] = {}
        self._watches: dict[str, Observe] = {}
        if abroad is not None:
            abroad.deliver = self._arrived

    def open(self, app: App) -> Viewer:
        """A new viewer of the app; it gets the state first. Raises TooManyViewers."""
        if sum(map(len, self._viewers.values())) >= VIEWERS:
            raise TooManyViewers
        viewer = Viewer(app.id)
        viewer.show(self._state(app.id))
        if app.id not in self._viewers:
            self._watch(app.id)
        self._viewers.setdefault(app.id, []).append(viewer)
        return viewer

    def _watch(self, app_id: str) -> None:
        watch = self._watches[app_id] = partial(self._happened, app_id)
        self._observers.add(app_id, watch)
        if self._abroad is not None:
            self._abroad.ask(app_id)

    def close(self, viewer: Viewer) -> None:
        """The viewer is gone. When it was the app's last one, the app is not observed any more."""
        viewers = self._viewers[viewer.app_id]
        viewers.remove(viewer)
        if not viewers:
            del self._viewers[viewer.app_id]
            self._observers.remove(viewer.app_id, self._watches.pop(viewer.app_id))
            if self._abroad is not None:
                self._abroad.ask_no_more(viewer.app_id)

    def stop(self) -> None:
        """End all."""
        for viewers in self._viewers.values():
            for viewer in viewers:
                viewer.end()

    def tick(self, _now: float) -> None:
        """Look at the state of the apps that are watched; one that is no more ends."""
        for app_id, viewers in self._viewers.items():
            is_served = app_id in self._node.namespaces
            state = self._state(app_id) if is_served else b""
            for viewer in viewers:
                if is_served:
                    viewer.show(state)
                else:
                    viewer.end()

    def _happened(self, app_id: str, happening: Happening) -> None:
        """Encode once for all viewers of the app."""
        self._arrived(app_id, entry_of(happening, self._clock()), 0)

    def _arrived(self, app_id: str, entry: bytes, missed: int) -> None:
        """What happened here or on another node, or how much of it that left out."""
        for viewer in self._viewers.get(app_id, ()):
            if missed:
                viewer.miss(missed)
            else:
                viewer.add(entry)

    def _state(self, app_id: str) -> bytes:
        here = state_of(self._node.namespaces[app_id], CHANNELS_SHOWN, CHANNELS_COUNTED)
        others = () if self._abroad is None else self._abroad.states(app_id)
        return message("state", msgspec.to_builtins(summed(here, others, CHANNELS_SHOWN)))
