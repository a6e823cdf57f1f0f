"""Clients that come back to channels with a history (docs/protocol.md, A13)."""

from typing import Any

import pytest
from msgspec.structs import replace

from relay.apps import Apps, ChannelHistory
from relay.protocol.channels import rules_for
from relay.protocol.requests import Publish
from tests.helpers.clients import APP, member, message, subscription
from tests.helpers.node import Client, Relay, ignore, succeeded

REMEMBERING = replace(APP, history=(ChannelHistory("", 3, 60),))
CHANNELS = ["a", "private-a", "private-encrypted-a", "presence-a", "cache-a", "presence-cache-a"]


@pytest.fixture
def relay() -> Relay:
    return Relay(REMEMBERING)


def user_of(channel: str) -> str | None:
    return member("7") if channel.startswith("presence-") else None


def subscribe(client: Client, channel: str, since: object = None, user: str | None = None) -> list[dict[str, Any]]:
    """What a client is told that subscribes, with `since` unless that is None."""
    data = subscription(client.app, client.socket_id, channel, user or user_of(channel))
    return client.send(message("pusher:subscribe", data if since is None else data | {"since": since}))


def position_in(told: list[dict[str, Any]]) -> str:
    position: str = told[0]["data"]["position"]
    return position


def publish(relay: Relay, channel: str, *names: str) -> None:
    for name in names:
        relay.publish(name, "1", channel, app=REMEMBERING)


def heard(relay: Relay, channel: str, *names: str) -> list[str]:
    """The ids that a subscriber hears of these events."""
    client = relay.client(REMEMBERING)
    subscribe(client, channel)
    publish(relay, channel, *names)
    told = client.told()
    client.drop()
    return [event["id"] for event in told]


@pytest.mark.parametrize("channel", CHANNELS)
class TestAClientThatCanResume:
    def test_it_is_told_where_the_channel_stands(self, relay: Relay, channel: str) -> None:
        *_, newest = heard(relay, channel, "x", "y")
        confirmation = subscribe(relay.client(REMEMBERING), channel, "")[0]
        expected = succeeded(channel, *(["7"] if user_of(channel) else []))
        assert confirmation == expected | {"data": expected["data"] | {"position": newest, "recovered": True}}

    def test_what_it_missed_follows_the_confirmation_and_then_what_is_new(self, relay: Relay, channel: str) -> None:
        first, second, third = heard(relay, channel, "x", "y", "z")
        client = relay.client(REMEMBERING)
        told = subscribe(client, channel, first)
        assert (position_in(told), told[0]["data"]["recovered"]) == (third, True)
        assert [(event["event"], event["id"]) for event in told[1:]] == [("y", second), ("z", third)]
        publish(relay, channel, "new")
        assert [event["event"] for event in client.told()] == ["new"]

    def test_what_is_published_in_the_turn_of_its_join_comes_once(self, relay: Relay, channel: str) -> None:
        (first,) = heard(relay, channel, "x")
        other, client = relay.client(REMEMBERING), relay.client(REMEMBERING)
        subscribe(other, channel)
        publish(relay, channel, "before")
        data = subscription(client.app, client.socket_id, channel, user_of(channel)) | {"since": first}
        client.say(message("pusher:subscribe", data))
        publish(relay, channel, "after")
        assert [event["event"] for event in client.told()[1:]] == ["before", "after"]
        assert [event["event"] for event in other.told() if "id" in event] == ["before", "after"]

    def test_it_is_told_when_something_is_missing_and_gets_no_part_of_it(self, relay: Relay, channel: str) -> None:
        oldest, *_, newest = heard(relay, channel, *"vwxyz")
        told = subscribe(relay.client(REMEMBERING), channel, oldest)
        assert (position_in(told), told[0]["data"]["recovered"]) == (newest, False)
        assert [event.get("id") for event in told[1:]] in ([], [None])

    @pytest.mark.parametrize("since", ["zzzzzzzz.1-0", "nonsense", "x" * 65, "x" * 10_000])
    def test_what_is_no_position_of_ours_is_not_recovered(self, relay: Relay, channel: str, since: str) -> None:
        assert not subscribe(relay.client(REMEMBERING), channel, since)[0]["data"]["recovered"]

    def test_where_nothing_is_remembered_it_is_told_nothing_of_positions(self, relay: Relay, channel: str) -> None:
        relay.node.reload(Apps([APP]))
        (first, *_) = subscribe(relay.client(APP), channel, "")
        assert first == succeeded(channel, *(["7"] if user_of(channel) else []))


