"""pusher-js, unmodified, without WebSocket: by xhr_streaming alone and by xhr_polling alone, in Node and in Chromium.

In Chromium the page's origin is not the relay's, as with its users: the browser asks before each request.
"""

import asyncio
from collections.abc import Iterator

import pytest

from relay.client import PushlerClient
from tests.helpers.processes import RelayProcess, free_port, running_relay
from tests.interop.agents import DEADLINE, NodeAgent, PageAgent, Report
from tests.interop.runtimes import (
    CHROMIUM_8,
    NODE_4,
    NODE_7,
    NODE_8,
    XHR_POLLING,
    XHR_STREAMING,
    Clients,
    ClientsIn,
    Options,
    at_once,
)
from tests.interop.test_pusher_js import GONE_DEADLINE, assert_has_only, subscribe
from tests.interop.test_restart import Restart, Stop, comes_back, ways_to_stop

every_version = pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, NODE_4, CHROMIUM_8])
everywhere = pytest.mark.parametrize("runtime_name", [NODE_8, CHROMIUM_8])
in_chromium = pytest.mark.parametrize("runtime_name", [CHROMIUM_8])
both_transports = pytest.mark.parametrize("transport", [XHR_STREAMING, XHR_POLLING])
streaming = pytest.mark.parametrize("transport", [XHR_STREAMING])
polling = pytest.mark.parametrize("transport", [XHR_POLLING])

# The client reopens its session when it has read 256 KiB.
LONG_EVENTS = [f"{number:03} 🙂 é " + "x" * 8_000 for number in range(40)]


@pytest.mark.crosses_nodes
@pytest.mark.tried("public channels")
@pytest.mark.tried("private channels")
@every_version
@both_transports
async def test_subscriber_of_public_and_private_channels_receives_events(
    clients: Clients, publisher: PushlerClient
) -> None:
    channels = ["http-news", "private-http-orders"]
    agent = await clients.pusher()
    for channel in channels:
        await subscribe(agent, channel)
    await publisher.trigger(channels, "greeting", {"text": "Привет, 世界 🙂\n\u2028"})
    for channel in channels:
        event = await agent.take(kind="event", channel=channel, event="greeting")
        assert event["data"] == {"text": "Привет, 世界 🙂\n\u2028"}


@pytest.mark.crosses_nodes
@pytest.mark.tried("presence channels: members come and go")
@every_version
@both_transports
async def test_members_of_a_presence_channel_see_each_other_come_and_go(clients: Clients) -> None:
    channel = "presence-http-room"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    await subscribe(ann, channel)
    both = await subscribe(bob, channel)
    assert (both["count"], both["members"]) == (2, {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}})
    joined = await ann.take(channel=channel, event="pusher:member_added")
    assert joined["data"] == {"id": "bob", "info": {"name": "Bob"}}
    await bob.call("unsubscribe", channel=channel)
    assert (await ann.take(channel=channel, event="pusher:member_removed"))["data"]["id"] == "bob"
    assert (await ann.call("members", channel=channel))["members"] == {"ann": {"name": "Ann"}}
    await ann.call("unsubscribe", channel=channel)


@pytest.mark.tried("presence channels: a client disconnects or dies")
@everywhere
@both_transports
async def test_member_whose_client_disconnects_or_dies_is_removed(clients: Clients) -> None:
    channel = "presence-http-leaving"
    ann, bob, eve = [await clients.pusher(user) for user in ("ann", "bob", "eve")]
    for agent in (ann, bob, eve):
        await subscribe(agent, channel)
    await bob.call("disconnect")
    await eve.close()
    gone = [await ann.take(event="pusher:member_removed", within=GONE_DEADLINE) for _ in range(2)]
    assert {report["data"]["id"] for report in gone} == {"bob", "eve"}


