"""The console over several nodes: this one has the others show what happens there, and shows them what happens here.

A node whose console is open asks again and again, by its name; who is asked shows for a while, at most so much a second, and
counts the rest. Must not know who looks at a console.
"""

import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from relay.cluster.bus import Outcome
from relay.cluster.commands import Commands
from relay.console.entries import State, entry_of, state_of
from relay.node.arrivals import Viewers
from relay.node.node import Node
from relay.watch.happenings import Happening, Observe

# For how long others are asked to show, and how often. Seconds.
LEASE: Final = 30.0
ASK_INTERVAL: Final = 15.0

# Entries of an app that are shown to another node in a second, and nodes that are shown to.
MOST_SHOWN: Final = 200
MOST_VIEWERS: Final = 100

# The state is shown when it has changed, at most so often; and again after a while. One that was not shown again for long
# is of a node that is gone. Seconds.
STATE_INTERVAL: Final = 2.0
STATE_AGAIN: Final = 6.0
STATE_LIFE: Final = 15.0

# Channels that a state lists, those with the most subscribers, and that are looked at for it.
CHANNELS_SHOWN: Final = 100
CHANNELS_COUNTED: Final = 10_000


class Piece(Struct, frozen=True, array_like=True):
    """What one node shows of an app: something that happened, or how much of it was left out, or its state."""

    app_id: str
    node: str
    entry: bytes = b""
    missed: int = 0
    state: State | None = None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Piece).decode


def _ignore(_outcome: Outcome) -> None:
    """It is asked again anyway."""


class _Shown:
    """An app that other nodes look at."""

    def __init__(self, observe: Observe) -> None:
        self.observe = observe
        # By the viewer's name, when its time is over.
        self.viewers: dict[str, float] = {}
        self.entries = self.missed = 0
        self.state: State | None = None
        self.state_at = 0.0


class Abroad(Viewers):
    """Of one node. `deliver` gets what others show: the app's id, and an entry or how many are missing. `now` gives seconds,
    monotonic, `clock` unix time. Call `tick` once a second."""

    def __init__(self, node: Node, commands: Commands, now: Callable[[], float], clock: Callable[[], float]) -> None:
        self.name = secrets.token_hex(8)
        self.deliver: Callable[[str, bytes, int], None] = lambda _app_id, _entry, _missed: None
        self._node = node
        self._commands = commands
        self._now = now
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._shown: dict[str, _Shown] = {}
        # App id → node → its state and when it came.
        self._states: dict[str, dict[str, tuple[State, float]]] = {}

    # --- what this node asks for

    def ask(self, app_id: str) -> None:
        """Have the other nodes show what happens to an app."""
        self._asked[app_id] = self._now()
        self._commands.observe(app_id, self.name, LEASE, _ignore)

    def ask_no_more(self, app_id: str) -> None:
        """Nobody looks at the app any more; the others stop by themselves."""
        self._asked.pop(app_id, None)
        self._states.pop(app_id, None)

    def states(self, app_id: str) -> Iterable[State]:
        """The states of the other nodes."""
        return [state for state, _ in self._states.get(app_id, {}).values()]

    def shown(self, viewer: str, happening: bytes) -> None:
        """See Receiver."""
        if viewer != self.name:
            return
        piece = _decode(happening)
        if piece.app_id not in self._asked:
            return
        if piece.state is not None:
            self._states.setdefault(piece.app_id, {})[piece.node] = piece.state, self._now()
        else:
            self.deliver(piece.app_id, piece.entry, piece.missed)

    # --- what this node shows

    def observed(self, app_id: str, viewer: str, seconds: float) -> None:
        """See Receiver."""
        if viewer == self.name or app_id not in self._node.namespaces:
            return
        shown = self._shown.get(app_id)
        if shown is None:
            shown = self._shown[app_id] = _Shown(partial(self._happened, app_id))
            self._node.observers.add(app_id, shown.observe)
        if viewer in shown.viewers or len(shown.viewers) < MOST_VIEWERS:
            shown.viewers[viewer] = self._now() + seconds
            shown.state = None  # a new one wants to see it

    def _happened(self, app_id: str, happening: Happening) -> None:
        shown = self._shown[app_id]
        if shown.entries >= MOST_SHOWN:
            shown.missed += 1
            return
        shown.entries += 1
        self._show(shown, Piece(app_id, self.name, entry_of(happening, self._clock())))

    def _show(self, shown: _Shown, piece: Piece) -> None:
        data = _encode(piece)
        for viewer in shown.viewers:
            self._commands.show(viewer, data)

    # --- both

    def tick(self, now: float) -> None:
        """Ask and show what is due."""
        for app_id, asked in list(self._asked.items()):
            if now - asked >= ASK_INTERVAL:
                self.ask(app_id)
        for states in self._states.values():
            for node in [node for node, (_, at) in states.items() if now - at > STATE_LIFE]:
                del states[node]
        for app_id, shown in list(self._shown.items()):
            self._look(app_id, shown, now)

    def _look(self, app_id: str, shown: _Shown, now: float) -> None:
        """What is due of an app that others look at; none do any more, or it is gone: show it no more."""
        shown.viewers = {viewer: until for viewer, until in shown.viewers.items() if until > now}
        namespace = self._node.namespaces.get(app_id)
        if namespace is None or not shown.viewers:
            del self._shown[app_id]
            self._node.observers.remove(app_id, shown.observe)
            return
        if shown.missed:
            self._show(shown, Piece(app_id, self.name, missed=shown.missed))
        shown.entries = shown.missed = 0
        if now - shown.state_at < STATE_INTERVAL and shown.state is not None:
            return
        state = state_of(namespace, CHANNELS_SHOWN, CHANNELS_COUNTED)
        if state != shown.state or now - shown.state_at >= STATE_AGAIN:
            shown.state, shown.state_at = state, now
            self._show(shown, Piece(app_id, self.name, state=state))