def test_who_may_not_join_is_told_nothing_of_what_was_missed(relay: Relay) -> None:
    first, *_ = heard(relay, "private-a", "x", "y")
    data = {"channel": "private-a", "auth": f"{APP.key}:{'0' * 64}", "since": first}
    told = relay.client(REMEMBERING).send(message("pusher:subscribe", data))
    assert [event["event"] for event in told] == ["pusher:subscription_error", "pusher:error"]


class TestStockClients:
    @pytest.mark.parametrize("channel", CHANNELS)
    def test_they_are_told_what_they_are_told_without_a_history(self, channel: str) -> None:
        told = []
        for app in (APP, REMEMBERING):
            relay = Relay(app)
            client = relay.client(app)
            lines = subscribe(client, channel)
            relay.publish("x", "1", channel, app=app)
            told.append([*lines, *({**event, "id": None} for event in client.told())])
        assert told[0] == told[1]

    def test_client_events_carry_no_id_and_are_not_remembered(self, relay: Relay) -> None:
        sender, other = relay.client(REMEMBERING), relay.client(REMEMBERING)
        told = subscribe(sender, "private-a", "")
        subscribe(other, "private-a")
        sender.say(message("client-x", "hello", "private-a"))
        assert other.told() == [{"event": "client-x", "channel": "private-a", "data": "hello"}]
        assert subscribe(relay.client(REMEMBERING), "private-a", position_in(told))[1:] == []


class TestCacheChannels:
    def test_who_has_recovered_does_not_get_the_last_event_once_more(self, relay: Relay) -> None:
        first, second = heard(relay, "cache-a", "x", "y")
        assert [event["event"] for event in subscribe(relay.client(REMEMBERING), "cache-a", first)[1:]] == ["y"]
        assert subscribe(relay.client(REMEMBERING), "cache-a", second)[1:] == []

    @pytest.mark.parametrize("since", [None, "", "zzzzzzzz.1-0"])
    def test_everybody_else_gets_it_without_an_id(self, relay: Relay, since: str | None) -> None:
        heard(relay, "cache-a", "x", "y")
        last = {"event": "y", "channel": "cache-a", "data": "1"}
        assert subscribe(relay.client(REMEMBERING), "cache-a", since)[1:] == [last]


class TestEventsToAUser:
    def test_who_subscribes_to_the_channel_of_the_user_can_resume_it(self, relay: Relay) -> None:
        name = "#server-to-user-7"
        client = relay.client(REMEMBERING)
        client.sign_in('{"id":"7"}')
        position = position_in(subscribe(client, name, ""))
        client.drop()
        publish(relay, name, "missed")
        client = relay.client(REMEMBERING)
        client.sign_in('{"id":"7"}')
        assert [event["event"] for event in subscribe(client, name, position)[1:]] == ["missed"]


class TestIdempotentEvents:
    def test_a_repetition_is_not_sent_again(self, relay: Relay) -> None:
        client = relay.client(REMEMBERING)
        subscribe(client, "a")
        for _ in range(2):
            event = Publish("x", "1", (rules_for("a"),), None, frozenset(), "key")
            relay.node.namespaces[APP.id].publish(event, ignore)
        assert [event["event"] for event in client.told()] == ["x"]
