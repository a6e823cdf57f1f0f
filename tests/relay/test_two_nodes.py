"""Two whole relays over one Redis: what clients of either see is what clients of one relay see."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from relay.apps import App
from tests.helpers.clients import APP, app_with, member
from tests.helpers.redis import RedisServer
from tests.helpers.relay import PATIENCE, RunningRelay, running_relay


@pytest.fixture
def app() -> App:
    return APP


@pytest.fixture
async def two(redis: RedisServer, app: App) -> AsyncIterator[tuple[RunningRelay, RunningRelay]]:
    async with running_relay(app, redis_url=redis.unix_url) as one, running_relay(app, redis_url=redis.url) as other:
        yield one, other


async def until_answer(relay: RunningRelay, path: str, expected: Any, **params: str) -> None:
    """Ask until the answer is this."""
    async with asyncio.timeout(PATIENCE):
        while (await relay.get(path, **params)).json != expected:  # noqa: ASYNC110 - an answer from elsewhere
            await asyncio.sleep(0.01)


async def test_an_event_published_on_one_node_reaches_the_subscribers_of_both(
    two: tuple[RunningRelay, RunningRelay],
) -> None:
    clients = [await relay.connect() for relay in two]
    for client in clients:
        assert (await client.subscribe("a"))["event"] == "pusher_internal:subscription_succeeded"
    assert (await two[0].trigger("a", "greeting", "hi")).status == 200
    for client in clients:
        assert await client.receive() == {"event": "greeting", "channel": "a", "data": "hi"}


async def test_the_sender_that_is_left_out_may_be_on_another_node(two: tuple[RunningRelay, RunningRelay]) -> None:
    one, other = [await relay.connect() for relay in two]
    for client in (one, other):
        await client.subscribe("a")
    await two[0].trigger("a", "greeting", "hi", socket_id=other.socket_id)
    assert (await one.receive())["event"] == "greeting"
    await two[0].trigger("a", "second", "hi")
    assert (await other.receive())["event"] == "second"


async def test_a_client_event_reaches_the_other_node(two: tuple[RunningRelay, RunningRelay]) -> None:
    one, other = [await relay.connect() for relay in two]
    for client in (one, other):
        await client.subscribe("private-a")
    await one.send("client-typing", {"is": True}, "private-a")
    assert await other.receive() == {"event": "client-typing", "channel": "private-a", "data": {"is": True}}


async def test_members_of_both_nodes_see_each_other_come_and_go(two: tuple[RunningRelay, RunningRelay]) -> None:
    one, other = [await relay.connect() for relay in two]
    await one.subscribe("presence-a", member("ann"))
    welcome = await other.subscribe("presence-a", member("bob"))
    assert sorted(welcome["data"]["presence"]["ids"]) == ["ann", "bob"]
    assert (await one.receive())["data"] == {"user_id": "bob", "user_info": {}}
    await until_answer(two[0], "/channels/presence-a/users", {"users": [{"id": "ann"}, {"id": "bob"}]})
    await other.websocket.close()
    gone = await one.receive()
    assert (gone["event"], gone["data"]) == ("pusher_internal:member_removed", {"user_id": "bob"})


@pytest.mark.parametrize("app", [app_with(presence_members=1)])
async def test_the_limit_of_members_is_the_clusters(two: tuple[RunningRelay, RunningRelay]) -> None:
    one, other = [await relay.connect() for relay in two]
    await one.subscribe("presence-a", member("ann"))
    refused = await other.subscribe("presence-a", member("bob"))
    assert refused["event"] == "pusher:subscription_error"


async def test_either_node_lists_the_channels_of_both(two: tuple[RunningRelay, RunningRelay]) -> None:
    one, other = [await relay.connect() for relay in two]
    await one.subscribe("a")
    await other.subscribe("b")
    await other.subscribe("a")
    expected = {"channels": {"a": {"subscription_count": 2}, "b": {"subscription_count": 1}}}
    for relay in two:
        await until_answer(relay, "/channels", expected, info="subscription_count")


async def test_a_cache_channel_greets_with_what_was_published_on_the_other_node(
    two: tuple[RunningRelay, RunningRelay],
) -> None:
    await two[0].trigger("cache-a", "last", "1")
    client = await two[1].connect()
    await client.subscribe("cache-a")
    assert await client.receive() == {"event": "last", "channel": "cache-a", "data": "1"}


async def test_a_publish_with_a_known_key_is_not_repeated_on_the_other_node(
    two: tuple[RunningRelay, RunningRelay],
) -> None:
    client = await two[0].connect()
    await client.subscribe("a")
    first = await two[0].trigger("a", "once", "1", idempotency_key="row-1")
    second = await two[1].trigger("a", "once", "1", idempotency_key="row-1")
    assert (first.status, second.status) == (200, 200)
    assert "X-Idempotent-Replay" not in first.headers
    assert second.headers["X-Idempotent-Replay"] == "1"
    await two[0].trigger("a", "other", "2")
    assert [(await client.receive())["event"] for _ in range(2)] == ["once", "other"]


async def test_without_redis_publishing_says_503_and_the_relay_is_not_ready_after_some_seconds(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
) -> None:
    monkeypatch.setattr("relay.cluster.redis.cluster.READY_TIMEOUT", 0.0)
    async with running_relay(redis_url=own_redis.unix_url) as relay:
        client = await relay.connect()
        await client.subscribe("a")
        own_redis.kill()
        async with asyncio.timeout(PATIENCE):
            while (await relay.request("GET", "/ready")).status != 503:  # noqa: ASYNC110 - asked from outside
                await asyncio.sleep(0.01)
        refused = await relay.trigger("a", "lost", "1")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert await client.told() == []
        own_redis.start()
        async with asyncio.timeout(PATIENCE):
            while (await relay.trigger("a", "heard", "1")).status != 200:  # noqa: ASYNC110 - asked from outside
                await asyncio.sleep(0.01)
        assert (await client.receive())["event"] == "heard"
    # Redis came back empty: nobody knows what other nodes published meanwhile.
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["messages_missed"]
    logged.clear()


async def test_a_relay_does_not_start_without_its_redis(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.cluster.redis.cluster.START_TIMEOUT", 0.1)
    own_redis.kill()
    async with AsyncExitStack() as stack:
        with pytest.raises(ConnectionError, match="the other nodes cannot be reached: Redis at"):
            await stack.enter_async_context(running_relay(redis_url=own_redis.unix_url))


async def test_clients_that_missed_something_are_had_to_come_back_where_the_settings_say_so(
    own_redis: RedisServer, logged: list[MutableMapping[str, Any]]
) -> None:
    async with running_relay(redis_url=own_redis.unix_url, on_gap="reconnect") as relay:
        client, other = await relay.connect(), await relay.connect()
        await client.subscribe("a")
        own_redis.restart()
        assert await client.closed() == (4200, "messages may have been missed")
        assert await other.told() == []
    logged.clear()


async def test_who_comes_back_on_another_node_when_theirs_stops_has_not_been_away(redis: RedisServer) -> None:
    async with (
        running_relay(redis_url=redis.unix_url, stop_spread=0.2) as leaving,
        running_relay(redis_url=redis.unix_url) as staying,
    ):
        ann, bob = await leaving.connect(), await staying.connect()
        await bob.subscribe("presence-a", member("bob"))
        await ann.subscribe("presence-a", member("ann"))
        assert (await bob.receive())["event"] == "pusher_internal:member_added"
        stopping = asyncio.create_task(leaving.running.node.stop(0.2))
        assert (await ann.closed())[0] == 4200
        again = await staying.connect()
        welcome = await again.subscribe("presence-a", member("ann"))
        assert sorted(welcome["data"]["presence"]["ids"]) == ["ann", "bob"]
        await stopping
        await staying.trigger("presence-a", "after", "1")
        assert [(await client.receive())["event"] for client in (bob, again)] == ["after", "after"]
        await until_answer(staying, "/channels/presence-a/users", {"users": [{"id": "bob"}, {"id": "ann"}]})
