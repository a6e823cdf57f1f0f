"""What follows from a sign-in: watchlists, a user's own channel, and the end of all of a user's connections."""

import json
import time
from typing import Any
from urllib.parse import quote, unquote

import pytest
from msgspec.structs import replace

from relay.protocol.signatures import signed_params
from tests.helpers.clients import APP, app_with, message, signature
from tests.helpers.node import Relay, succeeded
from tests.helpers.relay import RunningRelay, WebSocketClient, running_relay

# What identity providers and applications call their users, and no name of a channel could hold.
IDS = ("auth0|5f7c", "e:2", "john+a@example.com", "иван", "a/b", " ", '"\\', "7")


def user(user_id: str, *watched: str) -> str:
    return json.dumps({"id": user_id, "watchlist": list(watched)})


def success(user_data: str) -> dict[str, Any]:
    return {"event": "pusher:signin_success", "data": {"user_data": user_data}}


def statuses(**groups: list[str]) -> dict[str, Any]:
    events = [{"name": name, "user_ids": ids} for name, ids in groups.items()]
    return {"event": "pusher_internal:watchlist_events", "data": {"events": events}}


class TestWatchlists:
    def test_who_signs_in_is_told_who_is_there_and_who_is_not(self) -> None:
        relay = Relay()
        relay.client().sign_in(user("8"))
        data = user("7", "8", "9")
        assert relay.client().sign_in(data) == [success(data), statuses(online=["8"], offline=["9"])]

    def test_a_user_who_watches_nobody_is_told_of_nobody(self) -> None:
        relay = Relay()
        watcher = relay.client()
        assert watcher.sign_in(user("7")) == [success(user("7"))]
        relay.client().sign_in(user("8"))
        assert watcher.told() == []

    def test_the_first_connection_up_and_the_last_one_down_are_told_once(self) -> None:
        relay = Relay()
        watcher, tab, other_tab = relay.client(), relay.client(), relay.client()
        watcher.sign_in(user("7", "8"))
        tab.sign_in(user("8"))
        assert watcher.told() == [statuses(online=["8"])]
        other_tab.sign_in(user("8"))
        tab.drop()
        assert watcher.told() == []
        other_tab.drop()
        assert watcher.told() == [statuses(offline=["8"])]

    def test_signing_in_again_as_the_same_user_is_no_transition(self) -> None:
        relay = Relay()
        watcher, client = relay.client(), relay.client()
        watcher.sign_in(user("7", "8"))
        client.sign_in(user("8"))
        watcher.told()
        assert client.sign_in(user("8")) == [success(user("8"))]
        assert watcher.told() == []

    def test_a_new_watchlist_takes_the_place_of_the_old_one(self) -> None:
        relay = Relay()
        watcher, old, new = relay.client(), relay.client(), relay.client()
        watcher.sign_in(user("7", "8"))
        assert watcher.sign_in(user("7", "9"))[1:] == [statuses(offline=["9"])]
        old.sign_in(user("8"))
        new.sign_in(user("9"))
        assert watcher.told() == [statuses(online=["9"])]

    def test_who_watches_itself_is_told_once_that_it_came(self) -> None:
        relay = Relay()
        client, tab = relay.client(), relay.client()
        data = user("7", "7")
        assert client.sign_in(data) == [success(data), statuses(online=["7"])]
        assert tab.sign_in(data) == [success(data), statuses(online=["7"])]
        assert client.told() == []

    def test_a_watcher_that_went_is_told_nothing_more(self) -> None:
        relay = Relay()
        watcher = relay.client()
        watcher.sign_in(user("7", "8"))
        watcher.sign_in(user("7", "9"))
        watcher.transport.close(4200, "gone")
        for user_id in ("8", "9"):
            relay.client().sign_in(user(user_id))
        assert watcher.told() == []

    def test_more_than_a_hundred_watched_users_are_cut_with_4302_and_the_sign_in_succeeds(self) -> None:
        relay = Relay()
        data = user("anna", *[str(at) for at in range(101)])
        signed_in, error, watched = relay.client().sign_in(data)
        assert signed_in == success(data)
        assert (error["event"], error["data"]["code"]) == ("pusher:error", 4302)
        (group,) = watched["data"]["events"]
        assert group == {"name": "offline", "user_ids": [str(at) for at in range(100)]}

    def test_apps_do_not_watch_each_other(self) -> None:
        one, two = app_with(app_id="1"), app_with(app_id="2")
        relay = Relay(one, two)
        watcher = relay.client(one)
        watcher.sign_in(user("7", "8"))
        relay.client(two).sign_in(user("8"))
        assert watcher.told() == []


