"""What every bus promises (relay/cluster/bus.py). A test class of each implementation inherits these tests."""

from collections.abc import AsyncIterator

import pytest

from relay.cluster.plain import Bus

Delivery = tuple[str, str, bytes, str | None]


class BusContract:
    """Give a fixture `bus`: a bus that is not started yet."""

    @pytest.fixture
    def delivered(self) -> list[Delivery]:
        return []

    @pytest.fixture
    async def started(self, bus: Bus, delivered: list[Delivery]) -> AsyncIterator[Bus]:
        def deliver(app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
            delivered.append((app_id, channel, frame, exclude))

        await bus.start(deliver)
        yield bus
        await bus.stop()

    async def test_what_is_published_reaches_the_publishing_node_once(
        self, started: Bus, delivered: list[Delivery]
    ) -> None:
        started.listen("3", "a")
        started.publish("3", "a", b"frame", "1.2")
        assert delivered == [("3", "a", b"frame", "1.2")]

    async def test_frames_to_one_channel_arrive_in_their_order(self, started: Bus, delivered: list[Delivery]) -> None:
        started.listen("3", "a")
        for at in range(100):
            started.publish("3", "a", str(at).encode(), None)
        assert [frame for _, _, frame, _ in delivered] == [str(at).encode() for at in range(100)]

    async def test_apps_and_channels_are_kept_apart(self, started: Bus, delivered: list[Delivery]) -> None:
        started.listen("3", "a")
        started.listen("4", "a")
        started.publish("3", "a", b"x", None)
        started.publish("4", "a", b"y", None)
        assert delivered == [("3", "a", b"x", None), ("4", "a", b"y", None)]

    async def test_a_channel_may_be_listened_to_and_ignored_again_and_again(
        self, started: Bus, delivered: list[Delivery]
    ) -> None:
        for _ in range(3):
            started.listen("3", "a")
            started.publish("3", "a", b"x", None)
            started.ignore("3", "a")
        assert len(delivered) == 3

    async def test_a_delivery_may_publish_in_turn(self, bus: Bus) -> None:
        seen: list[bytes] = []

        def deliver(app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
            seen.append(frame)
            if frame == b"first":
                bus.publish(app_id, channel, b"second", exclude)

        await bus.start(deliver)
        bus.listen("3", "a")
        bus.publish("3", "a", b"first", None)
        await bus.stop()
        assert seen == [b"first", b"second"]

    async def test_nothing_is_delivered_after_stop_and_publishing_does_not_fail(
        self, started: Bus, delivered: list[Delivery]
    ) -> None:
        started.listen("3", "a")
        await started.stop()
        started.publish("3", "a", b"late", None)
        assert delivered == []

    async def test_stopping_twice_is_stopping_once(self, started: Bus, delivered: list[Delivery]) -> None:
        await started.stop()
        await started.stop()
        assert delivered == []
