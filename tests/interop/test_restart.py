"""pusher-js and Laravel Echo, unmodified, when the relay stops or crashes and comes back on the same address."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from relay.client import PushlerClient
from tests.helpers.processes import RelayProcess, running_relay
from tests.interop.agents import Agent
from tests.interop.runtimes import (
    CHROMIUM_8,
    ECHO_IN_CHROMIUM,
    ECHO_IN_NODE,
    NODE_4,
    NODE_7,
    NODE_8,
    Clients,
    ClientsIn,
    at_once,
)

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


class Restart:
    """Stops the relay, and starts it again where it was, when all who take part have come to it: the clients of all runtimes
    wait for their next attempts together."""

    def __init__(self, relay: RelayProcess, stop: Stop, parts: int) -> None:
        self._relay = relay
        self._stop = stop
        self._all = asyncio.Barrier(parts)

    async def __call__(self) -> None:
        """Take part; returns when the relay is back. It is done in other threads: the back end answers meanwhile."""
        if await self._all.wait() == 0:
            await asyncio.to_thread(self._stop, self._relay)
            await asyncio.to_thread(self._relay.start)
        await self._all.wait()


async def comes_back(agent: Agent, name: str, publisher: PushlerClient, restart: Restart) -> None:
    """A pusher-js that is in its channels again after the restart, and goes on receiving. `name` is nobody else's."""
    channels = [f"news-{name}", f"private-orders-{name}", f"presence-room-{name}"]
    for channel in channels:
        await agent.call("subscribe", channel=channel)
        await agent.take(channel=channel, event=SUCCEEDED)
    old_socket_id = await agent.call("socketId")
    await publisher.trigger(channels, "before", {})
    for channel in channels:
        await agent.take(channel=channel, event="before")

    await restart()

    for channel in channels:
        confirmed = await agent.take(channel=channel, event=SUCCEEDED, within=RECONNECT_DEADLINE)
    assert confirmed["data"]["members"] == {"ann": {"name": "Ann"}}
    assert await agent.call("socketId") != old_socket_id
    await publisher.trigger(channels, "after", {})
    for channel in channels:
        await agent.take(channel=channel, event="after")
        assert len(agent.seen(channel=channel, event="before")) == 1
        assert len(agent.seen(channel=channel, event="after")) == 1


async def meet_again(ann: Agent, bob: Agent, name: str, restart: Restart) -> None:
    """Two who see and hear each other again after the restart."""
    channel = f"presence-meeting-{name}"
    for agent in (ann, bob):
        await agent.call("subscribe", channel=channel)
        await agent.take(channel=channel, event=SUCCEEDED)

    await restart()

    for agent in (ann, bob):
        await agent.take(channel=channel, event=SUCCEEDED, within=RECONNECT_DEADLINE)
    await ann.call("trigger", channel=channel, event="client-hello", data={"again": True})
    assert (await bob.take(kind="event", event="client-hello"))["data"] == {"again": True}
    assert (await bob.call("members", channel=channel))["count"] == 2


async def echo_comes_back(echo: Agent, name: str, publisher: PushlerClient, restart: Restart) -> None:
    """An Echo that goes on receiving."""
    await echo.call("open", how="private", name=name)
    await echo.call("listen", how="private", name=name, event=".shipped")
    await echo.take(kind="subscribed", name=name)

    await restart()

    await echo.take(kind="subscribed", name=name, within=RECONNECT_DEADLINE)
    await publisher.trigger(f"private-{name}", "shipped", {"order": 3})
    assert (await echo.take(kind="event", name=name))["data"] == {"order": 3}
    assert len(echo.seen(kind="event", name=name)) == 1


@pytest.mark.tried("the relay stops or crashes and comes back")
@ways_to_stop
@at_once("runtime_names", NODE_8, NODE_4, CHROMIUM_8)
@at_once("echo_names", ECHO_IN_NODE, ECHO_IN_CHROMIUM)
async def test_clients_come_back_after_a_restart_receive_and_meet_again(
    clients_in: ClientsIn,
    relay: RelayProcess,
    publisher: PushlerClient,
    stop: Stop,
    runtime_names: list[str],
    echo_names: list[str],
) -> None:
    restart = Restart(relay, stop, 2 * len(runtime_names) + len(echo_names))
    runtimes = {name: await clients_in(name) for name in runtime_names}
    alone = [await clients.pusher("ann") for clients in runtimes.values()]
    pairs = [(await clients.pusher("ann"), await clients.pusher("bob")) for clients in runtimes.values()]
    echoes = [await (await clients_in(name)).echo("reverb") for name in echo_names]
    async with asyncio.TaskGroup() as tasks:
        for name, agent, (ann, bob) in zip(runtimes, alone, pairs, strict=True):
            tasks.create_task(comes_back(agent, name, publisher, restart))
            tasks.create_task(meet_again(ann, bob, name, restart))
        for name, echo in zip(echo_names, echoes, strict=True):
            tasks.create_task(echo_comes_back(echo, f"orders-{name}", publisher, restart))


@pytest.mark.tried("the relay stops or crashes and comes back")
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, NODE_4, CHROMIUM_8])
async def test_client_of_a_stopping_relay_pauses_before_it_tries_again(clients: Clients, relay: RelayProcess) -> None:
    # At once it would find nobody, and then it lets 15 s pass before its next attempt.
    agent = await clients.pusher()
    assert await asyncio.to_thread(relay.terminate) == 0
    error = (await agent.take(kind="error"))["error"]
    # Version 4 wraps what the later ones hand over.
    assert error.get("error", error)["data"] == {"code": 4100, "message": "the server is restarting"}