class TestServerToUser:
    def test_an_event_to_a_user_reaches_all_connections_of_that_user_only(self) -> None:
        relay = Relay()
        tabs, other = [relay.client(), relay.client()], relay.client()
        for client, user_id in ((tabs[0], "7"), (tabs[1], "7"), (other, "8")):
            client.sign_in(user(user_id))
            (answer,) = client.send(message("pusher:subscribe", {"channel": f"#server-to-user-{user_id}"}))
            assert answer["event"] == "pusher_internal:subscription_succeeded"
        relay.publish("hello", "1", "#server-to-user-7")
        event = {"event": "hello", "channel": "#server-to-user-7", "data": "1"}
        assert [client.told() for client in (*tabs, other)] == [[event], [event], []]

    @pytest.mark.parametrize("is_subscribed", [True, False])
    @pytest.mark.parametrize("user_id", IDS)
    def test_an_event_to_a_user_of_any_id_comes_once_whether_the_channel_is_subscribed_to_or_not(
        self, user_id: str, is_subscribed: bool
    ) -> None:
        relay = Relay()
        client, other = relay.client(), relay.client()
        client.sign_in(user(user_id))
        other.sign_in(user("8"))
        channel = f"#server-to-user-{user_id}"
        if is_subscribed:
            assert client.subscribe(channel) == [succeeded(channel)]
        relay.publish("hello", "1", channel)
        relay.publish("hello", "2", channel, exclude=client.socket_id)
        assert client.told() == [{"event": "hello", "channel": channel, "data": "1"}]
        assert other.told() == []

    def test_who_unsubscribes_still_gets_what_is_sent_to_the_user(self) -> None:
        relay = Relay()
        client = relay.client()
        client.sign_in(user("7"))
        client.subscribe("#server-to-user-7")
        client.unsubscribe("#server-to-user-7")
        relay.publish("hello", "1", "#server-to-user-7")
        assert [event["event"] for event in client.told()] == ["hello"]

    def test_signing_in_again_loses_nothing_that_is_on_its_way(self) -> None:
        relay = Relay()
        client = relay.client()
        client.sign_in(user("7"))
        relay.publish("hello", "1", "#server-to-user-7")
        again = client.sign_in(user("7", "8"))
        assert sorted(event["event"] for event in again) == [
            "hello",
            "pusher:signin_success",
            "pusher_internal:watchlist_events",
        ]

    def test_a_user_who_is_gone_is_sent_nothing_and_nodes_listen_for_those_who_are_here(self) -> None:
        relay = Relay()
        tabs = [relay.client(), relay.client()]
        for client in tabs:
            client.sign_in(user("e:2"))
            client.subscribe("#server-to-user-e:2")
        for client in tabs:
            assert relay.bus.listening == {("3", "#server-to-user-e:2")}
            client.drop()
        assert relay.bus.listening == set()
        relay.publish("hello", "1", "#server-to-user-e:2")
        assert [client.told() for client in tabs] == [[], []]

    def test_only_channels_that_are_subscribed_to_are_occupied(self) -> None:
        relay = Relay()
        client = relay.client()
        client.sign_in(user("7"))
        assert list(relay.node.namespaces[APP.id].hub) == []
        client.subscribe("#server-to-user-7")
        assert [channel.rules.name for channel in relay.node.namespaces[APP.id].hub] == ["#server-to-user-7"]

    def test_what_was_sent_before_a_subscription_to_the_own_channel_comes_before_its_confirmation(self) -> None:
        relay = Relay()
        client = relay.client()
        client.sign_in(user("7"))
        relay.publish("before", "1", "#server-to-user-7")
        told = client.subscribe("#server-to-user-7")
        assert [one["event"] for one in told] == ["before", "pusher_internal:subscription_succeeded"]

    def test_the_channel_of_another_user_is_refused(self) -> None:
        relay = Relay()
        client = relay.client()
        client.sign_in(user("8"))
        error, _ = client.send(message("pusher:subscribe", {"channel": "#server-to-user-7"}))
        assert (error["event"], error["data"]["status"]) == ("pusher:subscription_error", 401)

    def test_a_refused_sign_in_is_told_with_4009_and_the_connection_stays(self) -> None:
        relay = Relay()
        client = relay.client()
        (error,) = client.send(message("pusher:signin", {"auth": "key-3:00", "user_data": user("7")}))
        assert (error["event"], error["data"]["code"]) == ("pusher:error", 4009)
        assert client.transport.closed is None

    def test_a_signed_in_user_is_a_member_without_channel_data(self) -> None:
        relay = Relay()
        client = relay.client()
        client.sign_in('{"id":"7","user_info":{"name":"Anna"}}')
        (joined,) = client.subscribe("presence-a")
        assert joined["data"]["presence"] == {"ids": ["7"], "hash": {"7": {"name": "Anna"}}, "count": 1}


