"""The official server SDK of PyPI, unmodified, against a real relay: every call that the relay answers, and its errors."""

import asyncio
import json
from typing import Any

import pusher  # type: ignore[import-untyped]  # the official SDK has no annotations
import pusher.errors  # type: ignore[import-untyped]  # as above
import pytest

from tests.helpers.processes import HOST, RelayProcess, free_port
from tests.interop.backend import close_sdk, official_sdk
from tests.interop.subscribers import Connect, SubscribeTo
from tests.interop.table import python_sdk

pytestmark = python_sdk("pusher")


async def call(method: Any, *arguments: object) -> Any:
    """A call of the SDK, which blocks."""
    return await asyncio.to_thread(method, *arguments)


@pytest.mark.tried("trigger")
async def test_trigger_reaches_one_channel(sdk: pusher.Pusher, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("py-one")
    assert await call(sdk.trigger, "py-one", "greeting", {"text": "Привет 🙂"}) == {}
    assert await subscriber.event() == ("py-one", "greeting", {"text": "Привет 🙂"})


@pytest.mark.crosses_nodes
@pytest.mark.tried("trigger: 100 channels")
async def test_trigger_reaches_many_channels(sdk: pusher.Pusher, subscribe_to: SubscribeTo) -> None:
    channels = [f"py-many-{number}" for number in range(100)]
    subscriber = await subscribe_to(*channels)
    assert await call(sdk.trigger, channels, "greeting", "hello") == {}
    assert [await subscriber.event() for _ in channels] == [(channel, "greeting", "hello") for channel in channels]


@pytest.mark.crosses_nodes
@pytest.mark.tried("trigger: socket_id")
async def test_trigger_leaves_out_the_connection_that_it_names(sdk: pusher.Pusher, subscribe_to: SubscribeTo) -> None:
    sender, other = await subscribe_to("py-others"), await subscribe_to("py-others")
    await call(sdk.trigger, "py-others", "moved", {}, sender.socket_id)
    await call(sdk.trigger, "py-others", "the-end", {})
    assert (await other.event())[1] == "moved"
    assert (await sender.event())[1] == "the-end"


@pytest.mark.tried("trigger")
async def test_trigger_takes_every_character_that_a_channel_name_may_have(
    sdk: pusher.Pusher, subscribe_to: SubscribeTo
) -> None:
    channel = "py-_=@,.;AZaz09"
    subscriber = await subscribe_to(channel)
    await call(sdk.trigger, channel, "greeting", {})
    assert (await subscriber.event())[0] == channel
    assert await call(sdk.channel_info, channel, ["subscription_count"]) == {"occupied": True, "subscription_count": 1}


@pytest.mark.crosses_nodes
@pytest.mark.tried("trigger_batch")
async def test_batch_is_delivered_in_its_order(sdk: pusher.Pusher, subscribe_to: SubscribeTo) -> None:
    first, second = await subscribe_to("py-batch-1", "py-batch-2"), await subscribe_to("py-batch-1")
    batch = [
        {"channel": "py-batch-1", "name": "a", "data": {"number": 1}},
        {"channel": "py-batch-2", "name": "b", "data": "text"},
        {"channel": "py-batch-1", "name": "c", "data": [3], "socket_id": first.socket_id},
        {"channel": "py-batch-1", "name": "d", "data": {}},
    ]
    assert await call(sdk.trigger_batch, batch) == {}
    assert [(await first.event())[1] for _ in range(3)] == ["a", "b", "d"]
    assert [(await second.event())[1] for _ in range(3)] == ["a", "c", "d"]


@pytest.mark.crosses_nodes
@pytest.mark.tried("channels_info")
async def test_channels_are_listed_by_prefix_with_their_user_counts(
    sdk: pusher.Pusher, subscribe_to: SubscribeTo
) -> None:
    await subscribe_to("presence-py-list", user="ann")
    await subscribe_to("presence-py-list", user="bob")
    await subscribe_to("py-list-public")
    everything = (await call(sdk.channels_info))["channels"]
    assert {"presence-py-list", "py-list-public"} <= set(everything)
    counted = await call(sdk.channels_info, "presence-py-list", ["user_count"])
    assert counted == {"channels": {"presence-py-list": {"user_count": 2}}}
    assert await call(sdk.channels_info, "py-no-such-prefix") == {"channels": {}}


@pytest.mark.tried("channel_info")
async def test_channel_tells_whether_it_is_occupied_and_by_how_many(
    sdk: pusher.Pusher, subscribe_to: SubscribeTo
) -> None:
    await subscribe_to("presence-py-info", user="ann")
    await subscribe_to("py-info")
    assert await call(sdk.channel_info, "py-nobody") == {"occupied": False}
    assert await call(sdk.channel_info, "presence-py-info", ["user_count"]) == {"occupied": True, "user_count": 1}
    assert await call(sdk.channel_info, "py-info", ["subscription_count"]) == {
        "occupied": True,
        "subscription_count": 1,
    }


@pytest.mark.crosses_nodes
@pytest.mark.tried("users_info")
async def test_users_of_a_presence_channel_are_listed_once_each(sdk: pusher.Pusher, subscribe_to: SubscribeTo) -> None:
    for user in ("ann", "bob", "bob"):
        await subscribe_to("presence-py-users", user=user)
    users = (await call(sdk.users_info, "presence-py-users"))["users"]
    assert sorted(user["id"] for user in users) == ["ann", "bob"]
    assert await call(sdk.users_info, "presence-py-nobody") == {"users": []}


@pytest.mark.tried("authenticate")
async def test_authenticated_subscriptions_are_taken(sdk: pusher.Pusher, connect: Connect) -> None:
    subscriber = await connect()
    private = sdk.authenticate("private-py", subscriber.socket_id)
    await subscriber.subscribe("private-py", private)
    named = sdk.authenticate("private-py-named", subscriber.socket_id, {"user_id": "ann"})
    assert await subscriber.subscribe("private-py-named", named) == {}
    presence = sdk.authenticate(
        "presence-py", subscriber.socket_id, {"user_id": "ann", "user_info": {"name": "Ann ☕"}}
    )
    confirmation = await subscriber.subscribe("presence-py", presence)
    assert confirmation["presence"]["hash"] == {"ann": {"name": "Ann ☕"}}


@pytest.mark.crosses_nodes
@pytest.mark.tried("authenticate_user")
@pytest.mark.tried("send_to_user")
async def test_user_that_was_authenticated_is_sent_to(sdk: pusher.Pusher, connect: Connect) -> None:
    subscriber = await connect()
    user = {"id": "py-ann", "user_info": {"name": "Ann ☕"}}
    assert json.loads(await subscriber.sign_in(sdk.authenticate_user(subscriber.socket_id, user))) == user
    await subscriber.subscribe("#server-to-user-py-ann", {})
    assert await call(sdk.send_to_user, "py-ann", "notice", {"order": 1}) == {}
    assert await subscriber.event() == ("#server-to-user-py-ann", "notice", {"order": 1})


@pytest.mark.tried("trigger_batch")
async def test_batch_that_is_encoded_already_is_sent_as_it_is(sdk: pusher.Pusher, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("py-encoded")
    assert await call(sdk.trigger_batch, [{"channel": "py-encoded", "name": "a", "data": '{"number":1}'}], True) == {}
    assert await subscriber.event() == ("py-encoded", "a", {"number": 1})


@pytest.mark.tried("from_url, from_env")
async def test_sdk_that_is_made_from_a_url_reaches_the_relay(
    relay: RelayProcess, subscribe_to: SubscribeTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = await subscribe_to("py-url")
    # The form of the URL has no place for a port.
    url = f"http://{relay.key}:{relay.secret}@{HOST}/apps/{relay.app_id}"
    monkeypatch.setenv("PUSHER_URL", url)
    for made in (pusher.Pusher.from_url(url, port=relay.port), pusher.Pusher.from_env(port=relay.port)):
        try:
            assert await call(made.trigger, "py-url", "greeting", "hello") == {}
            assert await subscriber.event() == ("py-url", "greeting", "hello")
        finally:
            close_sdk(made)


@pytest.mark.tried("errors")
async def test_wrong_secret_is_the_sdk_s_authentication_error(relay: RelayProcess) -> None:
    stranger = official_sdk(relay.port, relay.app_id, relay.key, "another secret")
    try:
        calls: list[tuple[Any, tuple[object, ...]]] = [
            (stranger.trigger, ("py-one", "greeting", {})),
            (stranger.trigger_batch, ([{"channel": "py-one", "name": "a", "data": ""}],)),
            (stranger.channels_info, ()),
            (stranger.channel_info, ("py-one",)),
            (stranger.users_info, ("presence-py-users",)),
        ]
        for method, arguments in calls:
            with pytest.raises(pusher.errors.PusherBadAuth, match="Invalid signature"):
                await call(method, *arguments)
    finally:
        close_sdk(stranger)


@pytest.mark.tried("errors")
async def test_wrong_key_is_the_sdk_s_authentication_error(relay: RelayProcess) -> None:
    stranger = official_sdk(relay.port, relay.app_id, "another-key", relay.secret)
    try:
        with pytest.raises(pusher.errors.PusherBadAuth, match="auth_key"):
            await call(stranger.trigger, "py-one", "greeting", {})
    finally:
        close_sdk(stranger)


@pytest.mark.tried("errors")
async def test_unknown_app_is_the_sdk_s_status_error(relay: RelayProcess) -> None:
    stranger = official_sdk(relay.port, "999", relay.key, relay.secret)
    try:
        with pytest.raises(pusher.errors.PusherBadStatus, match="404"):
            await call(stranger.trigger, "py-one", "greeting", {})
    finally:
        close_sdk(stranger)


@pytest.mark.tried("errors")
async def test_request_that_makes_no_sense_is_the_sdk_s_bad_request(sdk: pusher.Pusher) -> None:
    with pytest.raises(pusher.errors.PusherBadRequest, match="presence"):
        await call(sdk.users_info, "py-one")
    with pytest.raises(pusher.errors.PusherBadRequest, match="user_count"):
        await call(sdk.channels_info, "py-", ["user_count"])
    with pytest.raises(pusher.errors.PusherBadRequest, match="batch"):
        await call(sdk.trigger_batch, [{"channel": "py-one", "name": "a", "data": ""}] * 11)


@pytest.mark.tried("errors")
async def test_data_over_the_limit_is_the_sdk_s_status_error(sdk: pusher.Pusher) -> None:
    with pytest.raises(pusher.errors.PusherBadStatus, match="413"):
        await call(sdk.trigger, "py-one", "greeting", "x" * 10_241)


@pytest.mark.tried("errors")
async def test_relay_that_is_down_is_an_error_of_the_sdk_s_http_library(relay: RelayProcess) -> None:
    lost = official_sdk(free_port(), relay.app_id, relay.key, relay.secret)
    try:
        with pytest.raises(OSError, match="refused"):
            await call(lost.trigger, "py-one", "greeting", {})
    finally:
        close_sdk(lost)
