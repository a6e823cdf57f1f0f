"""pusher-js, unmodified, over four workers: by its XHR transports, whose requests meet any of them."""

from collections.abc import Iterator, Sequence

import pytest

from relay.client import PushlerClient
from tests.helpers.parts import REDIS, require
from tests.helpers.processes import RelayProcess, running_relay
from tests.interop.agents import Agent
from tests.interop.runtimes import NODE_8, XHR_POLLING, XHR_STREAMING, Clients
from tests.interop.test_pusher_js import subscribe

WORKERS = 4


@pytest.fixture(scope="module")
def workers() -> Iterator[RelayProcess]:
    require(REDIS)
    with running_relay(workers=WORKERS) as relay:
        yield relay


@pytest.fixture
def relay(workers: RelayProcess) -> RelayProcess:
    """The relay of these tests."""
    return workers


@pytest.mark.tried("several workers on one port")
@pytest.mark.parametrize("runtime_name", [NODE_8])
@pytest.mark.parametrize("transport", [XHR_STREAMING, XHR_POLLING])
async def test_clients_of_all_workers_are_in_one_channel(
    clients: Clients, publisher: PushlerClient, request: pytest.FixtureRequest
) -> None:
    channel = f"presence-workers-{'polling' in request.node.name}"
    agents = [await clients.pusher(user) for user in ("ann", "bob", "eve", "dan", "kim")]
    for count, agent in enumerate(agents, 1):
        assert (await subscribe(agent, channel))["count"] == count
    await assert_all_hear(agents, publisher, channel)


async def assert_all_hear(agents: Sequence[Agent], publisher: PushlerClient, channel: str) -> None:
    """The agents, who are in the channel, hear the back end, and the first one of them."""
    await publisher.trigger(channel, "greeting", "hello")
    for agent in agents:
        assert (await agent.take(kind="event", event="greeting"))["data"] == "hello"
    assert await agents[0].call("trigger", channel=channel, event="client-x", data="psst")
    for agent in agents[1:]:
        assert (await agent.take(kind="event", event="client-x"))["data"] == "psst"
