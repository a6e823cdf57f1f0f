import pytest

from relay.cluster.local import LocalBus
from tests.relay.cluster.contract import BusContract


class TestLocalBus(BusContract):
    @pytest.fixture
    def bus(self) -> LocalBus:
        return LocalBus()

    async def test_publishing_before_the_start_is_our_own_mistake(self, bus: LocalBus) -> None:
        with pytest.raises(RuntimeError, match="the bus is not started"):
            bus.publish("3", "a", b"frame", None)
