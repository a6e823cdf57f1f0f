"""The official client of Java and Android, unmodified, against a real relay."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from relay.client import PushlerClient
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import JavaMachine, LineAgent
from tests.interop.backend import FORGED, WITH_DATA, Backend
from tests.interop.loop import async_fixture
from tests.interop.subscribers import Subscriber
from tests.interop.table import java_sdk

pytestmark = java_sdk("pusher-java-client")


Open = Callable[[], Awaitable[LineAgent]]


@async_fixture
async def open_client(shared_java: JavaMachine, relay: RelayProcess, backend: Backend) -> AsyncIterator[Open]:
    """Opens connected clients."""
    where = {"key": relay.key, "host": HOST, "endpoint": backend.endpoint("official-sdk")}
    async with AsyncExitStack() as closing:

        async def connected() -> LineAgent:
            agent = await shared_java.start()
            closing.push_async_callback(agent.close)
            await agent.call("connect", port=relay.client_port, **where)
            await agent.take(kind="state", current="CONNECTED")
            return agent

        yield connected


@async_fixture
async def client(open_client: Open) -> LineAgent:
    return await open_client()


async def subscribe(client: LineAgent, channel: str) -> None:
    await client.call("subscribe", channel=channel)
    await client.take(kind="subscribed", channel=channel)


@pytest.mark.tried("subscribe, subscribePrivate, events")
@pytest.mark.parametrize("channel", ["java-public", "private-java", f"private-java-{WITH_DATA}"])
async def test_event_reaches_a_subscriber(client: LineAgent, publisher: PushlerClient, channel: str) -> None:
    await subscribe(client, channel)
    await publisher.trigger(channel, "greeting", {"text": "Привет 🙂"})
    event = await client.take(kind="event", channel=channel, event="greeting")
    assert json.loads(event["data"]) == {"text": "Привет 🙂"}


@pytest.mark.tried("unsubscribe")
async def test_channel_that_was_left_is_silent(client: LineAgent, publisher: PushlerClient) -> None:
    await subscribe(client, "java-left")
    await client.call("unsubscribe", channel="java-left")
    await subscribe(client, "java-kept")
    await publisher.trigger(["java-left", "java-kept"], "greeting", {})
    await client.take(kind="event", channel="java-kept")
    assert client.seen(kind="event", channel="java-left") == []


@pytest.mark.crosses_nodes
@pytest.mark.tried("subscribePresence: members come and go")
async def test_members_are_told_as_they_come_and_go(client: LineAgent, relay: RelayProcess) -> None:
    await subscribe(client, "presence-java")
    members = await client.take(kind="members", channel="presence-java")
    assert members["members"] == {"ann": {"name": "Ann"}}
    async with Subscriber(relay) as other:
        await other.join("presence-java", "bob")
        await client.take(kind="joined", channel="presence-java", user="bob")
    await client.take(kind="left", channel="presence-java", user="bob")


@pytest.mark.tried("client events")
async def test_client_event_reaches_another_client(client: LineAgent, open_client: Open) -> None:
    other = await open_client()
    for agent in (client, other):
        await subscribe(agent, "presence-java-talk")
    await client.call("clientEvent", channel="presence-java-talk", event="client-typing", data='{"on":"☕"}')
    heard = await other.take(kind="event", event="client-typing")
    assert (json.loads(heard["data"]), heard["user"]) == ({"on": "☕"}, "ann")


@pytest.mark.tried("cache channels: last event, cache_miss")
@pytest.mark.parametrize("kind", ["cache", "private-cache", "presence-cache"])
async def test_last_event_or_a_miss_comes_after_the_subscription(
    client: LineAgent, publisher: PushlerClient, kind: str
) -> None:
    await subscribe(client, f"{kind}-java-empty")
    missed = await client.take(kind="event", channel=f"{kind}-java-empty", event="pusher:cache_miss")
    assert missed["data"] == "{}"
    await publisher.trigger(f"{kind}-java-full", "price", {"eur": 14})
    await subscribe(client, f"{kind}-java-full")
    event = await client.take(kind="event", channel=f"{kind}-java-full", event="price")
    assert json.loads(event["data"]) == {"eur": 14}


@pytest.mark.tried("refused subscriptions")
async def test_refused_subscription_is_heard_and_the_connection_goes_on(
    client: LineAgent, publisher: PushlerClient
) -> None:
    await client.call("subscribe", channel=f"{FORGED}-java")
    error = await client.take(kind="error")
    assert f"{FORGED}-java" in error["message"]
    await subscribe(client, "java-goes-on")
    await publisher.trigger("java-goes-on", "greeting", {})
    await client.take(kind="event", channel="java-goes-on")
