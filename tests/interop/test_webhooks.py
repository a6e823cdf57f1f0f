"""Webhooks as a back end gets them: verified by the server SDKs of npm and PyPI, for what an unmodified pusher-js does."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pusher  # type: ignore[import-untyped]  # the official SDK has no annotations
import pytest

from tests.helpers.parts import NODE, NODE_PACKAGES, require
from tests.helpers.processes import RelayProcess
from tests.interop.agents import DEADLINE, NodeAgent, PageAgent
from tests.interop.loop import async_fixture
from tests.interop.nodes import Nodes, relay_of
from tests.interop.runtimes import CHROMIUM_8, NODE_8, Clients
from tests.interop.switched import Receiver
from tests.interop.table import npm_sdk, python_sdk
from tests.interop.test_pusher_js import subscribe

# A channel that is left for less is not told of; longer than that, and some time for a busy machine.
GRACE = 3.0


@async_fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().running() as receiver:
        yield receiver


@pytest.fixture
def relay(nodes: Nodes, receiver: Receiver, tmp_path: Path) -> Iterator[RelayProcess]:
    """A relay that tells everything to the receiver."""
    switches = f'subscription_count = true\n[[apps.webhooks]]\nurl = "{receiver.url}"\n'
    with relay_of(nodes, tmp_path, switches) as relay:
        yield relay


async def make_one_of_each(clients: Clients, receiver: Receiver) -> list[dict[str, Any]]:
    """Do what every kind of event is about; returns them as they were received."""
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    await subscribe(ann, "presence-cache-room")
    await subscribe(bob, "presence-cache-room")
    await subscribe(ann, "counted")
    await ann.call("trigger", channel="presence-cache-room", event="client-typing", data={"on": "☕"})
    await ann.call("unsubscribe", channel="counted")
    await bob.call("unsubscribe", channel="presence-cache-room")
    names = ["channel_occupied", "member_added", "cache_miss", "client_event", "subscription_count"]
    return [await receiver.take(name=name) for name in (*names, "channel_vacated", "member_removed")]


@npm_sdk()
@pytest.mark.tried("webhook: isValid, extra tokens, getEvents, getData, getTime")
@pytest.mark.node
@pytest.mark.parametrize("runtime_name", ["pusher-js"])
async def test_npm_sdk_takes_every_webhook_and_refuses_a_forged_one(clients: Clients, receiver: Receiver) -> None:
    require(NODE, NODE_PACKAGES)
    events = await make_one_of_each(clients, receiver)
    sdk = await NodeAgent.start("server", "pusher")
    clients.closing.push_async_callback(sdk.close)
    app = {"appId": clients.relay.app_id, "key": clients.relay.key, "secret": clients.relay.secret}
    await sdk.call("configure", options=app)
    received = []
    for delivery in receiver.deliveries:
        taken = await sdk.call("webhook", headers=delivery.headers, rawBody=delivery.body)
        assert taken["isValid"]
        received += taken["events"]
        assert taken["data"] == json.loads(delivery.body)
        assert abs(taken["time"] / 1_000 - time.time()) < DEADLINE
        forged = delivery.body.replace("presence-cache-room", "presence-other-room") + " "
        assert not (await sdk.call("webhook", headers=delivery.headers, rawBody=forged))["isValid"]
    # One that takes the webhooks of several apps.
    await sdk.call("configure", options=app | {"key": "another-key", "secret": "another secret"})
    first, tokens = receiver.deliveries[0], [{"key": app["key"], "secret": app["secret"]}]
    for extra, is_valid in ((tokens, True), ([], False)):
        taken = await sdk.call("webhook", headers=first.headers, rawBody=first.body, extraTokens=extra)
        assert taken["isValid"] is is_valid
    assert all(event in received for event in events)


@pytest.mark.crosses_nodes
@python_sdk("pusher")
@pytest.mark.tried("validate_webhook")
@pytest.mark.node
@pytest.mark.parametrize("runtime_name", ["pusher-js"])
async def test_python_sdk_takes_every_webhook_and_refuses_a_forged_one(
    clients: Clients, receiver: Receiver, sdk: pusher.Pusher
) -> None:
    events = await make_one_of_each(clients, receiver)
    received = []
    for delivery in receiver.deliveries:
        key, signature = delivery.headers["x-pusher-key"], delivery.headers["x-pusher-signature"]
        taken = sdk.validate_webhook(key, signature, delivery.body)
        assert taken is not None
        received += taken["events"]
        assert sdk.validate_webhook(key, signature, delivery.body + " ") is None
    assert all(event in received for event in events)
    typing = next(event for event in received if event["name"] == "client_event")
    assert (typing["event"], typing["data"], typing["user_id"]) == ("client-typing", '{"on":"☕"}', "ann")


@pytest.mark.tried("webhooks: a page that reloads is not told of")
@pytest.mark.parametrize("runtime_name", [NODE_8, CHROMIUM_8])
async def test_page_that_reloads_is_not_told_of(clients: Clients, receiver: Receiver) -> None:
    channel = "presence-reloading"
    agent = await clients.pusher("ann")
    await subscribe(agent, channel)
    await receiver.take(name="channel_occupied", channel=channel)
    if isinstance(agent, PageAgent):
        await agent.reload()
    else:
        await agent.call("disconnect")
    await clients.connect(agent, "ann")
    await agent.take(kind="state", current="connected")
    await subscribe(agent, channel)
    await asyncio.sleep(GRACE + 2)
    await agent.call("disconnect")
    # What would have been told before comes before this.
    await receiver.take(name="channel_vacated", channel=channel)
    await receiver.take(name="member_removed", channel=channel)
    names = [event["name"] for event in receiver.seen(channel=channel)]
    assert sorted(names) == ["channel_occupied", "channel_vacated", "member_added", "member_removed"]
