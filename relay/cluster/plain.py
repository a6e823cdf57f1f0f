"""The bus of before: until the node goes by the contracts."""

from collections.abc import Callable
from typing import Protocol

# app id, channel name, frame, socket id that is left out
Deliver = Callable[[str, str, bytes, str | None], None]


class Bus(Protocol):
    """The way from node to node."""

    async def start(self, deliver: Deliver) -> None:
        """Begin to deliver. Raises ConnectionError when the other nodes cannot be reached."""

    async def stop(self) -> None:
        """Hand over what was published, then deliver nothing more."""

    def publish(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> None:
        """Send a frame to all subscribers of a channel, wherever they are, but for the socket id `exclude`."""

    def listen(self, app_id: str, channel: str) -> None:
        """The channel has subscribers on this node from now on."""

    def ignore(self, app_id: str, channel: str) -> None:
        """The channel has no subscribers on this node any more."""
