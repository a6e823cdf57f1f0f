"""The official server SDK of npm, unmodified, against a real relay: trigger, query, authorise, and its errors."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.helpers.parts import NODE, NODE_PACKAGES, require
from tests.helpers.processes import HOST, RelayProcess, free_port
from tests.interop.agents import NodeAgent
from tests.interop.backend import decoded
from tests.interop.loop import async_fixture
from tests.interop.subscribers import Connect, SubscribeTo
from tests.interop.table import npm_sdk

pytestmark = [pytest.mark.node, npm_sdk()]

Configure = Callable[..., Awaitable[NodeAgent]]


@async_fixture
async def configure(relay: RelayProcess) -> AsyncIterator[Configure]:
    """Starts the SDK with the relay's app, `options` laid over it."""
    require(NODE, NODE_PACKAGES)
    async with AsyncExitStack() as closing:

        async def started(**options: object) -> NodeAgent:
            agent = await NodeAgent.start("server", "pusher")
            closing.push_async_callback(agent.close)
            app = {"appId": relay.app_id, "key": relay.key, "secret": relay.secret, "host": HOST, "port": relay.port}
            await agent.call("configure", options=app | {"useTLS": False} | options)
            return agent

        yield started


@async_fixture
async def sdk(configure: Configure) -> NodeAgent:
    return await configure()


def ok(body: object) -> dict[str, object]:
    """The outcome of a call that the relay answered."""
    return {"status": 200, "body": body}