@pytest.mark.tried("client events")
@every_version
@both_transports
async def test_client_events_go_both_ways_and_never_back_to_the_sender(
    clients: Clients, publisher: PushlerClient
) -> None:
    channel = "private-http-typing"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    for agent in (ann, bob):
        await subscribe(agent, channel)
    assert await ann.call("trigger", channel=channel, event="client-from-ann", data={"typing": True})
    assert (await bob.take(kind="event", event="client-from-ann"))["data"] == {"typing": True}
    assert await bob.call("trigger", channel=channel, event="client-from-bob", data={"typing": False})
    assert (await ann.take(kind="event", event="client-from-bob"))["data"] == {"typing": False}
    await assert_has_only(publisher, channel, {ann: ["client-from-bob"], bob: ["client-from-ann"]})


@pytest.mark.tried("client events")
@everywhere
@both_transports
async def test_client_events_are_exchanged_with_a_client_that_has_a_websocket(clients: Clients) -> None:
    channel = "presence-http-mixed"
    ann = await clients.pusher("ann")
    bob = await clients.pusher("bob", enabledTransports=["ws"])
    for agent in (ann, bob):
        await subscribe(agent, channel)
        await agent.call("listen", channel=channel, event="client-hello")
    await ann.call("trigger", channel=channel, event="client-hello", data={"from": "ann"})
    heard = await bob.take(kind="heard")
    assert (heard["data"], heard["user_id"]) == ({"from": "ann"}, "ann")
    await bob.call("trigger", channel=channel, event="client-hello", data={"from": "bob"})
    heard = await ann.take(kind="heard")
    assert (heard["data"], heard["user_id"]) == ({"from": "bob"}, "bob")


@pytest.mark.tried("300 KiB in one session")
@every_version
@both_transports
async def test_session_goes_on_without_loss_after_the_client_reopened_it(
    clients: Clients, publisher: PushlerClient
) -> None:
    channel = "http-long"
    agent = await clients.pusher()
    await subscribe(agent, channel)
    socket_id = await agent.call("socketId")
    for text in LONG_EVENTS:
        await publisher.trigger(channel, "long", text)
    await publisher.trigger(channel, "the-end", {})
    await agent.take(channel=channel, event="the-end")
    assert [report["data"] for report in agent.seen(channel=channel, event="long")] == LONG_EVENTS
    assert await agent.call("socketId") == socket_id
    assert len(agent.seen(kind="state", current="connected")) == 1


@pytest.mark.tried("300 KiB in one session")
@in_chromium
@streaming
async def test_client_did_reopen_its_session(clients: Clients, publisher: PushlerClient) -> None:
    agent = await clients.start("pusher")
    assert isinstance(agent, PageAgent)
    opened: asyncio.Queue[str] = asyncio.Queue()
    agent.page.on("request", lambda request: opened.put_nowait(request.url.partition("?")[0]))
    await clients.connect(agent)
    await agent.take(kind="state", current="connected")
    await subscribe(agent, "http-reopened")
    for text in LONG_EVENTS:
        await publisher.trigger("http-reopened", "long", text)
    await publisher.trigger("http-reopened", "the-end", {})
    await agent.take(event="the-end")
    # If all came at once, the client reopens only after it has handled the end.
    received: list[str] = []
    while len(received) < 2:
        url = await asyncio.wait_for(opened.get(), DEADLINE)
        received += [url] if url.endswith("/xhr_streaming") else []
    assert len(set(received)) == 1


@pytest.mark.tried("a client that hangs between two requests")
@every_version
@both_transports
async def test_client_that_hangs_for_a_while_loses_nothing(clients: Clients, publisher: PushlerClient) -> None:
    channel = "private-http-gap"
    agent = await clients.pusher()
    await subscribe(agent, channel)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.call("hang", seconds=2))
        # Several requests' worth: after the first event the poll is over, and no other comes while the client hangs.
        for number in range(5):
            await publisher.trigger(channel, "counted", number)
            await asyncio.sleep(0.2)
    await assert_has_only(publisher, channel, {agent: ["counted"] * 5})
    assert [report["data"] for report in agent.seen(channel=channel, event="counted")] == list(range(5))
    assert len(agent.seen(kind="state", current="connected")) == 1


