"""POST /users/ID/unsubscribe: the application ends a user's subscription, and every way back in is shut."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from relay.protocol.session import Session
from tests.helpers.clients import APP, app_with, message, subscription
from tests.helpers.node import Client, Relay, ignore, succeeded
from tests.helpers.relay import RunningRelay, WebSocketClient

ROOM, OTHER, MEMBERS = "private-ticket-1", "private-ticket-2", "presence-room"
OLGA = json.dumps({"user_id": "operator-5"})


def ended(channel: str) -> dict[str, Any]:
    return {"event": "pusher_internal:unsubscribed", "channel": channel, "data": {}}


def named(user_id: str) -> str:
    return json.dumps({"user_id": user_id})


def signed_in(relay: Relay, user_id: str = "operator-5") -> Client:
    client = relay.client()
    client.sign_in(json.dumps({"id": user_id}))
    return client


def end(relay: Relay, channel: str | None = ROOM, user_id: str = "operator-5") -> None:
    relay.node.namespaces[APP.id].unsubscribe(user_id, channel, ignore)


def is_refused(answers: list[dict[str, Any]]) -> bool:
    first = answers[0]
    return (first["event"], first.get("data", {}).get("type")) == ("pusher:subscription_error", "Revoked")


class TestWhoIsOut:
    def test_a_subscription_that_was_signed_for_the_user_ends(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe(ROOM, OLGA)
        end(relay)
        assert client.told() == [ended(ROOM)]
        relay.publish("x", "1", ROOM)
        assert client.told() == []

    def test_the_subscriptions_of_a_connection_that_is_signed_in_as_the_user_end_however_they_were_signed(self) -> None:
        relay = Relay()
        for data in (None, OLGA, named("somebody else"), "no JSON", '{"x":1}'):
            client = signed_in(relay)
            client.subscribe(ROOM, data)
            end(relay)
            assert client.told() == [ended(ROOM)]

    def test_all_connections_of_the_user_are_out_and_nobody_else(self) -> None:
        relay = Relay()
        mine = [relay.client(), relay.client(), signed_in(relay), signed_in(relay)]
        others = [relay.client(), relay.client(), signed_in(relay, "operator-6")]
        for client, data in zip(
            [*mine, *others], [OLGA, OLGA, OLGA, None, None, named("operator-6"), None], strict=True
        ):
            client.subscribe(ROOM, data)
        end(relay)
        assert [client.told() for client in mine] == [[ended(ROOM)]] * 4
        relay.publish("x", "1", ROOM)
        event = {"event": "x", "channel": ROOM, "data": "1"}
        assert [client.told() for client in others] == [[event]] * 3

    def test_a_user_id_that_is_a_number_is_the_same_as_text(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe(ROOM, '{"user_id":5}')
        end(relay, user_id="5")
        assert client.told() == [ended(ROOM)]

    def test_other_channels_of_the_user_stay(self) -> None:
        relay = Relay()
        client = relay.client()
        for channel in (ROOM, OTHER):
            client.subscribe(channel, OLGA)
        end(relay)
        client.told()
        relay.publish("x", "1", OTHER)
        assert client.told() == [{"event": "x", "channel": OTHER, "data": "1"}]

    def test_without_a_channel_all_that_needed_a_signature_end_and_public_ones_stay(self) -> None:
        relay = Relay()
        signed, bare = signed_in(relay), relay.client()
        for client in (signed, bare):
            client.subscribe(ROOM, OLGA)
            client.subscribe("public")
        signed.subscribe(OTHER)
        bare.subscribe(OTHER)  # a visitor's own: nothing says that it is the user's
        end(relay, None)
        assert signed.told() == [ended(ROOM), ended(OTHER)]
        assert bare.told() == [ended(ROOM)]
        relay.publish("x", "1", "public", OTHER)
        assert [one["channel"] for one in signed.told()] == ["public"]
        assert [one["channel"] for one in bare.told()] == ["public", OTHER]

    @pytest.mark.parametrize("user_id", ["auth0|5f7c", "e:2", "john+a@example.com", "иван", "a/b"])
    def test_a_user_with_any_id_loses_all_but_what_is_the_users_own(self, user_id: str) -> None:
        relay = Relay()
        client = signed_in(relay, user_id)
        for channel in (f"#server-to-user-{user_id}", ROOM):
            client.subscribe(channel)
        end(relay, None, user_id)
        assert client.told() == [ended(ROOM)]

    def test_the_end_for_a_user_who_is_not_there_is_not_an_error_and_concerns_nobody_else(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe(ROOM, named("somebody else"))
        end(relay)
        assert client.told() == []

    def test_another_app_is_another_world(self) -> None:
        one, two = app_with(app_id="1"), app_with(app_id="2")
        relay = Relay(one, two)
        client = relay.client(two)
        client.subscribe(ROOM, OLGA)
        relay.node.namespaces[one.id].unsubscribe("operator-5", ROOM, ignore)
        assert client.told() == []

    def test_the_end_of_the_last_subscription_vacates_the_channel(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe(ROOM, OLGA)
        relay.webhooks.take()
        end(relay)
        assert [event["name"] for _, event in relay.webhooks.take()] == ["channel_vacated"]
        assert relay.bus.listening == set()
        assert client.connection.session.subscriptions == {}

    def test_a_connection_that_ends_leaves_nothing_behind(self) -> None:
        relay = Relay()
        client = relay.client()
        for channel in (ROOM, OTHER):
            client.subscribe(channel, OLGA)
        client.unsubscribe(ROOM)
        client.drop()
        assert relay.node.namespaces[APP.id].hub.in_the_name_of("operator-5") == []
        end(relay)


class TestOrder:
    def test_what_was_published_before_arrives_and_nothing_after(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe(ROOM, OLGA)
        relay.publish("before", "1", ROOM)
        end(relay)
        relay.publish("after", "2", ROOM)
        assert client.told() == [{"event": "before", "channel": ROOM, "data": "1"}, ended(ROOM)]

    def test_a_presence_channel_is_left_as_by_oneself(self) -> None:
        relay = Relay()
        tabs, other = [relay.client(), relay.client()], relay.client()
        other.subscribe(MEMBERS, named("operator-6"))
        for tab in tabs:
            tab.subscribe(MEMBERS, OLGA)
        other.told()
        end(relay, MEMBERS)
        assert [tab.told() for tab in tabs] == [[ended(MEMBERS)]] * 2
        removed = {"event": "pusher_internal:member_removed", "channel": MEMBERS, "data": {"user_id": "operator-5"}}
        assert other.told() == [removed]

    def test_a_client_event_after_it_is_refused(self) -> None:
        relay = Relay()
        client, other = relay.client(), relay.client()
        client.subscribe(ROOM, OLGA)
        other.subscribe(ROOM)
        end(relay)
        client.told()
        (error,) = client.send(message("client-x", {}, ROOM))
        assert error["event"] == "pusher:error"
        assert other.told() == []


class TestTheWayBack:
    def test_the_same_signature_is_refused_on_the_same_connection(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe(ROOM, OLGA)
        end(relay)
        client.told()
        assert is_refused(client.subscribe(ROOM, OLGA))
        assert ROOM not in client.connection.session.subscriptions

    def test_a_signature_that_was_fetched_and_never_shown_is_refused(self) -> None:
        relay = Relay()
        spare = relay.client()
        end(relay)
        assert is_refused(spare.subscribe(ROOM, OLGA))

    def test_other_data_about_the_same_user_is_no_way_around(self) -> None:
        relay = Relay()
        client = relay.client()
        end(relay)
        for data in (
            '{"user_id": "operator-5"}',
            '{"user_info":{},"user_id":"operator-5"}',
            '{"user_id":"operat\\u006fr-5"}',
        ):
            assert is_refused(client.subscribe(ROOM, data))

    def test_a_connection_that_is_signed_in_as_the_user_is_refused_whatever_is_signed(self) -> None:
        relay = Relay()
        client = signed_in(relay)
        end(relay)
        for data in (None, OLGA, named("somebody else"), "no JSON"):
            assert is_refused(client.subscribe(ROOM, data))

    def test_signing_in_after_it_on_an_old_connection_is_refused_too(self) -> None:
        relay = Relay()
        client = relay.client()
        end(relay)
        client.sign_in('{"id":"operator-5"}')
        assert is_refused(client.subscribe(ROOM))

    def test_a_member_by_sign_in_is_refused(self) -> None:
        relay = Relay()
        client = signed_in(relay)
        end(relay, MEMBERS)
        assert is_refused(client.subscribe(MEMBERS))
        assert is_refused(client.subscribe(MEMBERS, named("somebody else")))

    def test_a_connection_that_was_opened_after_it_needs_only_its_new_signature(self) -> None:
        relay = Relay()
        relay.client()
        end(relay)
        assert relay.client().subscribe(ROOM, OLGA) == [succeeded(ROOM)]
        assert signed_in(relay).subscribe(ROOM) == [succeeded(ROOM)]

    def test_other_users_and_channels_are_not_touched(self) -> None:
        relay = Relay()
        client = relay.client()
        end(relay)
        assert client.subscribe(OTHER, OLGA) == [succeeded(OTHER)]
        assert client.subscribe(ROOM, named("operator-6")) == [succeeded(ROOM)]
        visitor = relay.client()
        assert visitor.subscribe(ROOM) == [succeeded(ROOM)]

    def test_the_loss_of_all_channels_shuts_all_of_them_but_public_ones(self) -> None:
        relay = Relay()
        client = signed_in(relay)
        end(relay, None)
        assert is_refused(client.subscribe("private-anything"))
        assert client.subscribe("public") == [succeeded("public")]

    def test_a_lost_channel_can_be_lost_again(self) -> None:
        relay = Relay()
        first = relay.client()
        end(relay)
        second = relay.client()
        second.subscribe(ROOM, OLGA)
        end(relay)
        assert second.told() == [ended(ROOM)]
        for client in (first, second):
            assert is_refused(client.subscribe(ROOM, OLGA))

    def test_what_is_remembered_is_bounded_by_the_connections_that_are_there(self) -> None:
        relay = Relay()
        for number in range(50):
            client = relay.client()
            end(relay, f"private-{number}")
            client.drop()
        end(relay)
        assert len(relay.node.namespaces[APP.id].hub.revocations) == 1

    def test_an_old_connection_is_told_in_both_dialects_and_stays(self) -> None:
        relay = Relay()
        client = relay.client()
        end(relay)
        error, for_others = client.subscribe(ROOM, OLGA)
        assert error["data"]["status"] == 401
        assert "connect anew" in error["data"]["error"]
        assert for_others["event"] == "pusher:error"
        assert client.transport.closed is None


class TestTheCall:
    async def test_it_is_signed_like_every_call_and_answered_with_an_empty_object(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        await subscribed(client, ROOM, '{"user_id":"a/б"}')
        path = "/users/a%2F%D0%B1/unsubscribe"
        answer = await relay.post(path, {"channel": ROOM})
        assert (answer.status, answer.text) == (200, "{}")
        assert await client.told() == [{"event": "pusher_internal:unsubscribed", "channel": ROOM, "data": {}}]
        assert (await relay.request("POST", f"/apps/{APP.id}{path}", b'{"channel":null}')).status == 401

    async def test_null_stands_for_all_channels(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        for channel in (ROOM, OTHER):
            await subscribed(client, channel, OLGA)
        assert (await relay.post("/users/operator-5/unsubscribe", {"channel": None})).status == 200
        assert [one["channel"] for one in await client.told()] == [ROOM, OTHER]

    @pytest.mark.parametrize(
        "body",
        [b"", b"{}", b"[]", b"null", b'{"channel":1}', b'{"channel":"a b"}', b'{"channel":""}', b'{"channel":"a"}'],
    )
    async def test_a_body_without_a_channel_that_can_be_lost_is_refused(self, relay: RunningRelay, body: bytes) -> None:
        answer = await relay.post("/users/operator-5/unsubscribe", body)
        assert answer.status == 400
        assert json.loads(answer.text)["error"]

    async def test_an_id_that_no_signature_can_name_is_refused(self, relay: RunningRelay) -> None:
        longest = "й" * APP.limits.user_id_length
        assert (await relay.post(f"/users/{quote(longest)}/unsubscribe", {"channel": None})).status == 200
        answer = await relay.post(f"/users/{quote(longest + 'й')}/unsubscribe", {"channel": None})
        assert (answer.status, "longer one names nobody" in answer.json["error"]) == (400, True)

    async def test_it_takes_post_only(self, relay: RunningRelay) -> None:
        assert (await relay.get("/users/7/unsubscribe")).status == 405


async def subscribed(client: WebSocketClient, channel: str, channel_data: str) -> None:
    await client.send("pusher:subscribe", subscription(APP, client.socket_id, channel, channel_data))
    assert (await client.receive())["event"] == "pusher_internal:subscription_succeeded"


def test_the_session_keeps_for_whom_a_private_subscription_was_signed() -> None:
    """The ground that all of this stands on."""
    relay = Relay()
    client = relay.client()
    client.subscribe(ROOM, OLGA)
    session: Session = client.connection.session
    assert session.subscriptions == {ROOM: "operator-5"}
