"""Encrypted channels, from end to end: each server SDK that encrypts, each client library that decrypts.

The relay has no key: it passes on what it cannot read.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.helpers.parts import NODE, NODE_PACKAGES, require
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import NodeAgent
from tests.interop.backend import ENCRYPTION_KEY, WITH_DATA, close_sdk, official_sdk
from tests.interop.loop import async_fixture
from tests.interop.runtimes import (
    CHROMIUM_8_ENCRYPTED,
    ECHO_IN_CHROMIUM_ENCRYPTED,
    ECHO_IN_NODE,
    NO_WEBSOCKET,
    NODE_7,
    NODE_8,
    WEBSOCKET,
    Clients,
)
from tests.interop.subscribers import Connect, SubscribeTo
from tests.interop.table import npm_sdk, python_sdk
from tests.interop.test_pusher_js import subscribe

LETTER = {"text": "for you only ☕"}


@async_fixture
async def npm(relay: RelayProcess) -> AsyncIterator[NodeAgent]:
    """The server SDK of npm, with the key."""
    require(NODE, NODE_PACKAGES)
    agent = await NodeAgent.start("server", "pusher")
    app = {"appId": relay.app_id, "key": relay.key, "secret": relay.secret, "host": HOST, "port": relay.port}
    await agent.call("configure", options=app | {"useTLS": False, "encryptionMasterKeyBase64": ENCRYPTION_KEY})
    yield agent
    await agent.close()


async def send(relay: RelayProcess, channel: str, *, in_a_batch: bool = False) -> Any:
    """Send the letter by the SDK of PyPI."""
    sender = official_sdk(
        relay.port, relay.app_id, relay.key, relay.secret, encryption_master_key_base64=ENCRYPTION_KEY
    )
    try:
        if in_a_batch:
            batch = [{"channel": channel, "name": "letter", "data": LETTER}]
            return await asyncio.to_thread(sender.trigger_batch, batch)
        return await asyncio.to_thread(sender.trigger, channel, "letter", LETTER)
    finally:
        close_sdk(sender)


@pytest.mark.tried("encrypted channels")
@pytest.mark.parametrize("transport", [WEBSOCKET, NO_WEBSOCKET])
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, CHROMIUM_8_ENCRYPTED])
@pytest.mark.parametrize("channel", ["private-encrypted-letters", f"private-encrypted-{WITH_DATA}"])
async def test_event_of_an_encrypted_channel_is_readable_for_its_subscriber(
    clients: Clients, relay: RelayProcess, channel: str
) -> None:
    agent = await clients.pusher()
    await subscribe(agent, channel)
    await send(relay, channel)
    assert (await agent.take(channel=channel, event="letter"))["data"] == LETTER


@pytest.mark.tried("encryptedPrivate")
@pytest.mark.parametrize("runtime_name", [ECHO_IN_NODE, ECHO_IN_CHROMIUM_ENCRYPTED])
@pytest.mark.parametrize("broadcaster", ["pusher", "reverb"])
async def test_echo_reads_an_encrypted_channel(clients: Clients, relay: RelayProcess, broadcaster: str) -> None:
    echo = await clients.echo(broadcaster)
    await echo.call("open", how="encryptedPrivate", name="echo-letters")
    await echo.take(kind="subscribed", name="echo-letters")
    await echo.call("listen", how="encryptedPrivate", name="echo-letters", event=".letter")
    await send(relay, "private-encrypted-echo-letters")
    assert (await echo.take(kind="event", event=".letter"))["data"] == LETTER


@npm_sdk()
@pytest.mark.tried("trigger, triggerBatch: encrypted channel")
@pytest.mark.node
async def test_what_the_npm_sdk_encrypts_is_readable_for_a_subscriber(clients: Clients, npm: NodeAgent) -> None:
    channel = "private-encrypted-npm"
    agent = await clients.pusher()
    await subscribe(agent, channel)
    outcomes = [
        await npm.call("trigger", channels=channel, event="letter", data=LETTER),
        await npm.call("triggerBatch", batch=[{"channel": channel, "name": "letter", "data": LETTER}]),
    ]
    assert outcomes == [{"status": 200, "body": {}}] * 2
    for _ in outcomes:
        assert (await agent.take(channel=channel, event="letter"))["data"] == LETTER


@npm_sdk()
@pytest.mark.tried("authorizeChannel: encrypted channel")
@pytest.mark.node
async def test_what_the_npm_sdk_authorises_is_taken_and_has_the_secret_of_the_channel(
    npm: NodeAgent, connect: Connect
) -> None:
    subscriber, channel = await connect(), "private-encrypted-demo"
    auth = await npm.call("authorizeChannel", socketId=subscriber.socket_id, channel=channel)
    # SHA-256 of the channel's name and the key.
    assert auth.pop("shared_secret") == "EYp9Iw61We0SSO8i4YNMUxqo4TeGPjdBtcgzC9ocVl0="
    assert await subscriber.subscribe(channel, auth) == {}


@python_sdk("pusher")
@pytest.mark.tried("trigger, trigger_batch, authenticate: encrypted channel")
@pytest.mark.node
async def test_what_the_python_sdk_encrypts_is_readable_for_a_subscriber(clients: Clients, relay: RelayProcess) -> None:
    channel = "private-encrypted-pypi"
    agent = await clients.pusher(signer="official-sdk")
    await subscribe(agent, channel)
    for in_a_batch in (False, True):
        assert await send(relay, channel, in_a_batch=in_a_batch) == {}
        assert (await agent.take(channel=channel, event="letter"))["data"] == LETTER


@python_sdk("pusher")
@pytest.mark.tried("trigger, trigger_batch, authenticate: encrypted channel")
async def test_nothing_readable_goes_over_the_wire(relay: RelayProcess, subscribe_to: SubscribeTo) -> None:
    channel = "private-encrypted-wire"
    subscriber = await subscribe_to(channel)
    await send(relay, channel)
    assert sorted((await subscriber.event())[2]) == ["ciphertext", "nonce"]
