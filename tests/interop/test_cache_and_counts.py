"""Cache channels and counts of subscribers with an unmodified pusher-js: what the hosted service offers beyond events."""

import asyncio
from collections.abc import Iterator

import pytest

from relay.client import PushlerClient
from tests.helpers.processes import RelayProcess
from tests.interop.agents import Agent
from tests.interop.backend import ENCRYPTION_KEY, close_sdk, official_sdk
from tests.interop.nodes import Nodes, relay_of
from tests.interop.runtimes import CHROMIUM_8, NODE_7, NODE_8, Clients
from tests.interop.test_pusher_js import SUCCEEDED, subscribe

everywhere = pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, CHROMIUM_8])

MISS = "pusher:cache_miss"


@pytest.fixture(scope="module")
def relay(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """A relay whose app tells subscribers how many they are."""
    with relay_of(nodes, tmp_path_factory.mktemp("relay"), "subscription_count = true") as relay:
        yield relay


def events_of(agent: Agent, channel: str) -> list[str]:
    """The names of the channel's events so far, but for counts."""
    names = [report["event"] for report in agent.seen(kind="event", channel=channel)]
    return [name for name in names if name != "pusher:subscription_count"]


@pytest.mark.crosses_nodes
@pytest.mark.tried("cache channels")
@everywhere
@pytest.mark.parametrize("channel", ["cache-price", "private-cache-price", "presence-cache-price"])
async def test_subscriber_gets_the_last_event_or_learns_that_there_is_none(
    clients: Clients, publisher: PushlerClient, runtime_name: str, channel: str
) -> None:
    name = f"{channel}-{runtime_name}"
    early = await clients.pusher("ann")
    await subscribe(early, name)
    await early.take(channel=name, event=MISS)
    await publisher.trigger(name, "changed", {"price": 1})
    await publisher.trigger(name, "changed", {"price": 2})
    late = await clients.pusher("bob")
    await subscribe(late, name)
    assert (await late.take(channel=name, event="changed"))["data"] == {"price": 2}
    await publisher.trigger(name, "the-end", {})
    await late.take(channel=name, event="the-end")
    assert events_of(late, name) == [SUCCEEDED, "changed", "the-end"]


@pytest.mark.tried("cache channels: encrypted")
@pytest.mark.parametrize("runtime_name", [NODE_8])
async def test_last_event_of_an_encrypted_channel_is_readable_for_a_late_subscriber(
    clients: Clients, relay: RelayProcess
) -> None:
    channel = "private-encrypted-cache-letters"
    early = await clients.pusher("ann")
    await subscribe(early, channel)
    await early.take(channel=channel, event=MISS)
    sender = official_sdk(
        relay.port, relay.app_id, relay.key, relay.secret, encryption_master_key_base64=ENCRYPTION_KEY
    )
    try:
        await asyncio.to_thread(sender.trigger, channel, "letter", {"text": "for you only"})
    finally:
        close_sdk(sender)
    late = await clients.pusher("bob")
    await late.call("subscribe", channel=channel)
    for agent in (early, late):
        assert (await agent.take(channel=channel, event="letter"))["data"] == {"text": "for you only"}
    assert events_of(late, channel) == [SUCCEEDED, "letter"]


@pytest.mark.tried("cache channels")
@everywhere
async def test_client_events_are_not_remembered(clients: Clients, runtime_name: str) -> None:
    channel = f"private-cache-typing-{runtime_name}"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    await subscribe(ann, channel)
    await subscribe(bob, channel)
    await ann.call("trigger", channel=channel, event="client-typing", data={})
    await bob.take(channel=channel, event="client-typing")
    late = await clients.pusher("eve")
    await subscribe(late, channel)
    await late.take(channel=channel, event=MISS)


@pytest.mark.crosses_nodes
@pytest.mark.tried("subscription_count")
@everywhere
@pytest.mark.parametrize("channel", ["counted", "private-counted"])
async def test_subscribers_are_told_how_many_they_are(clients: Clients, runtime_name: str, channel: str) -> None:
    name = f"{channel}-{runtime_name}"
    event = "pusher:subscription_count"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    await subscribe(ann, name)
    assert (await ann.take(channel=name, event=event))["data"] == {"subscription_count": 1}
    await subscribe(bob, name)
    for agent in (ann, bob):
        assert (await agent.take(channel=name, event=event))["data"] == {"subscription_count": 2}
        assert await agent.call("subscriptionCount", channel=name) == 2
    await bob.call("unsubscribe", channel=name)
    assert (await ann.take(channel=name, event=event))["data"] == {"subscription_count": 1}
