"""The official server SDK of Java, unmodified, against a real relay: trigger, query, authorise, webhooks, errors."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import LineAgent
from tests.interop.loop import async_fixture
from tests.interop.nodes import Nodes, relay_of
from tests.interop.subscribers import Connect, Subscriber, SubscribeTo
from tests.interop.switched import Receiver
from tests.interop.table import java_sdk

pytestmark = java_sdk("pusher-http-java")


@async_fixture
async def sdk(java: LineAgent, relay: RelayProcess) -> LineAgent:
    await configure(java, relay)
    return java


async def configure(java: LineAgent, relay: RelayProcess, **options: str) -> None:
    app = {"appId": relay.app_id, "key": relay.key, "secret": relay.secret, "host": f"{HOST}:{relay.port}"}
    await java.call("configure", **app | options)


@pytest.mark.tried("trigger")
async def test_trigger_reaches_all_its_channels(sdk: LineAgent, subscribe_to: SubscribeTo) -> None:
    channels = [f"http-java-{number}" for number in range(10)]
    subscriber = await subscribe_to(*channels)
    outcome = await sdk.call("trigger", channels=channels, event="greeting", data={"text": "Привет 🙂"})
    assert (outcome["status"], outcome["result"], outcome["message"]) == (200, "SUCCESS", "{}")
    for channel in channels:
        assert await subscriber.event() == (channel, "greeting", {"text": "Привет 🙂"})


@pytest.mark.tried("trigger: socket_id")
async def test_trigger_leaves_out_the_connection_that_it_names(sdk: LineAgent, subscribe_to: SubscribeTo) -> None:
    sender, other = await subscribe_to("http-java-others"), await subscribe_to("http-java-others")
    where = {"channels": ["http-java-others"], "data": {}}
    await sdk.call("trigger", event="moved", socketId=sender.socket_id, **where)
    await sdk.call("trigger", event="the-end", **where)
    assert (await other.event())[1] == "moved"
    assert (await sender.event())[1] == "the-end"


@pytest.mark.tried("trigger: batch")
async def test_batch_is_delivered_in_its_order(sdk: LineAgent, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("http-java-batch")
    batch: list[dict[str, object]] = [
        {"channel": "http-java-batch", "name": name, "data": {}} for name in ("a", "b", "c")
    ]
    assert (await sdk.call("triggerBatch", batch=batch))["status"] == 200
    assert [(await subscriber.event())[1] for _ in batch] == ["a", "b", "c"]


@pytest.mark.tried("get")
async def test_channels_are_answered(sdk: LineAgent, subscribe_to: SubscribeTo) -> None:
    await subscribe_to("presence-http-java")
    outcome = await sdk.call("get", path="/channels/presence-http-java/users")
    assert json.loads(outcome["message"]) == {"users": [{"id": "ann"}]}


@pytest.mark.tried("authenticate")
async def test_authorised_subscriptions_are_taken(sdk: LineAgent, connect: Connect) -> None:
    subscriber = await connect()
    who = {"socketId": subscriber.socket_id}
    private = await sdk.call("authenticate", channel="private-http-java", **who)
    assert await subscriber.subscribe("private-http-java", private) == {}
    channel = "presence-http-java-auth"
    presence = await sdk.call("authenticate", channel=channel, user="ann", info={"name": "Ann ☕"}, **who)
    confirmation = await subscriber.subscribe(channel, presence)
    assert confirmation["presence"]["hash"] == {"ann": {"name": "Ann ☕"}}


@pytest.mark.tried("errors")
@pytest.mark.parametrize(
    ("options", "status", "result"),
    [
        ({"secret": "another secret"}, 401, "AUTHENTICATION_ERROR"),
        ({"key": "another-key"}, 401, "AUTHENTICATION_ERROR"),
        ({"appId": "999"}, 404, "NOT_FOUND"),
    ],
)
async def test_wrong_credentials_are_the_sdk_s_errors(
    java: LineAgent, relay: RelayProcess, options: dict[str, str], status: int, result: str
) -> None:
    await configure(java, relay, **options)
    outcome = await java.call("trigger", channels=["http-java"], event="greeting", data={})
    assert (outcome["status"], outcome["result"]) == (status, result)


@async_fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().running() as receiver:
        yield receiver


@pytest.mark.tried("validateWebhookSignature")
async def test_webhook_is_valid_and_a_forged_one_is_not(
    java: LineAgent, nodes: Nodes, receiver: Receiver, tmp_path: Path
) -> None:
    with relay_of(nodes, tmp_path, f'[[apps.webhooks]]\nurl = "{receiver.url}"\n') as relay:
        await configure(java, relay)
        async with Subscriber(relay) as subscriber:
            await subscriber.join("http-java-hooked")
            await receiver.take(name="channel_occupied", channel="http-java-hooked")
    (delivery, *_) = receiver.deliveries
    signed = {"key": delivery.headers["x-pusher-key"], "signature": delivery.headers["x-pusher-signature"]}
    assert await java.call("webhook", **signed, body=delivery.body) == "VALID"
    assert await java.call("webhook", **signed, body=delivery.body + " ") == "INVALID"
    assert await java.call("webhook", **signed | {"key": "another"}, body=delivery.body) == "SIGNED_WITH_WRONG_KEY"
