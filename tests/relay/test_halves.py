r"""Half an emoji, the escape \ud83d, goes through the whole relay: what is only passed on stays as it is, everywhere.

A message of a client is looked at as it came, before anything decodes its data.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from relay.apps import Webhook
from relay.client import PushlerClient
from relay.protocol.webhooks import WebhookEvent, body_of
from tests.helpers.clients import APP, member
from tests.helpers.node import Relay
from tests.helpers.relay import PATIENCE, RunningRelay, WebSocketClient
from tests.relay.transports.test_xhr import Browser

HALF = r"\ud83d"
DATA = rf'{{"text": "{HALF}", "\uDE00":[]}}'


def client_event(channel: str, data: str) -> str:
    return f'{{"event":"client-x","channel":"{channel}","data":{data}}}'


async def in_channel(relay: RunningRelay, channel: str, data: str | None = None) -> WebSocketClient:
    client = await relay.connect()
    assert (await client.subscribe(channel, data))["event"] == "pusher_internal:subscription_succeeded"
    return client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class TestClients:
    @pytest.mark.parametrize("data", [DATA, f'"{HALF}"', rf'"\\{HALF}"'])
    async def test_data_of_a_client_event_arrives_byte_for_byte(self, relay: RunningRelay, data: str) -> None:
        sender, other = await in_channel(relay, "private-a"), await in_channel(relay, "private-a")
        await sender.send_text(client_event("private-a", data))
        async with asyncio.timeout(PATIENCE):
            assert await other.websocket.recv() == client_event("private-a", data)

    async def test_so_it_does_where_websocket_is_blocked(
        self, relay: RunningRelay, http: aiohttp.ClientSession
    ) -> None:
        browsers = [await Browser(relay, http, f"abc{at}").open() for at in range(2)]
        for browser in browsers:
            await browser.subscribe("private-a")
            await browser.messages()
        assert await browsers[0].send(client_event("private-a", DATA).encode()) == 204
        (line,) = await browsers[1].poll()
        assert json.loads(line[1:]) == [client_event("private-a", DATA)]

    async def test_what_is_known_of_a_member_arrives_in_both_messages(self, relay: RunningRelay) -> None:
        early = await in_channel(relay, "presence-a", member("1"))
        late = await relay.connect()
        joined = await late.subscribe("presence-a", f'{{"user_id":"2","user_info":{DATA}}}')
        info = json.loads(DATA)
        assert joined["data"]["presence"]["hash"] == {"1": {}, "2": info}
        assert (await early.told())[0]["data"] == {"user_id": "2", "user_info": info}

    async def test_a_name_with_half_of_a_character_is_refused_for_that(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        await client.send_text(f'{{"event":"client-{HALF}","channel":"private-a"}}')
        assert HALF in (await client.receive())["data"]["message"]


class TestBackEnds:
    # The escape in the text that is published, and the text that is published with half of a character in it.
    @pytest.mark.parametrize("data", [DATA, f"{HALF} й", "\ud83d й"], ids=["in JSON", "in text", "as a character"])
    async def test_published_data_arrives_as_it_was(self, relay: RunningRelay, data: str) -> None:
        client = await in_channel(relay, "cache-a")
        await client.told()
        assert (await relay.trigger("cache-a", data=data)).status == 200
        batch = [{"name": "event", "channel": "cache-a", "data": data}]
        assert (await relay.post("/batch_events", {"batch": batch})).status == 200
        late = await in_channel(relay, "cache-a")
        for told in (await client.told(), await late.told()):
            assert {event["data"] for event in told} == {data}
        cached = await relay.get("/channels/cache-a", info="cache")
        assert cached.json["cache"]["data"] == data

    async def test_our_own_client_sends_and_asks_for_it(self, relay: RunningRelay) -> None:
        async with PushlerClient(APP.key, APP.secret, app_id=APP.id, url=relay.url) as back_end:
            await back_end.trigger("cache-a", "event", "\ud83d")
            channel: dict[str, Any] = await back_end.channel("cache-a", info=["cache"])
            assert channel["cache"]["data"] == "\ud83d"
            await back_end.trigger("cache-a", "event", {"text": "\ud83d"})
            channel = await back_end.channel("cache-a", info=["cache"])
            assert json.loads(channel["cache"]["data"]) == {"text": "\ud83d"}

    async def test_a_name_with_half_of_a_character_is_refused_for_that(self, relay: RunningRelay) -> None:
        answer = await relay.trigger("a", name="\ud83d")
        assert (answer.status, answer.json["error"]) == (
            400,
            f"Invalid body: half of a character, {HALF} without its other half, in `name`",
        )

    @pytest.mark.parametrize(("data", "told"), [(f'"{HALF}"', "\ud83d"), (DATA, DATA)])
    def test_webhooks_tell_of_it(self, data: str, told: str) -> None:
        app = replace(APP, webhooks=(Webhook("https://shop.example/webhooks"),))
        relay = Relay(app)
        client = relay.client(app)
        client.subscribe("private-a")
        relay.webhooks.take()
        client.send(client_event("private-a", data).encode())
        ((_, fields),) = relay.webhooks.take()
        assert fields["data"] == told
        event = WebhookEvent("client_event", "private-a", "client-x", told)
        assert json.loads(body_of([event], 0.0))["events"][0]["data"] == told