async def signed_in(relay: RunningRelay, user_id: str, *watched: str) -> WebSocketClient:
    client = await relay.connect()
    data = user(user_id, *watched)
    auth = f"{APP.key}:{signature(APP.secret, f'{client.socket_id}::user::{data}')}"
    await client.send("pusher:signin", {"auth": auth, "user_data": data})
    assert (await client.receive())["event"] == "pusher:signin_success"
    return client


class TestIds:
    """The same ids everywhere, over real connections and requests."""

    @pytest.mark.parametrize("user_id", IDS)
    async def test_events_reach_the_user(self, relay: RunningRelay, user_id: str) -> None:
        client = await signed_in(relay, user_id)
        channel = f"#server-to-user-{user_id}"
        assert (await relay.trigger(channel, name="one")).json == {}
        batch = [{"name": "two", "channel": channel, "data": "", "info": "subscription_count"}]
        assert (await relay.post("/batch_events", {"batch": batch})).json == {"batch": [{"subscription_count": 0}]}
        assert [(event["event"], event["channel"]) for event in await client.told()] == [
            ("one", channel),
            ("two", channel),
        ]

    @pytest.mark.parametrize("user_id", IDS)
    async def test_the_channel_can_be_asked_for(self, relay: RunningRelay, user_id: str) -> None:
        client = await signed_in(relay, user_id)
        channel = f"#server-to-user-{user_id}"
        await client.subscribe(channel)
        assert (await relay.get(f"/channels/{quote(channel, safe='')}")).json == {"occupied": True}
        assert (await relay.get("/channels")).json == {"channels": {channel: {}}}

    @pytest.mark.parametrize("user_id", IDS)
    @pytest.mark.parametrize(
        ("start", "safe", "signs_encoded"),
        [("/apps/3", "", True), ("/apps/3", "", False), ("/apps/3", "/|:@+", True), ("", "/|:@+", False)],
    )
    async def test_connections_of_the_user_are_ended(
        self, relay: RunningRelay, user_id: str, safe: str, start: str, signs_encoded: bool
    ) -> None:
        client, other = await signed_in(relay, user_id), await signed_in(relay, "8")
        path = f"{start}/users/{quote(user_id, safe=safe)}/terminate_connections"
        query = _signed_query(path if signs_encoded else unquote(path), b"{}")
        answer = await relay.request("POST", f"{path}?{query}", b"{}")
        assert (answer.status, answer.text) == (200, "{}")
        assert (await client.closed())[0] == 4009
        assert await other.told() == []

    @pytest.mark.parametrize("user_id", IDS)
    async def test_the_user_is_watched_and_is_a_member(self, relay: RunningRelay, user_id: str) -> None:
        watcher = await signed_in(relay, "8", user_id)
        assert (await watcher.told())[0]["data"]["events"] == [{"name": "offline", "user_ids": [user_id]}]
        client = await signed_in(relay, user_id)
        assert await watcher.told() == [statuses(online=[user_id])]
        joined = await client.subscribe("presence-a")
        assert joined["data"]["presence"] == {"ids": [user_id], "hash": {user_id: {}}, "count": 1}
        assert (await relay.get("/channels/presence-a/users")).json == {"users": [{"id": user_id}]}

    @pytest.mark.parametrize("user_id", IDS)
    async def test_subscriptions_of_the_user_are_ended(self, relay: RunningRelay, user_id: str) -> None:
        client = await signed_in(relay, user_id)
        await client.subscribe("private-a")
        path = f"/users/{quote(user_id, safe='/|:@+')}/unsubscribe"
        assert (await relay.post(path, {"channel": "private-a"})).status == 200
        assert (await relay.get("/channels/private-a")).json == {"occupied": False}

    async def test_an_id_that_nobody_could_have_signed_is_refused(self, relay: RunningRelay) -> None:
        assert (await relay.trigger("#server-to-user-" + "й" * 128)).status == 200
        for channel in ("#server-to-user-" + "й" * 129, "#server-to-user-"):
            assert (await relay.trigger(channel)).status == 400


