"""A way to one client that keeps what went down it: what a test looks at instead of a socket."""

import json
from collections.abc import Callable
from typing import Any

from relay.protocol.limits import Limits
from relay.wire.frames import payloads_of


class RecordingTransport:
    """See relay.node.connection.Transport."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.when_closed: Callable[[], None] = lambda: None
        self.address = "192.0.2.1"

    def write(self, frame: bytes) -> None:
        assert self.closed is None, "nothing may be written after close"
        self.frames.append(frame)

    def adopt(self, limits: Limits) -> None:
        """Nothing here has a limit."""

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.when_closed()

    def take(self) -> list[dict[str, Any]]:
        """The messages since the last time, data strings of the server's own events decoded."""
        frames, self.frames = self.frames, []
        return [opened(json.loads(payload)) for frame in frames for payload in payloads_of(frame)]


def opened(message: dict[str, Any]) -> dict[str, Any]:
    """`message` with the double encoding (A2) of the server's own events taken off."""
    if message["event"].startswith("pusher") and isinstance(message.get("data"), str):
        return message | {"data": json.loads(message["data"])}
    return message
