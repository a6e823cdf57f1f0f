"""pusher-js, unmodified, on an idle connection: who pings, who answers, and that nobody hangs up."""

from collections.abc import Iterator

import pytest

from tests.helpers.processes import RelayProcess, running_relay
from tests.interop.runtimes import CHROMIUM_8, NODE_8, Clients

everywhere = pytest.mark.parametrize("runtime_name", [NODE_8, CHROMIUM_8])

ACTIVITY_TIMEOUT = 1


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    """A relay that tells its clients to ping after one second of silence."""
    with running_relay(activity_timeout=ACTIVITY_TIMEOUT) as relay:
        yield relay


@pytest.mark.tried("idle connections: pings")
@everywhere
async def test_idle_client_pings_at_its_own_pace_and_stays_connected(clients: Clients) -> None:
    agent = await clients.pusher(activityTimeout=50, pongTimeout=5_000)
    socket_id = await agent.call("socketId")
    for _ in range(5):
        assert (await agent.take(kind="protocol", event="pusher:pong"))["data"] == {}
    assert await agent.call("socketId") == socket_id
    assert len(agent.seen(kind="state", current="connected")) == 1


@pytest.mark.tried("idle connections: pings")
@everywhere
async def test_idle_client_pings_after_the_time_that_the_relay_tells(clients: Clients) -> None:
    agent = await clients.pusher()
    for _ in range(2):
        await agent.take(kind="protocol", event="pusher:pong", within=ACTIVITY_TIMEOUT + 10)
    assert await agent.call("state") == "connected"
