from typing import Any

from msgspec.structs import replace

from relay.apps import Apps
from relay.counts import INTERVAL, SMALL_CHANNEL, SubscriptionCounts
from tests.helpers.clients import APP, member
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


class TestWhenACountIsDue:
    def test_every_change_of_a_small_channel_is_told_at_once(self) -> None:
        told = Told()
        counts = SubscriptionCounts(told)
        for count in (1, 2, SMALL_CHANNEL, 1):
            counts.changed("3", "a", count, 0.0)
            assert told.take() == ["3 a"]

    def test_a_large_channel_is_told_once_in_five_seconds_while_it_changes(self) -> None:
        told = Told()
        counts = SubscriptionCounts(told)
        counts.changed("3", "a", 101, 0.0)
        assert told.take() == ["3 a"]
        counts.changed("3", "a", 102, 1.0)
        counts.changed("3", "a", 103, 2.0)
        counts.tick(INTERVAL - 0.1)
        assert told.take() == []
        counts.tick(INTERVAL)
        assert told.take() == ["3 a"]
        counts.tick(2 * INTERVAL)
        assert told.take() == []
        counts.changed("3", "a", 104, 2 * INTERVAL)
        assert told.take() == ["3 a"]

    def test_a_channel_that_gets_small_is_told_at_once_and_not_again(self) -> None:
        told = Told()
        counts = SubscriptionCounts(told)
        for count, now in ((101, 0.0), (102, 1.0), (101, 1.5), (100, 2.0)):
            counts.changed("3", "a", count, now)
        assert told.take() == ["3 a", "3 a"]
        counts.tick(60.0)
        assert told.take() == []

    def test_channels_and_apps_wait_for_themselves(self) -> None:
        told = Told()
        counts = SubscriptionCounts(told)
        for app_id, channel in (("3", "a"), ("3", "b"), ("4", "a")):
            counts.changed(app_id, channel, 500, 0.0)
        assert told.take() == ["3 a", "3 b", "4 a"]


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
        assert two.subscribe("a") == [succeeded("a"), count("a", 2)]
        assert one.told() == [count("a", 2)]
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
        first = clients[0]
        assert first.told() == [count("a", number) for number in range(2, 102)]
        relay.webhooks.take()
        relay.wait(4.9)
        assert first.told() == []
        relay.wait(0.1)
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
        relay.node._tell_count("3", "a")
        relay.node._tell_count("gone", "a")
        assert relay.webhooks.take() == []
