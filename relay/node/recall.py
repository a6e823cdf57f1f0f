"""Has clients come back that may have missed something: each fetches anew what its page shows.

Must not know why.
"""

from collections import deque
from collections.abc import Callable, Iterable, Set
from math import ceil
from typing import Final

from relay.apps import App
from relay.node.connection import Connection
from relay.protocol.channels import channel_of
from relay.protocol.errors import CloseCode

# Over so many seconds the connections are closed, in steps of so many: not all clients may come back at once.
SPREAD: Final = 10.0
STEP: Final = 0.05
REASON: Final = "messages may have been missed"


def concerned(connections: Iterable[Connection], channels: Set[str]) -> list[Connection]:
    """Those that are subscribed to one of the channels, or signed in as the user whose channel it is."""
    return [
        one
        for one in connections
        if not channels.isdisjoint(one.session.subscriptions)
        or (one.session.user is not None and channel_of(one.session.user.user_id) in channels)
    ]


def recall_resuming(connections: Iterable[Connection], app: App, channels: Set[str]) -> None:
    """Close those at once that can resume one of the channels: what is delivered next would be taken for what follows."""
    with_history = {name for name in channels if app.history_of(name)}
    for one in concerned(connections, with_history):
        if one.resumes:
            one.transport.close(CloseCode.RECONNECT, REASON)


class Recall:
    """Closes connections one after another. `later` is the loop's `call_later`."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._later = later
        self._waiting: deque[Connection] = deque()
        self._each = 0

    def begin(self, connections: Iterable[Connection]) -> None:
        """Close these, from now on until SPREAD is over."""
        is_running = bool(self._waiting)
        self._waiting.extend(connections)
        self._each = ceil(len(self._waiting) * STEP / SPREAD)
        if self._waiting and not is_running:
            self._step()

    def _step(self) -> None:
        for _ in range(min(self._each, len(self._waiting))):
            # One that has ended meanwhile does not mind.
            self._waiting.popleft().transport.close(CloseCode.RECONNECT, REASON)
        if self._waiting:
            self._later(STEP, self._step)
