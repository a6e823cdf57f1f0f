import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.apps import Apps
from relay.protocol.errors import Rejected
from tests.helpers.clients import APP, app_with, member, message, subscription
from tests.helpers.json_values import JSON, MESSAGES, TEXTS
from tests.helpers.node import Client, Relay, cluster_of, end_turn, node_of, succeeded


@pytest.fixture
def relay() -> Relay:
    return Relay()


def added(channel: str, user_id: str, info: object = None) -> dict[str, Any]:
    data = {"user_id": user_id, "user_info": {} if info is None else info}
    return {"event": "pusher_internal:member_added", "channel": channel, "data": data}


def removed(channel: str, user_id: str) -> dict[str, Any]:
    return {"event": "pusher_internal:member_removed", "channel": channel, "data": {"user_id": user_id}}


class TestConnecting:
    def test_a_client_is_told_its_socket_id_and_the_activity_timeout_first(self, relay: Relay) -> None:
        client = Client(relay.node, APP)
        assert client.told() == [
            {
                "event": "pusher:connection_established",
                "data": {"socket_id": client.socket_id, "activity_timeout": 77},
            }
        ]

    def test_socket_ids_are_two_numbers_and_differ(self, relay: Relay) -> None:
        ids = [relay.client().socket_id for _ in range(50)]
        assert len(set(ids)) == 50
        assert all(0 <= int(part) < 2**32 for socket_id in ids for part in socket_id.split("."))

    def test_a_socket_id_that_is_taken_is_not_given_again(self, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
        bits = b"".join(number.to_bytes(8) for number in (1, 1, 1, 2))
        monkeypatch.setattr("relay.node.node.os.urandom", lambda _size: bits)
        assert [relay.client().socket_id, relay.client().socket_id] == ["0.1", "0.2"]

    def test_an_unknown_key_is_rejected_with_4001(self, relay: Relay) -> None:
        with pytest.raises(Rejected, match="There is no app with the key 'nobody'") as rejected:
            relay.node.admit("nobody", None)
        assert rejected.value.code == 4001

    def test_a_disabled_app_is_rejected_with_4003(self) -> None:
        with pytest.raises(Rejected) as rejected:
            Relay(app_with(enabled=False)).node.admit("key-3", None)
        assert rejected.value.code == 4003

    def test_an_enabled_app_is_found(self, relay: Relay) -> None:
        assert relay.node.admit("key-3", None).app is APP

    @pytest.mark.parametrize(("protocol", "code"), [("3", 4007), ("99", 4007), ("x", 4006)])
    def test_a_version_that_is_not_spoken_is_rejected(self, relay: Relay, protocol: str, code: int) -> None:
        with pytest.raises(Rejected) as rejected:
            Client(relay.node, APP, protocol)
        assert rejected.value.code == code

    def test_a_connection_over_the_apps_limit_is_rejected_with_4004_until_one_leaves(self) -> None:
        app = app_with(connections=2)
        relay = Relay(app)
        first, _ = relay.client(app), relay.client(app)
        with pytest.raises(Rejected, match="has its 2 connections") as rejected:
            relay.client(app)
        assert rejected.value.code == 4004
        first.drop()
        assert relay.client(app).connection.app is app


class TestSubscribing:
    @pytest.mark.parametrize("channel", ["a", "private-a", "private-encrypted-a"])
    def test_a_subscription_is_confirmed(self, relay: Relay, channel: str) -> None:
        assert relay.client().subscribe(channel) == [succeeded(channel)]

    def test_a_refused_subscription_is_told_on_its_channel_and_the_connection_stays(self, relay: Relay) -> None:
        client = relay.client()
        error, again = client.send(message("pusher:subscribe", {"channel": "private-a", "auth": "key-3:00"}))
        assert (error["event"], error["channel"]) == ("pusher:subscription_error", "private-a")
        assert (error["data"]["type"], error["data"]["status"]) == ("AuthError", 401)
        # For clients that know no subscription_error; without the channel, so that its handlers are not told twice.
        text = f"Subscription to channel private-a refused: {error['data']['error']}"
        assert again == {"event": "pusher:error", "data": {"message": text, "code": None}}
        assert client.subscribe("private-a") == [succeeded("private-a")]

    def test_the_text_about_a_refused_subscription_repeats_a_long_name_only_in_part(self, relay: Relay) -> None:
        error, again = relay.client().subscribe("a" * 9_999)
        assert error["channel"] == "a" * 9_999
        assert f"Subscription to channel {'a' * 200} refused: A channel name is at most" in again["data"]["message"]

    def test_a_second_subscription_is_an_error_without_a_code_and_the_first_stays(self, relay: Relay) -> None:
        client = relay.client()
        client.subscribe("a")
        assert client.subscribe("a") == [
            {"event": "pusher:error", "data": {"message": "Existing subscription to channel a", "code": None}}
        ]
        relay.publish("x", "1", "a")
        assert len(client.told()) == 1

    def test_unsubscribing_is_not_confirmed_and_ends_the_events(self, relay: Relay) -> None:
        client = relay.client()
        client.subscribe("a")
        assert client.unsubscribe("a") == []
        relay.publish("x", "1", "a")
        assert client.told() == []
        (error,) = client.unsubscribe("a")
        assert error["data"]["message"] == "No current subscription to channel a"

    def test_a_channel_can_be_joined_again(self, relay: Relay) -> None:
        client = relay.client()
        for _ in range(3):
            assert client.subscribe("presence-a", member(7)) == [succeeded("presence-a", "7")]
            client.unsubscribe("presence-a")

    def test_the_bus_is_told_of_the_first_and_the_last_subscriber_only(self, relay: Relay) -> None:
        one, two = relay.client(), relay.client()
        one.subscribe("a")
        two.subscribe("a")
        assert relay.bus.listening == {("3", "a")}
        one.unsubscribe("a")
        assert relay.bus.listening == {("3", "a")}
        two.drop()
        assert relay.bus.listening == set()

    def test_a_ping_is_answered(self, relay: Relay) -> None:
        assert relay.client().send(message("pusher:ping")) == [{"event": "pusher:pong", "data": {}}]
        assert relay.client().send(message("pusher:pong")) == []

    @pytest.mark.parametrize("raw", [b"", b"\xff", b"hello", b"[]", b"{}", b"[" * 60_000])
    def test_a_message_that_is_none_is_an_error_and_the_connection_stays(self, relay: Relay, raw: bytes) -> None:
        client = relay.client()
        (error,) = client.send(raw)
        assert (error["event"], error["data"]["code"]) == ("pusher:error", None)
        assert client.subscribe("a") == [succeeded("a")]


class TestPresence:
    def test_the_joiner_is_told_of_everybody_and_the_others_of_the_joiner(self, relay: Relay) -> None:
        one, two = relay.client(), relay.client()
        assert one.subscribe("presence-a", member("1")) == [succeeded("presence-a", "1")]
        assert two.subscribe("presence-a", member("2")) == [succeeded("presence-a", "1", "2")]
        assert one.told() == [added("presence-a", "2")]
        assert two.told() == []

    def test_a_second_connection_of_a_user_is_told_to_nobody(self, relay: Relay) -> None:
        watcher, tab, other_tab = relay.client(), relay.client(), relay.client()
        watcher.subscribe("presence-a", member("1"))
        tab.subscribe("presence-a", member("2", {"tab": 1}))
        assert watcher.told() == [added("presence-a", "2", {"tab": 1})]
        (confirmed,) = other_tab.subscribe("presence-a", member("2", {"tab": 2}))
        assert confirmed["data"]["presence"]["hash"] == {"1": {}, "2": {"tab": 1}}
        assert confirmed["data"]["presence"]["count"] == 2
        assert (watcher.told(), tab.told()) == ([], [])
        tab.drop()
        assert (watcher.told(), other_tab.told()) == ([], [])
        other_tab.unsubscribe("presence-a")
        assert watcher.told() == [removed("presence-a", "2")]

    def test_a_number_and_its_text_are_the_same_user(self, relay: Relay) -> None:
        watcher, client = relay.client(), relay.client()
        watcher.subscribe("presence-a", member(7))
        assert client.subscribe("presence-a", member("7")) == [succeeded("presence-a", "7")]
        assert watcher.told() == []

    def test_who_leaves_is_not_told_of_it(self, relay: Relay) -> None:
        client = relay.client()
        client.subscribe("presence-a", member("1"))
        assert client.unsubscribe("presence-a") == []

    def test_the_last_place_is_taken_once_and_a_second_tab_still_gets_in(self) -> None:
        app = app_with(presence_members=2)
        relay = Relay(app)
        for user_id in ("1", "2"):
            relay.client(app).subscribe("presence-a", member(user_id))
        refused, _ = relay.client(app).subscribe("presence-a", member("3"))
        assert (refused["event"], refused["channel"]) == ("pusher:subscription_error", "presence-a")
        assert (refused["data"]["type"], refused["data"]["status"]) == ("LimitReached", 4100)
        assert relay.client(app).subscribe("presence-a", member("2")) == [succeeded("presence-a", "1", "2")]

    def test_a_hundred_users_fit_by_default_and_one_that_left_makes_room(self, relay: Relay) -> None:
        clients = [relay.client() for _ in range(101)]
        for at, client in enumerate(clients[:100]):
            (confirmed,) = client.subscribe("presence-a", member(at))
        assert confirmed["data"]["presence"]["count"] == 100
        late = clients[100]
        refused, _ = late.subscribe("presence-a", member("late"))
        assert refused["data"]["status"] == 4100
        assert clients[0].told() == [added("presence-a", str(at)) for at in range(1, 100)]
        clients[50].drop()
        (confirmed,) = late.subscribe("presence-a", member("late"))
        assert confirmed["data"]["presence"]["count"] == 100
        assert clients[0].told() == [removed("presence-a", "50"), added("presence-a", "late")]

    def test_a_dropped_connection_leaves_all_its_channels(self, relay: Relay) -> None:
        watcher, client = relay.client(), relay.client()
        for channel in ("presence-a", "presence-b"):
            watcher.subscribe(channel, member("1"))
            client.subscribe(channel, member("2"))
        client.subscribe("c")
        watcher.told()
        client.drop()
        client.drop()
        assert watcher.told() == [removed("presence-a", "2"), removed("presence-b", "2")]
        assert [channel.rules.name for channel in relay.node.namespaces[APP.id].hub] == ["presence-a", "presence-b"]

    def test_who_is_closed_is_not_told_of_others_that_left_in_the_same_turn(self, relay: Relay) -> None:
        one, two = relay.client(), relay.client()
        for client in (one, two):
            for channel in ("presence-a", "presence-b"):
                client.subscribe(channel, member(client.socket_id))
        for client in (one, two):
            client.told()
        one.drop()
        two.transport.close(4200, "gone")
        # Of the first channel that the other one left it was told before.
        assert two.told() == [removed("presence-a", one.socket_id)]

    @given(user_id=TEXTS.filter(lambda text: 0 < len(text) <= 128), info=JSON)
    def test_ids_and_infos_of_any_text_come_out_as_they_went_in(self, user_id: str, info: object) -> None:
        app = app_with(presence_member_bytes=100_000)
        relay = Relay(app)
        watcher, client = relay.client(app), relay.client(app)
        watcher.subscribe("presence-a", member("watcher of it all"))
        (confirmed,) = client.subscribe("presence-a", json.dumps({"user_id": user_id, "user_info": info}))
        assert confirmed["data"]["presence"]["hash"][user_id] == info
        assert confirmed["data"]["presence"]["ids"] == ["watcher of it all", user_id]
        client.drop()
        joined, left = watcher.told()
        assert (joined["data"], left["data"]) == ({"user_id": user_id, "user_info": info}, {"user_id": user_id})


class TestVisitsWithinATurn:
    """Several things happen before the turn of the loop ends: `say` does not end it, `told` does."""

    def say(self, client: Client, event: str, channel: str, channel_data: str | None = None) -> None:
        data = subscription(APP, client.socket_id, channel, channel_data)
        client.say(message(event, data))

    def come(self, client: Client, user: str, info: object = None) -> None:
        self.say(client, "pusher:subscribe", "presence-a", member(user, info))

    def go(self, client: Client, channel: str = "presence-a") -> None:
        self.say(client, "pusher:unsubscribe", channel)

    @pytest.fixture
    def watcher(self, relay: Relay) -> Client:
        watcher = relay.client()
        watcher.subscribe("presence-a", member("1"))
        return watcher

    def test_nobody_is_told_of_a_member_that_comes_and_goes_however_often(self, relay: Relay, watcher: Client) -> None:
        visitor = relay.client()
        for _ in range(500):
            self.come(visitor, "2")
            self.go(visitor)
        assert watcher.told() == []
        assert [event["event"] for event in visitor.told()] == ["pusher_internal:subscription_succeeded"] * 500
        self.come(visitor, "2")
        assert [event["event"] for event in watcher.told()] == ["pusher_internal:member_added"]

    def test_nobody_is_told_of_a_member_that_goes_and_is_back(self, relay: Relay, watcher: Client) -> None:
        one, two = relay.client(), relay.client()
        one.subscribe("presence-a", member("2", {"name": "x"}))
        watcher.told()
        self.go(one)
        self.come(two, "2", {"name": "x"})
        assert watcher.told() == []
        (confirmed,) = two.told()
        assert confirmed["data"]["presence"]["ids"] == ["1", "2"]

    def test_a_member_that_is_back_with_another_info_is_told(self, relay: Relay, watcher: Client) -> None:
        visitor = relay.client()
        visitor.subscribe("presence-a", member("2", {"name": "x"}))
        watcher.told()
        self.go(visitor)
        self.come(visitor, "2", {"name": "y"})
        removed, added = watcher.told()
        assert (removed["event"], added["event"]) == ("pusher_internal:member_removed", "pusher_internal:member_added")
        assert added["data"]["user_info"] == {"name": "y"}

    def test_who_joined_meanwhile_and_was_told_of_a_member_is_told_that_it_went(
        self, relay: Relay, watcher: Client
    ) -> None:
        visitor, late = relay.client(), relay.client()
        self.come(visitor, "2")
        self.come(late, "3")
        self.go(visitor)
        confirmed, *others = late.told()
        assert confirmed["data"]["presence"]["ids"] == ["1", "2", "3"]
        assert [(event["event"], event["data"]["user_id"]) for event in others] == [
            ("pusher_internal:member_removed", "2")
        ]
        members = Counter(event["data"]["user_id"] for event in watcher.told() if event["event"].endswith("_added"))
        assert members == {"2": 1, "3": 1}

    def test_who_joined_while_a_member_was_gone_is_told_that_it_came_back(self, relay: Relay, watcher: Client) -> None:
        visitor, late = relay.client(), relay.client()
        visitor.subscribe("presence-a", member("2"))
        watcher.told()
        self.go(visitor)
        self.come(late, "3")
        self.come(visitor, "2")
        confirmed, added = late.told()
        assert confirmed["data"]["presence"]["ids"] == ["1", "3"]
        assert (added["event"], added["data"]["user_id"]) == ("pusher_internal:member_added", "2")
        assert [event["data"]["user_id"] for event in watcher.told()] == ["2", "3", "2"]

    def test_what_a_member_said_is_told_between_its_coming_and_its_going(self, relay: Relay, watcher: Client) -> None:
        visitor = relay.client()
        self.come(visitor, "2")
        visitor.say(message("client-x", 1, "presence-a"))
        self.go(visitor)
        names = [event["event"] for event in watcher.told()]
        assert names == ["pusher_internal:member_added", "client-x", "pusher_internal:member_removed"]

    def test_an_event_of_a_back_end_keeps_its_place(self, relay: Relay, watcher: Client) -> None:
        visitor = relay.client()
        self.come(visitor, "2")
        relay.publish("x", "1", "presence-a")
        self.go(visitor)
        names = [event["event"] for event in watcher.told()]
        assert names == ["pusher_internal:member_added", "x", "pusher_internal:member_removed"]

    def test_another_member_that_comes_is_told(self, relay: Relay, watcher: Client) -> None:
        visitor, other = relay.client(), relay.client()
        self.come(visitor, "2")
        self.come(other, "3")
        self.go(other)
        assert [(event["event"], event["data"]["user_id"]) for event in watcher.told()] == [
            ("pusher_internal:member_added", "2")
        ]


class TestPublishing:
    def test_an_event_goes_to_the_subscribers_of_its_channels_once_each(self, relay: Relay) -> None:
        one, both, none = relay.client(), relay.client(), relay.client()
        one.subscribe("a")
        both.subscribe("a")
        both.subscribe("private-b")
        none.subscribe("c")
        relay.publish("event", '{"x":1}', "a", "private-b", "nobody-here")
        on_a, on_b = ({"event": "event", "channel": name, "data": '{"x":1}'} for name in ("a", "private-b"))
        assert (one.told(), both.told(), none.told()) == ([on_a], [on_a, on_b], [])

    def test_the_connection_that_is_left_out_gets_nothing(self, relay: Relay) -> None:
        sender, other = relay.client(), relay.client()
        sender.subscribe("a")
        other.subscribe("a")
        relay.publish("x", "1", "a", exclude=sender.socket_id)
        assert (len(sender.told()), len(other.told())) == (0, 1)

    def test_all_subscribers_get_the_same_bytes(self, relay: Relay) -> None:
        clients = [relay.client() for _ in range(3)]
        for client in clients:
            client.subscribe("a")
            client.told()
        relay.publish("x", "1", "a")
        end_turn(relay.node)
        frames = [client.transport.frames[0] for client in clients]
        assert frames[0] is frames[1] is frames[2]

    def test_apps_do_not_hear_each_other(self) -> None:
        here, there = app_with(app_id="1"), app_with(app_id="2")
        relay = Relay(here, there)
        one, two = relay.client(here), relay.client(there)
        for client in (one, two):
            client.subscribe("presence-a", member("7"))
        relay.publish("x", "1", "presence-a", app=here)
        assert (len(one.told()), len(two.told())) == (1, 0)
        assert relay.node.namespaces[here.id].hub.get("presence-a") is not relay.node.namespaces[there.id].hub.get(
            "presence-a"
        )

    @given(name=TEXTS, data=TEXTS)
    def test_names_and_data_of_any_text_come_out_as_they_went_in(self, name: str, data: str) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe("a")
        relay.publish(f"x{name}", data, "a")
        assert client.told() == [{"event": f"x{name}", "channel": "a", "data": data}]

    def test_what_a_channel_holds_can_be_asked_for(self, relay: Relay) -> None:
        relay.client().subscribe("presence-a", member("7"))
        channel = relay.node.namespaces[APP.id].hub.get("presence-a")
        assert channel is not None
        assert (len(channel), list(channel.presence or ())) == (1, ["7"])
        assert relay.node.namespaces[APP.id].hub.get("presence-b") is None
        assert list(relay.node.namespaces[APP.id].hub) == [channel]


class TestClientEvents:
    def test_an_event_goes_to_the_others_and_not_back(self, relay: Relay) -> None:
        sender, other, stranger = relay.client(), relay.client(), relay.client()
        sender.subscribe("private-a")
        other.subscribe("private-a")
        stranger.subscribe("private-b")
        assert sender.send(message("client-x", {"a": [1]}, "private-a")) == []
        assert other.told() == [{"event": "client-x", "channel": "private-a", "data": {"a": [1]}}]
        assert stranger.told() == []

    def test_an_event_on_a_presence_channel_names_the_user_whatever_the_sender_says(self, relay: Relay) -> None:
        sender, other = relay.client(), relay.client()
        sender.subscribe("presence-a", member(7))
        other.subscribe("presence-a", member("8"))
        sender.send(b'{"event":"client-x","channel":"presence-a","data":"1","user_id":"8"}')
        assert other.told() == [{"event": "client-x", "channel": "presence-a", "data": "1", "user_id": "7"}]

    def test_the_rate_is_counted_a_connection(self, relay: Relay) -> None:
        one, two = relay.client(), relay.client()
        one.subscribe("private-a")
        two.subscribe("private-a")
        for _ in range(10):
            one.send(message("client-x", 1, "private-a"))
        (error,) = one.send(message("client-x", 1, "private-a"))
        assert (error["event"], error["channel"], error["data"]["code"]) == ("pusher:error", "private-a", 4301)
        assert len(two.told()) == 10
        assert two.send(message("client-x", 1, "private-a")) == []

    def test_all_senders_in_a_channel_share_its_rate_and_the_sender_of_one_too_many_is_told_so(self) -> None:
        app = app_with(client_events_per_channel=3)
        relay = Relay(app)
        one, two, listener = relay.client(app), relay.client(app), relay.client(app)
        for client in (one, two, listener):
            client.subscribe("private-a")
        two.subscribe("private-b")
        for sender in (one, two, one):
            sender.send(message("client-x", 1, "private-a"))
        two.told()
        (error,) = two.send(message("client-x", 1, "private-a"))
        assert (error["data"]["code"], error["channel"]) == (4301, "private-a")
        assert "3 client events a second, of all senders together" in error["data"]["message"]
        assert len(listener.told()) == 3
        assert two.send(message("client-x", 1, "private-b")) == []
        stats = relay.node.namespaces[app.id].stats
        assert (stats.limits_hit, stats.rate_limited, stats.client_events) == ({"client_events_per_channel": 1}, 1, 4)
        relay.wait(1.0)
        assert two.send(message("client-x", 1, "private-a")) == []

    def test_a_changed_rate_of_a_channel_counts_from_the_next_event(self) -> None:
        app = app_with(client_events_per_channel=1)
        relay = Relay(app)
        sender = relay.client(app)
        sender.subscribe("private-a")
        assert sender.send(message("client-x", 1, "private-a")) == []
        assert sender.send(message("client-x", 1, "private-a"))[0]["data"]["code"] == 4301
        relay.node.reload(Apps([app_with(client_events_per_channel=2)]))
        assert sender.send(message("client-x", 1, "private-a")) == []
        relay.node.reload(Apps([app_with()]))
        assert [sender.send(message("client-x", 1, "private-a")) for _ in range(9)] == [[]] * 9

    @given(name=TEXTS, data=JSON)
    def test_names_and_data_come_out_as_they_went_in(self, name: str, data: object) -> None:
        app = app_with(event_data_bytes=1_000_000, event_name_length=10_000)
        relay = Relay(app)
        sender, other = relay.client(app), relay.client(app)
        sender.subscribe("private-a")
        other.subscribe("private-a")
        assert sender.send(message(f"client-{name}", [data], "private-a")) == []
        assert other.told() == [{"event": f"client-{name}", "channel": "private-a", "data": [data]}]


class TestStopping:
    async def test_every_client_is_told_to_come_back_after_a_pause(self) -> None:
        node = node_of(APP, cluster=cluster_of())
        await node.start()
        clients = [Client(node, APP) for _ in range(3)]
        await node.stop()
        assert [client.transport.closed for client in clients] == [(4100, "the server is restarting")] * 3
        with pytest.raises(Rejected, match="the server is restarting") as rejected:
            Client(node, APP)
        assert rejected.value.code == 4100


def test_a_subscription_to_a_channel_that_nobody_knows_is_our_own_mistake(relay: Relay) -> None:
    client = relay.client()
    client.connection.session.subscriptions["a"] = None
    with pytest.raises(RuntimeError, match="is subscribed to 'a', which is not occupied"):
        client.drop()


@given(st.lists(MESSAGES, max_size=6))
def test_whatever_a_client_says_the_answer_is_json_and_the_connection_stays(messages: list[bytes]) -> None:
    relay = Relay()
    client = relay.client()
    client.subscribe("private-a")
    for raw in messages:
        for answer in client.send(raw):
            assert answer["event"].startswith("pusher")
    assert client.transport.closed is None
    assert client.send(message("pusher:ping")) == [{"event": "pusher:pong", "data": {}}]
    client.drop()
    assert list(relay.node.namespaces[APP.id].hub) == []
