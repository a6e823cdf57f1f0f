"""One client of the relay, whatever transport it came by.

Must not know aiohttp or how bytes travel: it is given a small Transport.
"""

from collections.abc import Callable
from typing import Protocol

from relay.apps import App
from relay.protocol.limits import Limits
from relay.protocol.session import Session


class Transport(Protocol):
    """The way to one client. Nothing here waits; a transport bounds what it holds back and cuts a client that is too slow."""

    @property
    def address(self) -> str:
        """Where the client is, for logs and limits."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Sends one or more whole frames that `frames.text_frame` built. Must not be called after `close`."""

    def adopt(self, limits: Limits) -> None:
        """Go on under changed limits of the app."""

    def close(self, code: int, reason: str) -> None:
        """Tell the client why and end: what was written before still goes out, within the transport's deadline."""


class Connection:
    """A client of `app`: its session, and the way to it. `write` is the transport's own method, kept for the fan-out.

    `number` is higher than that of every connection of the app that was opened before. `resumes` once the client was given
    a position in a channel (A13): it relies on having heard all that is before the last id that it has.
    """

    __slots__ = ("app", "number", "resumes", "session", "transport", "write")

    def __init__(self, app: App, session: Session, transport: Transport, number: int) -> None:
        self.app = app
        self.number = number
        self.resumes = False
        self.session = session
        self.transport = transport
        self.write = transport.write

    @property
    def is_unauthorized(self) -> bool:
        """Whether the app wants its clients to prove something, and this one has not."""
        return self.app.authorized_connections and not self.session.is_authorized

    def adopt(self, app: App) -> None:
        """Go on under changed settings of the same app."""
        self.app = app
        self.session.adopt(app)
        self.transport.adopt(app.limits)