@pytest.mark.tried("trigger")
async def test_trigger_reaches_one_channel(sdk: NodeAgent, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("js-one")
    outcome = await sdk.call("trigger", channels="js-one", event="greeting", data={"text": "Привет 🙂"})
    assert outcome == ok({})
    assert await subscriber.event() == ("js-one", "greeting", {"text": "Привет 🙂"})


@pytest.mark.tried("trigger: 100 channels, info")
async def test_trigger_reaches_many_channels_and_tells_about_them(sdk: NodeAgent, subscribe_to: SubscribeTo) -> None:
    channels = [f"js-many-{number}" for number in range(100)]
    subscriber = await subscribe_to(*channels)
    params = {"info": "subscription_count"}
    outcome = await sdk.call("trigger", channels=channels, event="greeting", data="hello", params=params)
    assert outcome == ok({"channels": {channel: {"subscription_count": 1} for channel in channels}})
    assert [await subscriber.event() for _ in channels] == [(channel, "greeting", "hello") for channel in channels]


@pytest.mark.tried("trigger: socket_id")
async def test_trigger_leaves_out_the_connection_that_it_names(sdk: NodeAgent, subscribe_to: SubscribeTo) -> None:
    sender, other = await subscribe_to("js-others"), await subscribe_to("js-others")
    params = {"socket_id": sender.socket_id}
    await sdk.call("trigger", channels="js-others", event="moved", data={}, params=params)
    await sdk.call("trigger", channels="js-others", event="the-end", data={})
    assert (await other.event())[1] == "moved"
    assert (await sender.event())[1] == "the-end"


@pytest.mark.tried("triggerBatch")
async def test_batch_is_delivered_in_its_order_and_tells_about_its_channels(
    sdk: NodeAgent, subscribe_to: SubscribeTo
) -> None:
    subscriber = await subscribe_to("js-batch", "presence-js-batch")
    batch = [
        {"channel": "js-batch", "name": "a", "data": {"number": 1}},
        {"channel": "presence-js-batch", "name": "b", "data": "text", "info": "user_count"},
        {"channel": "js-batch", "name": "left-out", "data": {}, "socket_id": subscriber.socket_id},
        {"channel": "js-batch", "name": "c", "data": {}},
    ]
    outcome = await sdk.call("triggerBatch", batch=batch)
    assert outcome == ok({"batch": [{}, {"user_count": 1}, {}, {}]})
    assert [(await subscriber.event())[1] for _ in range(3)] == ["a", "b", "c"]


@pytest.mark.tried("get /channels")
async def test_channels_are_listed_by_prefix_with_their_user_counts(sdk: NodeAgent, subscribe_to: SubscribeTo) -> None:
    for user in ("ann", "bob"):
        await subscribe_to("presence-js-list", user=user)
    params = {"filter_by_prefix": "presence-js-list", "info": "user_count"}
    outcome = await sdk.call("get", path="/channels", params=params)
    assert outcome == ok({"channels": {"presence-js-list": {"user_count": 2}}})


@pytest.mark.tried("get /channels/NAME")
async def test_channel_tells_whether_it_is_occupied_and_by_how_many(sdk: NodeAgent, subscribe_to: SubscribeTo) -> None:
    await subscribe_to("js-info")
    assert await sdk.call("get", path="/channels/js-nobody") == ok({"occupied": False})
    outcome = await sdk.call("get", path="/channels/js-info", params={"info": "subscription_count"})
    assert outcome == ok({"occupied": True, "subscription_count": 1})


# The SDK signs the path as it is given and sends it as fetch writes it.
@pytest.mark.tried("get /channels/NAME")
@pytest.mark.parametrize("written", ["js-a=b,c@d;e.f", "js-a%3Db%2Cc%40d%3Be.f"])
async def test_channel_of_any_name_is_found_however_its_path_is_written(
    sdk: NodeAgent, subscribe_to: SubscribeTo, written: str
) -> None:
    await subscribe_to("js-a=b,c@d;e.f")
    assert await sdk.call("get", path=f"/channels/{written}") == ok({"occupied": True})


@pytest.mark.tried("get /channels/NAME/users")
async def test_users_of_a_presence_channel_are_listed_once_each(sdk: NodeAgent, subscribe_to: SubscribeTo) -> None:
    for user in ("ann", "bob", "bob"):
        await subscribe_to("presence-js-users", user=user)
    outcome = await sdk.call("get", path="/channels/presence-js-users/users")
    assert outcome == ok({"users": [{"id": "ann"}, {"id": "bob"}]})


@pytest.mark.tried("post")
async def test_post_sends_whatever_its_user_writes(sdk: NodeAgent, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("js-post")
    body = {"name": "greeting", "data": "hello", "channel": "js-post"}
    assert await sdk.call("post", path="/events", body=body) == ok({})
    assert await subscriber.event() == ("js-post", "greeting", "hello")


@pytest.mark.tried("createSignedQueryString")
async def test_query_that_the_sdk_signs_is_taken(
    sdk: NodeAgent, relay: RelayProcess, subscribe_to: SubscribeTo
) -> None:
    subscriber = await subscribe_to("js-signed")
    path, body = f"/apps/{relay.app_id}/events", '{"name":"greeting","data":"hello","channel":"js-signed"}'
    query = await sdk.call("createSignedQueryString", method="POST", path=path, body=body, params={"a": "b"})
    url = URL(f"{relay.url}{path}?{query}", encoded=True)
    async with aiohttp.ClientSession() as http, http.post(url, data=body) as response:
        assert (response.status, await response.json()) == (200, {})
    assert await subscriber.event() == ("js-signed", "greeting", "hello")


@pytest.mark.tried("forURL")
async def test_sdk_that_is_made_from_a_url_reaches_the_relay(
    sdk: NodeAgent, relay: RelayProcess, subscribe_to: SubscribeTo
) -> None:
    subscriber = await subscribe_to("js-url")
    await sdk.call("configureByUrl", url=f"http://{relay.key}:{relay.secret}@{HOST}:{relay.port}/apps/{relay.app_id}")
    assert await sdk.call("trigger", channels="js-url", event="greeting", data="hello") == ok({})
    assert await subscriber.event() == ("js-url", "greeting", "hello")


@pytest.mark.tried("authenticate")
async def test_older_name_of_authorising_does_the_same(sdk: NodeAgent, connect: Connect) -> None:
    subscriber = await connect()
    who = {"socketId": subscriber.socket_id, "channel": "presence-js-old", "member": {"user_id": "ann"}}
    confirmation = await subscriber.subscribe("presence-js-old", await sdk.call("authenticate", **who))
    assert confirmation["presence"]["ids"] == ["ann"]


@pytest.mark.tried("authenticateUser")
async def test_authenticated_user_is_signed_in(sdk: NodeAgent, connect: Connect) -> None:
    subscriber = await connect()
    user = {"id": "js-ann", "user_info": {"name": "Ann ☕"}}
    auth = await sdk.call("authenticateUser", socketId=subscriber.socket_id, user=user)
    assert decoded(await subscriber.sign_in(auth)) == user


@pytest.mark.tried("authorizeChannel")
async def test_authorised_subscriptions_are_taken(sdk: NodeAgent, connect: Connect) -> None:
    subscriber = await connect()
    socket_id = subscriber.socket_id
    private = await sdk.call("authorizeChannel", socketId=socket_id, channel="private-js")
    await subscriber.subscribe("private-js", private)
    who = {"user_id": "ann", "user_info": {"name": "Ann ☕"}}
    named = await sdk.call("authorizeChannel", socketId=socket_id, channel="private-js-named", member=who)
    assert await subscriber.subscribe("private-js-named", named) == {}
    presence = await sdk.call("authorizeChannel", socketId=socket_id, channel="presence-js", member=who)
    confirmation = await subscriber.subscribe("presence-js", presence)
    assert confirmation["presence"]["hash"] == {"ann": {"name": "Ann ☕"}}


@pytest.mark.tried("errors")
@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        pytest.param({"secret": "another secret"}, 401, "Invalid signature", id="a wrong secret"),
        pytest.param({"key": "another-key"}, 401, "auth_key", id="a wrong key"),
        pytest.param({"appId": "999"}, 404, "999", id="an unknown app"),
    ],
)
async def test_wrong_credentials_are_the_sdk_s_request_error(
    configure: Configure, options: dict[str, str], status: int, said: str
) -> None:
    stranger = await configure(**options)
    for outcome in (
        await stranger.call("trigger", channels="js-one", event="greeting", data={}),
        await stranger.call("triggerBatch", batch=[{"channel": "js-one", "name": "a", "data": {}}]),
        await stranger.call("get", path="/channels"),
    ):
        assert_refused(outcome, status, said)


