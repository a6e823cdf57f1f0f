from typing import Any

from msgspec.structs import replace

from relay.apps import Apps
from relay.cluster.counts import INTERVAL, SMALL_CHANNEL, SMALL_INTERVAL, SubscriptionCounts
from tests.helpers.clients import APP, member
from tests.helpers.loop import FakeLoop
from tests.helpers.node import Relay, succeeded

COUNTING = replace(APP, subscription_count=True)


class Told:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, app_id: str, channel: str) -> None:
        self.names.append(f"{app_id} {channel}")

    def take(self) -> list[str]:
        names, self.names = self.names, []
        return names


class Counted:
    """Counts on a loop that a test turns by hand."""

    def __init__(self) -> None:
        self.told = Told()
        self.loop = FakeLoop()
        self.counts = SubscriptionCounts(self.told, self.loop.time, self.loop.call_later)

    def changed(self, channel: str, count: int, at: float, app_id: str = "3") -> list[str]:
        """What is told at once."""
        self.loop.now = 1_000.0 + at
        self.counts.changed(app_id, channel, count, self.loop.now)
        return self.told.take()

    def look(self, at: float) -> list[str]:
        """What is told when the loop turns."""
        self.loop.now = 1_000.0 + at
        self.loop.turn()
        return self.told.take()

    def tick(self, at: float) -> list[str]:
        self.loop.now = 1_000.0 + at
        self.counts.tick(self.loop.now)
        return self.told.take()


class TestWhenACountIsDue:
    def test_a_change_of_a_small_channel_is_told_at_once(self) -> None:
        counted = Counted()
        for at, count in enumerate((1, 2, SMALL_CHANNEL, 1)):
            assert counted.changed("a", count, at) == ["3 a"]

    def test_however_often_a_small_channel_changes_it_is_told_ten_times_a_second(self) -> None:
        counted = Counted()
        told = []
        for step in range(1_000):
            told += counted.changed("a", 1 + step % 2, step / 1_000) + counted.look(step / 1_000)
        told += counted.look(1.0) + counted.look(1.1)
        assert 10 <= len(told) <= 12
        assert counted.look(2.0) == []
        assert counted.loop.later == []

    def test_the_last_change_is_told_a_tenth_of_a_second_later(self) -> None:
        counted = Counted()
        assert counted.changed("a", 1, 0.0) == ["3 a"]
        assert counted.changed("b", 1, 0.05) == ["3 b"]
        assert counted.changed("a", 2, 0.06) == counted.changed("b", 2, 0.07) == []
        assert counted.look(0.1) == []
        assert sorted(counted.look(0.17) + counted.look(0.27)) == ["3 a", "3 b"]

    def test_a_large_channel_is_told_once_in_five_seconds_while_it_changes(self) -> None:
        counted = Counted()
        assert counted.changed("a", 101, 0.0) == ["3 a"]
        assert counted.changed("a", 102, 1.0) == counted.changed("a", 103, 2.0) == []
        assert counted.tick(INTERVAL - 0.1) == []
        assert counted.tick(INTERVAL) == ["3 a"]
        assert counted.tick(2 * INTERVAL) == []
        assert counted.changed("a", 104, 2 * INTERVAL) == ["3 a"]
        assert counted.loop.later == []

    def test_a_channel_that_gets_small_is_told_at_once_and_not_again(self) -> None:
        counted = Counted()
        for count, at in ((101, 0.0), (102, 1.0), (101, 1.5)):
            counted.changed("a", count, at)
        assert counted.changed("a", 100, 2.0) == ["3 a"]
        assert counted.tick(60.0) == []

    def test_channels_and_apps_wait_for_themselves(self) -> None:
        counted = Counted()
        told = [counted.changed(channel, 500, 0.0, app_id) for app_id, channel in (("3", "a"), ("3", "b"), ("4", "a"))]
        assert told == [["3 a"], ["3 b"], ["4 a"]]

    def test_channels_that_were_told_of_are_forgotten(self) -> None:
        counted = Counted()
        for number in range(100):
            counted.changed(str(number), 1, number / 100)
        counted.tick(INTERVAL + 0.5)
        assert len(counted.counts._told_at) < 100
        counted.tick(INTERVAL + 1.0)
        assert counted.counts._told_at == counted.counts._due == {}


def count(channel: str, number: int) -> dict[str, Any]:
    return {
        "event": "pusher_internal:subscription_count",
        "channel": channel,
        "data": {"subscription_count": number},
    }


class TestSubscribers:
    def test_subscribers_are_told_who_comes_and_goes(self) -> None:
        relay = Relay(COUNTING)
        one, two = relay.client(COUNTING), relay.client(COUNTING)
        assert one.subscribe("a") == [succeeded("a"), count("a", 1)]
        relay.wait(SMALL_INTERVAL)
        assert two.subscribe("a") == [succeeded("a"), count("a", 2)]
        assert one.told() == [count("a", 2)]
        relay.wait(SMALL_INTERVAL)
        two.drop()
        assert one.told() == [count("a", 1)]
        one.unsubscribe("a")
        assert one.told() == []

    def test_presence_channels_have_members_instead(self) -> None:
        relay = Relay(COUNTING)
        assert relay.client(COUNTING).subscribe("presence-a", member("7")) == [succeeded("presence-a", "7")]

    def test_nobody_is_told_where_the_app_has_that_switched_off(self) -> None:
        relay = Relay()
        assert relay.client().subscribe("a") == [succeeded("a")]
        assert "subscription_count" not in {fields["name"] for _, fields in relay.webhooks.take()}

    def test_a_large_channel_is_told_the_count_of_the_moment_and_so_are_back_ends(self) -> None:
        relay = Relay(COUNTING)
        clients = [relay.client(COUNTING) for _ in range(103)]
        for client in clients:
            client.subscribe("a")
            if client in clients[:100]:
                relay.wait(SMALL_INTERVAL)
        first = clients[0]
        assert first.told() == [count("a", number) for number in range(2, 101)]
        relay.webhooks.take()
        relay.wait(4.8)
        assert first.told() == []
        relay.wait(0.2)
        assert first.told() == [count("a", 103)]
        told = {"name": "subscription_count", "channel": "a", "subscription_count": 103}
        assert relay.webhooks.take() == [("happened", told)]

    def test_a_count_that_waits_when_they_are_switched_off_is_told_to_nobody(self) -> None:
        relay = Relay(COUNTING)
        clients = [relay.client(COUNTING) for _ in range(102)]
        for client in clients:
            client.subscribe("a")
        clients[0].told()
        relay.webhooks.take()
        relay.node.reload(Apps([APP]))
        relay.wait(INTERVAL)
        assert (clients[0].told(), relay.webhooks.take()) == ([], [])

    def test_a_channel_that_was_vacated_before_its_count_was_due_is_told_to_nobody(self) -> None:
        relay = Relay(COUNTING)
        relay.cluster.roster._tell_count("3", "a")
        relay.cluster.roster._tell_count("gone", "a")
        assert relay.webhooks.take() == []
