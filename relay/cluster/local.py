"""The bus of a relay with one node: what is published is delivered at once, here."""

from relay.cluster.plain import Deliver


def _deliver_nowhere(app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
    raise RuntimeError("the bus is not started")


def _deliver_no_more(app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
    """A client's or a back end's last words, come while the node stops."""


class LocalBus:
    """See relay.cluster.bus.Bus."""

    def __init__(self) -> None:
        # Delivering is all that there is to publishing (bench/, scenario "client-events").
        self.publish: Deliver = _deliver_nowhere

    async def start(self, deliver: Deliver) -> None:
        self.publish = deliver

    async def stop(self) -> None:
        self.publish = _deliver_no_more

    def listen(self, app_id: str, channel: str) -> None:
        """Nobody else has to know."""

    def ignore(self, app_id: str, channel: str) -> None:
        """Nobody else has to know."""
