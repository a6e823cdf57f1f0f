"""The parts together, with the real relay: events reach a subscriber, tickets are swept, a stop delivers the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest

from relay.config import Settings as RelaySettings
from relay.server import running as running_relay
from support_api.config import Settings
from tests.support_api.conftest import Start
from tests.support_api.helpers import PATIENCE, Caller, RecordingRelay, eventually, open_ticket


@pytest.fixture
async def real_settings(settings: Settings) -> AsyncIterator[Settings]:
    async with running_relay(RelaySettings(port=0)) as relay:
        yield replace(settings, relay_url=f"http://127.0.0.1:{relay.port}")


class Subscriber:
    """A connection to the relay as a browser makes it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.socket_id = ""

    async def next(self, name: str) -> Any:
        """The data of the next event, which must have this name."""
        message = await asyncio.wait_for(self._socket.receive_json(), PATIENCE)
        assert message["event"] == name, message
        return orjson.loads(message.get("data") or "{}")

    async def join(self, caller: Caller, channel: str) -> None:
        signed = await caller.form("/auth", channel_name=channel, socket_id=self.socket_id)
        assert signed.status == 200, signed.text
        await self._socket.send_json({"event": "pusher:subscribe", "data": {"channel": channel} | signed.json})
        await self.next("pusher_internal:subscription_succeeded")


@asynccontextmanager
async def subscriber(settings: Settings) -> AsyncIterator[Subscriber]:
    url = f"{settings.relay_url}/app/{settings.relay_app_key}?protocol=7"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        one = Subscriber(socket)
        one.socket_id = (await one.next("pusher:connection_established"))["socket_id"]
        yield one


async def test_both_sides_of_a_conversation_hear_each_other_through_the_real_relay(
    real_settings: Settings, start: Start
) -> None:
    running = await start(real_settings)
    operator, olga = await running.online("Olga")
    assert (await running.nobody.get("/ready")).status == 200
    async with subscriber(real_settings) as panel, subscriber(real_settings) as widget:
        await panel.join(olga, f"private-operator-{operator.id}")
        anna = await open_ticket(running.nobody)
        assigned = await panel.next("ticket:assigned")
        assert (assigned["ticket_id"], assigned["message"]) == (anna.ticket_id, "Hello")
        channel = f"private-ticket-{anna.ticket_id}"
        await widget.join(anna.caller, channel)
        await panel.join(olga, channel)
        fields = {"ticket_id": anna.ticket_id, "content": "from anna"}
        await anna.caller.post("/send_support_message", **fields, socket_id=widget.socket_id)
        assert (await panel.next("message:new"))["message"]["content"] == "from anna"
        await olga.post("/typing", ticket_id=anna.ticket_id, socket_id=panel.socket_id)
        # Nothing came before it: the visitor's own message was not sent back to him.
        assert await widget.next("operator:typing") == {"ticket_id": anna.ticket_id}
        await olga.post("/close_ticket", ticket_id=anna.ticket_id)
        assert (await widget.next("ticket:closed"))["closed_by"] == "operator"


async def test_what_was_said_while_the_real_relay_was_down_arrives_when_it_is_back(
    start: Start, settings: Settings
) -> None:
    async with running_relay(RelaySettings(port=0)) as stopped:
        pass
    settings = replace(settings, relay_url=f"http://127.0.0.1:{stopped.port}")
    running = await start(settings)
    anna = await open_ticket(running.nobody)
    for number in range(3):
        sent = await anna.caller.post("/send_support_message", ticket_id=anna.ticket_id, content=f"m{number}")
        assert sent.status == 200
    assert (await running.desk.services.outbox.counts())[0] == 4
    async with running_relay(RelaySettings(port=stopped.port)):

        async def is_delivered() -> bool:
            return await running.desk.services.outbox.counts() == (0, 0)

        await eventually(is_delivered)


async def test_a_second_desk_delivers_what_the_first_one_left(
    start: Start, settings: Settings, relay: RecordingRelay
) -> None:
    relay.status = 503
    first = await start(settings)
    await open_ticket(first.nobody)
    relay.status = 200
    await start(settings)
    heard = await relay.events(1)
    assert heard[0].name == "ticket:new"