class TestTerminating:
    async def test_all_connections_of_the_user_are_closed_with_4009_and_no_others(self, relay: RunningRelay) -> None:
        mine = [await signed_in(relay, "7 й") for _ in range(2)]
        other = await signed_in(relay, "8")
        answer = await relay.post("/users/7%20%D0%B9/terminate_connections", {})
        assert (answer.status, answer.text) == (200, "{}")
        reason = "the application ended this user's connections"
        assert [await client.closed() for client in mine] == [(4009, reason)] * 2
        assert await other.told() == []

    async def test_the_path_without_the_app_finds_it_by_the_signing_key(self, relay: RunningRelay) -> None:
        client = await signed_in(relay, "7")
        path = "/users/7/terminate_connections"
        body = b"{}"
        # As pusher-http-python signs it.
        query = _signed_query(path, body)
        answer = await relay.request("POST", f"{path}?{query}", body)
        assert (answer.status, answer.text) == (200, "{}")
        assert (await client.closed())[0] == 4009

    @pytest.mark.parametrize("change", ["auth_key=key-3&auth_key=other", "auth_key=", "auth_key=key-3&x=y"])
    async def test_the_path_without_the_app_needs_a_known_key_and_its_signature(
        self, relay: RunningRelay, change: str
    ) -> None:
        client = await signed_in(relay, "7")
        path = "/users/7/terminate_connections"
        query = _signed_query(path, b"{}").replace("auth_key=key-3", change)
        assert (await relay.request("POST", f"{path}?{query}", b"{}")).status in {401, 404}
        assert await client.told() == []

    async def test_a_user_who_is_not_there_is_no_error(self, relay: RunningRelay) -> None:
        answer = await relay.post("/users/nobody/terminate_connections", b"")
        assert (answer.status, answer.text) == (200, "{}")

    @pytest.mark.parametrize("what", ["terminate_connections", "unsubscribe"])
    async def test_a_path_that_names_nobody_is_refused(self, relay: RunningRelay, what: str) -> None:
        answer = await relay.post(f"/users//{what}", {"channel": None})
        assert (answer.status, answer.json["error"]) == (400, "The path names no user: it is /users/ID/...")

    async def test_it_takes_post_only(self, relay: RunningRelay) -> None:
        assert (await relay.get("/users/7/terminate_connections")).status == 405


def _signed_query(path: str, body: bytes) -> str:
    params = signed_params(APP.key, APP.secret, "POST", path, body, time.time())
    return "&".join(f"{name}={value}" for name, value in params)


async def test_a_disabled_app_terminates_nothing() -> None:
    async with running_relay(replace(APP, enabled=False)) as relay:
        assert (await relay.post("/users/7/terminate_connections", {})).status == 403