@pytest.mark.tried("wrong key: told, no further attempt")
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, NODE_4])
@both_transports
async def test_client_of_an_unknown_key_is_told_and_does_not_try_again_in_node(clients: Clients) -> None:
    agent = await clients.start("pusher")
    assert isinstance(agent, NodeAgent)
    await agent.call("connect", key="no-such-key", options=clients.options("ann", "official-sdk"))
    assert (await agent.take(kind="error"))["error"]["error"]["data"]["code"] == 4001
    await agent.take(kind="state", current="disconnected")
    # A client that waits to try again keeps Node running.
    await agent.call("detach")
    assert await agent.wait_for_exit() == 0
    assert len(agent.seen(kind="state")) == 1


@pytest.mark.tried("wrong key: told, no further attempt")
@in_chromium
@both_transports
async def test_client_of_an_unknown_key_is_told_and_does_not_try_again_in_chromium(clients: Clients) -> None:
    agent = await clients.start("pusher")
    assert isinstance(agent, PageAgent)
    await agent.page.clock.install()
    await agent.call("connect", key="no-such-key", options=clients.options("ann", "official-sdk"))
    assert (await agent.take(kind="error"))["error"]["error"]["data"]["code"] == 4001
    await agent.take(kind="state", current="disconnected")
    await agent.page.clock.run_for("10:00")
    assert len(agent.seen(kind="state")) == 1


@pytest.mark.tried("preflights of a page of another origin")
@in_chromium
@both_transports
async def test_browser_asks_before_the_requests_of_a_page_of_another_origin(clients: Clients) -> None:
    agent = await clients.start("pusher")
    assert isinstance(agent, PageAgent)
    preflights: list[Report] = []
    debugger = await agent.page.context.new_cdp_session(agent.page)
    debugger.on("Network.requestWillBeSent", lambda sent: preflights.append(sent) if is_preflight(sent) else None)
    await debugger.send("Network.enable")
    await clients.connect(agent)
    await subscribe(agent, "http-preflight")
    asked = {sent["request"]["url"].partition("?")[0].rpartition("/")[2] for sent in preflights}
    assert asked == {"xhr_send", "xhr_streaming" if "xhr_streaming" in str(clients.transport) else "xhr"}


def is_preflight(sent: Report) -> bool:
    """Whether Chromium's network events tell of a request that asks for permission."""
    return bool(sent["request"]["method"] == "OPTIONS")


@pytest.mark.tried("WebSocket is blocked: the client falls back")
@everywhere
@pytest.mark.parametrize("transport", [pytest.param({"wsPort": 0}, id="all transports", marks=pytest.mark.over("xhr"))])
async def test_client_whose_websockets_are_blocked_falls_back_by_itself(
    clients: Clients, publisher: PushlerClient, transport: Options
) -> None:
    transport["wsPort"] = transport["wssPort"] = free_port()
    agent = await clients.pusher()
    await subscribe(agent, "http-fallback")
    await publisher.trigger("http-fallback", "greeting", {})
    await agent.take(channel="http-fallback", event="greeting")


class TestRestart:
    """With a relay of its own, since it is stopped."""

    @pytest.fixture
    def relay(self) -> Iterator[RelayProcess]:
        with running_relay() as relay:
            yield relay

    @pytest.mark.tried("the relay stops or crashes and comes back")
    @ways_to_stop
    @at_once("runtime_names", NODE_8, CHROMIUM_8)
    @at_once("transports", XHR_STREAMING, XHR_POLLING)
    async def test_client_comes_back_after_a_restart_and_goes_on_receiving(
        self,
        clients_in: ClientsIn,
        relay: RelayProcess,
        publisher: PushlerClient,
        stop: Stop,
        runtime_names: list[str],
        transports: list[Options],
    ) -> None:
        several = [await clients_in(name, transport) for name in runtime_names for transport in transports]
        agents = [await clients.pusher("ann") for clients in several]
        restart = Restart(relay, stop, len(agents))
        async with asyncio.TaskGroup() as tasks:
            for number, agent in enumerate(agents):
                tasks.create_task(comes_back(agent, str(number), publisher, restart))
