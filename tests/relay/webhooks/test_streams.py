"""What back ends are told of a relay of several nodes: each event once, in order, by whichever node is there."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from relay.apps import App, Webhook
from relay.cluster.redis import hooks
from relay.webhooks.streams import name_of
from tests.helpers.clients import APP, member
from tests.helpers.redis import RedisServer
from tests.helpers.relay import RunningRelay, running_relay
from tests.relay.webhooks.receiver import Receiver


def app_of(receiver: Receiver, **filters: Any) -> App:
    return replace(APP, webhooks=(Webhook(receiver.url, **filters),))


class Nodes:
    """Two nodes over one Redis, started and stopped each by itself."""

    def __init__(self, redis: RedisServer, app: App) -> None:
        self._redis = redis
        self._app = app
        self._stacks: list[AsyncExitStack] = []

    async def start(self) -> RunningRelay:
        stack = AsyncExitStack()
        self._stacks.append(stack)
        return await stack.enter_async_context(running_relay(self._app, redis_url=self._redis.unix_url))

    async def stop(self, at: int) -> None:
        await self._stacks[at].aclose()

    async def stop_all(self) -> None:
        for stack in self._stacks:
            await stack.aclose()


@pytest.fixture(autouse=True)
def quick_leaders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "RENEWED", 0.1)


@pytest.fixture
async def nodes(redis: RedisServer, receiver: Receiver) -> AsyncIterator[Nodes]:
    nodes = Nodes(redis, app_of(receiver))
    yield nodes
    await nodes.stop_all()


class TestSeveralNodes:
    async def test_each_event_is_told_once_whichever_node_it_happened_on(
        self, nodes: Nodes, receiver: Receiver
    ) -> None:
        one, two = await nodes.start(), await nodes.start()
        anna, boris = await one.connect(), await two.connect()
        await anna.subscribe("presence-room", member("anna"))
        await boris.subscribe("presence-room", member("boris"))
        await anna.receive()
        await boris.send("client-hello", {"text": "\u0436"}, "presence-room")
        told = [await receiver.event() for _ in range(4)]
        assert [(event["name"], event.get("user_id")) for event in told] == [
            ("channel_occupied", None),
            ("member_added", "anna"),
            ("member_added", "boris"),
            ("client_event", "boris"),
        ]

    async def test_events_carry_ids_by_which_a_repeated_one_is_known(self, nodes: Nodes, receiver: Receiver) -> None:
        node = await nodes.start()
        receiver.statuses = [500]
        await (await node.connect()).subscribe("a")
        (first, body), (again, same) = await receiver.request(), await receiver.request()
        assert first["X-Pushdesk-Webhook-Ids"] == again["X-Pushdesk-Webhook-Ids"]
        _epoch, partition, number, queued_at = first["X-Pushdesk-Webhook-Ids"].split(".")
        assert (partition, number) == ("0", "1")
        # After a fail-over another event may have the number.
        assert abs(int(queued_at, 16) / 1e6 - time.time()) < 60
        assert body != same, "each attempt has a time of its own"

    async def test_a_node_that_stops_leaves_what_waits_to_the_others(self, nodes: Nodes, receiver: Receiver) -> None:
        one, two = await nodes.start(), await nodes.start()
        await (await one.connect()).subscribe("a")
        assert (await receiver.event())["name"] == "channel_occupied"
        await nodes.stop(0)
        await (await two.connect()).subscribe("b")
        told = [await receiver.event() for _ in range(2)]
        assert {(event["name"], event["channel"]) for event in told} == {
            ("channel_occupied", "b"),
            ("channel_vacated", "a"),
        }

    async def test_what_happened_while_the_back_end_did_not_answer_is_told_in_order_by_the_next_node(
        self, nodes: Nodes, receiver: Receiver
    ) -> None:
        one = await nodes.start()
        receiver.gate.clear()
        client = await one.connect()
        for name in "abc":
            await client.subscribe(name)
        await receiver.request()
        await nodes.start()
        receiver.statuses = [500]
        receiver.gate.set()
        await nodes.stop(0)
        assert [(await receiver.event())["channel"] for _ in range(3)] == ["a", "b", "c"]


class TestTargets:
    def test_a_target_is_another_one_when_anything_of_it_is_changed(self) -> None:
        hooks = [Webhook("http://a/"), Webhook("http://b/"), Webhook("http://a/", channel_prefix="x")]
        assert len({name_of(hook) for hook in hooks}) == 3
        assert name_of(Webhook("http://a/")) == name_of(hooks[0])
