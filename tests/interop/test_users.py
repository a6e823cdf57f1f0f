"""Users who sign in with an unmodified pusher-js: events to them, whom they watch, and the end of their connections.

Their back ends use the server SDKs of npm and PyPI, unmodified too.
"""

import asyncio
from collections.abc import AsyncIterator

import pusher  # type: ignore[import-untyped]  # the official SDK has no annotations
import pytest

from relay.client import PushlerClient
from tests.helpers.parts import NODE, NODE_PACKAGES, require
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import Agent, NodeAgent
from tests.interop.backend import NAMELESS, SIGNERS, Signer
from tests.interop.loop import async_fixture
from tests.interop.runtimes import CHROMIUM_8, NODE_7, NODE_8, Clients
from tests.interop.table import npm_sdk, python_sdk
from tests.interop.test_pusher_js import subscribe

# Seconds: a client that means to come back does so after one.
LONGEST_PAUSE = 3

everywhere = pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, CHROMIUM_8])


@async_fixture
async def npm(relay: RelayProcess) -> AsyncIterator[NodeAgent]:
    """The server SDK of npm."""
    require(NODE, NODE_PACKAGES)
    agent = await NodeAgent.start("server", "pusher")
    app = {"appId": relay.app_id, "key": relay.key, "secret": relay.secret, "host": HOST, "port": relay.port}
    await agent.call("configure", options=app | {"useTLS": False})
    yield agent
    await agent.close()


async def signed_in(clients: Clients, user: str, *watched: str, signer: Signer = "official-sdk") -> Agent:
    """A pusher-js that is signed in, and has its channel for events to the user."""
    agent = await clients.pusher(user, userAuthentication=clients.user_authentication(user, *watched, signer=signer))
    await agent.call("signin")
    await agent.take(kind="protocol", event="pusher:signin_success")
    # Commands are handled in order: once this is confirmed, the user's channel is subscribed to.
    await subscribe(agent, "after-sign-in")
    return agent


@pytest.mark.crosses_nodes
@pytest.mark.tried("signin")
@pytest.mark.tried("events to a user")
@everywhere
@pytest.mark.parametrize("signer", SIGNERS)
async def test_event_to_a_user_reaches_its_connections_only(
    clients: Clients, sdk: pusher.Pusher, signer: Signer, runtime_name: str
) -> None:
    user = f"to-{runtime_name}-{signer}"
    ann, second, bob = [await signed_in(clients, name, signer=signer) for name in (user, user, "bob")]
    await asyncio.to_thread(sdk.send_to_user, user, "notice", {"text": "Привет"})
    for agent in (ann, second):
        assert (await agent.take(kind="user", event="notice"))["data"] == {"text": "Привет"}
    await asyncio.to_thread(sdk.send_to_user, "bob", "the-end", {})
    await bob.take(kind="user", event="the-end")
    assert bob.seen(kind="user", event="notice") == []


@pytest.mark.tried("events to a user: ids that no channel name could hold")
@everywhere
@pytest.mark.parametrize("user", ["auth0|5f7c", "иван"])
async def test_event_to_a_user_of_any_id_is_heard_once(clients: Clients, publisher: PushlerClient, user: str) -> None:
    ann = await signed_in(clients, user, signer="relay-client")
    await publisher.send_to_user(user, "notice", {"order": 1})
    await publisher.send_to_user(user, "the-end", {})
    await ann.take(kind="user", event="the-end")
    assert [report["data"] for report in ann.seen(kind="user", event="notice")] == [{"order": 1}]


@pytest.mark.crosses_nodes
@pytest.mark.tried("a subscription that the application ends")
@everywhere
async def test_a_subscription_that_the_application_ends_is_silent_and_disturbs_nothing(
    clients: Clients, publisher: PushlerClient, runtime_name: str
) -> None:
    user, channel = f"lost-{runtime_name}", f"private-lost-{runtime_name}"
    ann = await signed_in(clients, user, signer="relay-client")
    await subscribe(ann, channel)
    await publisher.trigger(channel, "before", {})
    await publisher.unsubscribe_user(user, channel)
    await publisher.trigger([channel, "after-sign-in"], "after", {})
    await ann.take(channel="after-sign-in", event="after")
    names = [report["event"] for report in ann.seen(channel=channel) if "event" in report]
    assert names == ["pusher:subscription_succeeded", "before"], "the end itself is told to no handler"
    assert ann.seen(kind="error") == []
    assert await ann.call("state") == "connected"


