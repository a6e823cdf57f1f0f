"""The bus of a relay with one node: what is published is delivered at once, here."""

from relay.bus.base import Deliver


def _deliver_nowhere(app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
    raise RuntimeError("the bus is not started")


def _deliver_no_more(app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
    """A client's or a back end's last words, come while the node stops."""


class LocalBus:
    """See relay.bus.base.Bus."""

    def __init__(self) -> None:
        self._deliver: Deliver = _deliver_nowhere

    async def start(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def stop(self) -> None:
        self._deliver = _deliver_no_more

    def publish(self, app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
        self._deliver(app_id, channel, frame, exclude)

    def listen(self, app_id: str, channel: str) -> None:
        """Nobody else has to know."""

    def ignore(self, app_id: str, channel: str) -> None:
        """Nobody else has to know."""
