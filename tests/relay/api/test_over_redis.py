"""The API of a relay whose Redis answers late, or not at all: what back ends get on their connections."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from tests.helpers.proxy import Proxy
from tests.helpers.redis import RedisServer
from tests.helpers.relay import RunningRelay, Wire, running_relay


@pytest.fixture
async def way(redis: RedisServer) -> AsyncIterator[Proxy]:
    """The relay's way to its Redis."""
    async with Proxy(str(redis.path)).running() as proxy:
        yield proxy


@pytest.fixture
async def relay(way: Proxy) -> AsyncIterator[RunningRelay]:
    async with running_relay(redis_url=f"redis://127.0.0.1:{way.port}") as running:
        yield running


def trigger(relay: RunningRelay, name: str, **fields: object) -> bytes:
    """A whole request that publishes an event to the channel a."""
    body = json.dumps({"name": name, "data": "", "channel": "a"} | fields).encode()
    target = relay.target("POST", "/events", body)
    return f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


UP = b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n"


async def asked(relay: RunningRelay, wire: Wire, way: Proxy, requests: bytes) -> None:
    """Send requests, of which the relay has begun to answer the first when this returns; what it asks Redis is held back."""
    way.hold()
    await wire.send(requests)
    # On a connection of their own nobody has to wait.
    assert (await relay.request("GET", "/up")).status == 200


async def test_requests_on_one_connection_are_answered_in_their_order(relay: RunningRelay, way: Proxy) -> None:
    client, wire = await relay.connect(), await relay.wire()
    await client.subscribe("a")
    await asked(relay, wire, way, trigger(relay, "1") + UP + trigger(relay, "2") + trigger(relay, "3") + UP)
    way.release()
    bodies = [await wire.answer() for _ in range(5)]
    assert bodies == [(200, b"{}"), (200, b'{"ok":true}'), (200, b"{}"), (200, b"{}"), (200, b'{"ok":true}')]
    assert [(await client.receive())["event"] for _ in range(3)] == ["1", "2", "3"]


async def test_an_event_of_a_back_end_that_is_gone_by_then_is_delivered(relay: RunningRelay, way: Proxy) -> None:
    client, wire = await relay.connect(), await relay.wire()
    await client.subscribe("a")
    await asked(relay, wire, way, trigger(relay, "1") + trigger(relay, "2"))
    # At once: an end in order might be half of one, by somebody who still waits for answers.
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.writer.transport.abort()
    assert (await relay.request("GET", "/up")).status == 200
    way.release()
    assert (await client.receive())["event"] == "1"
    # What stood behind it was never looked at.
    await relay.trigger("a", "3")
    assert (await client.receive())["event"] == "3"


async def test_a_back_end_that_sends_no_more_is_answered_and_let_go(relay: RunningRelay, way: Proxy) -> None:
    wire = await relay.wire()
    await asked(relay, wire, way, trigger(relay, "1"))
    wire.writer.write_eof()
    way.release()
    assert (await wire.rest()).endswith(b"\r\n\r\n{}")


async def test_where_the_way_to_redis_is_cut_meanwhile_nobody_knows_and_the_key_makes_a_repetition_safe(
    relay: RunningRelay, way: Proxy
) -> None:
    client, wire = await relay.connect(), await relay.wire()
    await client.subscribe("a")
    way.swallow("down")
    await wire.send(trigger(relay, "1", idempotency_key="k-1"))
    status, body = await wire.answer()
    assert (status, "it may have been published" in json.loads(body)["error"]) == (503, True)
    way.swallow()
    async with asyncio.timeout(10):
        while (await relay.trigger("a", "1", "", idempotency_key="k-1")).status != 200:  # noqa: ASYNC110 - from outside
            await asyncio.sleep(0.01)
    await relay.trigger("a", "2")
    assert [(await client.receive())["event"] for _ in range(2)] == ["1", "2"]


async def test_a_stop_lets_no_request_go_without_an_answer(relay: RunningRelay, way: Proxy) -> None:
    wire = await relay.wire()
    await asked(relay, wire, way, trigger(relay, "1"))
    stopping = asyncio.ensure_future(relay.stop())
    await asyncio.sleep(0)
    way.release()
    answer = await wire.rest()
    await stopping
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 "))
    assert b"\r\nConnection: close\r\n" in answer
