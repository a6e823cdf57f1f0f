"""pusher-js and Laravel Echo, unmodified, when the relay stops or crashes and comes back on the same address."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from relay.client import PushlerClient
from tests.helpers.processes import RelayProcess, running_relay
from tests.interop.runtimes import CHROMIUM_8, ECHO_IN_CHROMIUM, ECHO_IN_NODE, NODE_4, NODE_7, NODE_8, Clients

SUCCEEDED = "pusher:subscription_succeeded"

# Seconds: pusher-js tries after 1, 16 and 46 s, and a busy machine may miss the first two.
RECONNECT_DEADLINE = 60

Stop = Callable[[RelayProcess], object]

ways_to_stop = pytest.mark.parametrize(
    "stop",
    [pytest.param(RelayProcess.terminate, id="SIGTERM"), pytest.param(RelayProcess.kill, id="kill -9")],
)


@pytest.fixture
def relay() -> Iterator[RelayProcess]:
    """A relay of this test alone, since it is stopped."""
    with running_relay() as relay:
        yield relay


async def restart(relay: RelayProcess, stop: Stop) -> None:
    """Stop the relay, then start it again where it was. Other threads: the back end answers meanwhile."""
    await asyncio.to_thread(stop, relay)
    await asyncio.to_thread(relay.start)


@pytest.mark.tried("the relay stops or crashes and comes back")
@ways_to_stop
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_4, CHROMIUM_8])
async def test_client_comes_back_after_a_restart_and_goes_on_receiving(
    clients: Clients, relay: RelayProcess, publisher: PushlerClient, stop: Stop
) -> None:
    channels = ["news", "private-orders", "presence-room"]
    agent = await clients.pusher("ann")
    for channel in channels:
        await agent.call("subscribe", channel=channel)
        await agent.take(channel=channel, event=SUCCEEDED)
    old_socket_id = await agent.call("socketId")
    await publisher.trigger(channels, "before", {})
    for channel in channels:
        await agent.take(channel=channel, event="before")

    await restart(relay, stop)

    for channel in channels:
        confirmed = await agent.take(channel=channel, event=SUCCEEDED, within=RECONNECT_DEADLINE)
    assert confirmed["data"]["members"] == {"ann": {"name": "Ann"}}
    assert await agent.call("socketId") != old_socket_id
    await publisher.trigger(channels, "after", {})
    for channel in channels:
        await agent.take(channel=channel, event="after")
        assert len(agent.seen(channel=channel, event="before")) == 1
        assert len(agent.seen(channel=channel, event="after")) == 1


@pytest.mark.tried("the relay stops or crashes and comes back")
@ways_to_stop
@pytest.mark.parametrize("runtime_name", [NODE_8, CHROMIUM_8])
async def test_client_events_and_members_work_again_after_a_restart(
    clients: Clients, relay: RelayProcess, stop: Stop
) -> None:
    channel = "presence-room"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    for agent in (ann, bob):
        await agent.call("subscribe", channel=channel)
        await agent.take(channel=channel, event=SUCCEEDED)

    await restart(relay, stop)

    for agent in (ann, bob):
        await agent.take(channel=channel, event=SUCCEEDED, within=RECONNECT_DEADLINE)
    await ann.call("trigger", channel=channel, event="client-hello", data={"again": True})
    assert (await bob.take(kind="event", event="client-hello"))["data"] == {"again": True}
    assert (await bob.call("members", channel=channel))["count"] == 2


@pytest.mark.tried("the relay stops or crashes and comes back")
@ways_to_stop
@pytest.mark.parametrize("runtime_name", [ECHO_IN_NODE, ECHO_IN_CHROMIUM])
async def test_echo_comes_back_after_a_restart_and_goes_on_receiving(
    clients: Clients, relay: RelayProcess, publisher: PushlerClient, stop: Stop
) -> None:
    echo = await clients.echo("reverb")
    await echo.call("open", how="private", name="orders")
    await echo.call("listen", how="private", name="orders", event=".shipped")
    await echo.take(kind="subscribed", name="orders")

    await restart(relay, stop)

    await echo.take(kind="subscribed", name="orders", within=RECONNECT_DEADLINE)
    await publisher.trigger("private-orders", "shipped", {"order": 3})
    assert (await echo.take(kind="event", name="orders"))["data"] == {"order": 3}
    assert len(echo.seen(kind="event", name="orders")) == 1


@pytest.mark.tried("the relay stops or crashes and comes back")
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, NODE_4, CHROMIUM_8])
async def test_client_of_a_stopping_relay_pauses_before_it_tries_again(clients: Clients, relay: RelayProcess) -> None:
    # At once it would find nobody, and then it lets 15 s pass before its next attempt.
    agent = await clients.pusher()
    assert await asyncio.to_thread(relay.terminate) == 0
    error = (await agent.take(kind="error"))["error"]
    # Version 4 wraps what the later ones hand over.
    assert error.get("error", error)["data"] == {"code": 4100, "message": "the server is restarting"}