@pytest.mark.tried("errors")
async def test_request_that_makes_no_sense_is_the_sdk_s_request_error(sdk: NodeAgent) -> None:
    assert_refused(await sdk.call("get", path="/channels/js-one/users"), 400, "presence")
    assert_refused(await sdk.call("get", path="/channels", params={"info": "user_count"}), 400, "filter_by_prefix")
    assert_refused(await sdk.call("get", path="/no-such-path"), 404, "nothing")
    too_large = await sdk.call("trigger", channels="js-one", event="greeting", data="x" * 10_241)
    assert_refused(too_large, 413, "10240")


@pytest.mark.tried("errors")
async def test_relay_that_is_down_is_the_sdk_s_request_error(configure: Configure) -> None:
    lost = await configure(port=free_port())
    outcome = await lost.call("trigger", channels="js-one", event="greeting", data={})
    assert outcome == {
        "error": "PusherRequestError",
        "message": "Request failed with an error",
        "status": None,
        "body": None,
    }


def assert_refused(outcome: dict[str, Any], status: int, said: str) -> None:
    """The outcome is the SDK's error with this status and a body whose `error` names `said`."""
    assert (outcome["error"], outcome["status"]) == ("PusherRequestError", status)
    answer = decoded(outcome["body"])
    assert isinstance(answer, dict)
    assert said in answer["error"]