@npm_sdk()
@pytest.mark.tried("sendToUser")
@pytest.mark.node
@pytest.mark.parametrize("runtime_name", ["pusher-js"])
@pytest.mark.parametrize("user", ["ann-npm", "auth0|npm"])
async def test_send_to_user_of_the_npm_sdk_reaches_the_user(clients: Clients, npm: NodeAgent, user: str) -> None:
    ann = await signed_in(clients, user, signer="relay-client")
    outcome = await npm.call("sendToUser", user=user, event="notice", data={"order": 1})
    assert outcome == {"status": 200, "body": {}}
    assert (await ann.take(kind="user", event="notice"))["data"] == {"order": 1}


@pytest.mark.crosses_nodes
@pytest.mark.tried("watchlist: online, offline")
@everywhere
async def test_user_learns_who_of_the_watched_comes_and_goes(clients: Clients, runtime_name: str) -> None:
    bob_id, eve_id = f"bob-{runtime_name}", f"eve-{runtime_name}"
    eve = await signed_in(clients, eve_id)
    ann = await signed_in(clients, "ann", bob_id, eve_id)
    assert (await ann.take(kind="watchlist", name="online"))["user_ids"] == [eve_id]
    assert (await ann.take(kind="watchlist", name="offline"))["user_ids"] == [bob_id]
    bob = await signed_in(clients, bob_id)
    assert (await ann.take(kind="watchlist", name="online"))["user_ids"] == [bob_id]
    second = await signed_in(clients, bob_id)
    await bob.call("disconnect")
    await eve.call("disconnect")
    assert (await ann.take(kind="watchlist", name="offline"))["user_ids"] == [eve_id]
    await second.call("disconnect")
    assert (await ann.take(kind="watchlist", name="offline"))["user_ids"] == [bob_id]


@pytest.mark.tried("presence channels: member by sign-in, without channel_data")
@everywhere
async def test_signed_in_user_joins_a_presence_channel_without_channel_data(
    clients: Clients, runtime_name: str
) -> None:
    channel = f"{NAMELESS}-{runtime_name}"
    ann, bob = await signed_in(clients, "ann"), await signed_in(clients, "bob")
    alone = await subscribe(ann, channel)
    assert alone["me"] == {"id": "ann", "info": {"name": "Ann"}}
    assert (await subscribe(bob, channel))["members"] == {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}}
    joined = await ann.take(channel=channel, event="pusher:member_added")
    assert joined["data"] == {"id": "bob", "info": {"name": "Bob"}}


async def assert_ended_for_good(agent: Agent) -> None:
    """The connection was closed with 4009, and the client does not come back."""
    assert (await agent.take(kind="error"))["error"]["data"]["code"] == 4009
    await agent.take(kind="state", current="disconnected")
    await asyncio.sleep(LONGEST_PAUSE)
    assert agent.seen(kind="state")[-1]["current"] == await agent.call("state") == "disconnected"


@pytest.mark.crosses_nodes
@npm_sdk()
@pytest.mark.tried("terminateUserConnections")
@pytest.mark.node
@pytest.mark.parametrize("runtime_name", ["pusher-js"])
@pytest.mark.parametrize("user", ["end-npm", "john+a@npm/иван"])
async def test_terminate_user_connections_of_the_npm_sdk_ends_the_user_for_good(
    clients: Clients, npm: NodeAgent, user: str
) -> None:
    ann, second, bob = [await signed_in(clients, name, signer="relay-client") for name in (user, user, "bob")]
    assert await npm.call("terminateUserConnections", user=user) == {"status": 200, "body": {}}
    await asyncio.gather(*(assert_ended_for_good(agent) for agent in (ann, second)))
    assert await bob.call("state") == "connected"


@python_sdk("pusher")
@pytest.mark.tried("terminate_user_connections")
@pytest.mark.node
@pytest.mark.parametrize("runtime_name", ["pusher-js"])
async def test_terminate_user_connections_of_the_python_sdk_ends_the_user_for_good(
    clients: Clients, sdk: pusher.Pusher
) -> None:
    ann, bob = await signed_in(clients, "end-pypi"), await signed_in(clients, "bob")
    # The SDK leaves the app out of the path, and takes no ids beyond those of channel names.
    assert await asyncio.to_thread(sdk.terminate_user_connections, "end-pypi") == {}
    await assert_ended_for_good(ann)
    assert await bob.call("state") == "connected"
