"""pusher-js, unmodified, in Node and in Chromium against a real relay: channels, members, client events, refusals."""

from typing import Any

import pytest

from relay.client import PushlerClient
from tests.interop.agents import Agent, NodeAgent, PageAgent, Report
from tests.interop.backend import FORGED, REFUSED, SIGNERS, WITH_DATA, Signer
from tests.interop.runtimes import CHROMIUM_8, NO_WEBSOCKET, NODE_4, NODE_7, NODE_8, WEBSOCKET, Clients, Options

pytestmark = pytest.mark.parametrize("transport", [WEBSOCKET, NO_WEBSOCKET])

every_version = pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, NODE_4, CHROMIUM_8])
everywhere = pytest.mark.parametrize("runtime_name", [NODE_8, CHROMIUM_8])

SUCCEEDED = "pusher:subscription_succeeded"

# Seconds. A client without WebSocket does not say that it leaves: the relay waits for its next request first.
GONE_DEADLINE = 40

# The first attempt begins when the client is made, before it can report: what it reports of connecting is another one.
FURTHER_ATTEMPTS: list[Report] = []


async def subscribe(agent: Agent, channel: str) -> Any:
    """Subscribe and wait for the confirmation; returns its data."""
    await agent.call("subscribe", channel=channel)
    return (await agent.take(channel=channel, event=SUCCEEDED))["data"]


async def assert_has_only(publisher: PushlerClient, channel: str, expected: dict[Agent, list[str]]) -> None:
    """The agents got these events on the channel and no others: what is on its way comes before an event sent now."""
    await publisher.trigger(channel, "the-end", {})
    for agent, events in expected.items():
        await agent.take(channel=channel, event="the-end")
        seen = [report["event"] for report in agent.seen(kind="event", channel=channel)]
        assert [event for event in seen if not event.startswith("pusher:")] == [*events, "the-end"]


@pytest.mark.tried("connect")
@every_version
async def test_client_connects_and_learns_its_socket_id(clients: Clients) -> None:
    agent = await clients.pusher()
    first, _, second = (await agent.call("socketId")).partition(".")
    assert first.isdigit()
    assert second.isdigit()


@pytest.mark.tried("connect")
@everywhere
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"enabledTransports": None}, id="all transports"),
        pytest.param({"cluster": ""}, id="no cluster"),
    ],
)
async def test_client_connects_with_other_options_of_its_users(clients: Clients, options: Options) -> None:
    agent = await clients.pusher(**options)
    assert await subscribe(agent, "all-options") == {}


@pytest.mark.tried("wrong key: told, no further attempt")
@everywhere
async def test_client_of_an_unknown_key_is_told_4001(clients: Clients) -> None:
    agent = await clients.start("pusher")
    await agent.call("connect", key="no-such-key", options=clients.options("ann", "official-sdk"))
    error = (await agent.take(kind="error"))["error"]
    await agent.take(kind="state", current="disconnected")
    assert error["error"]["data"]["code"] == 4001


@pytest.mark.tried("wrong key: told, no further attempt")
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, NODE_4])
async def test_client_of_an_unknown_key_does_not_try_again_in_node(clients: Clients) -> None:
    agent = await clients.start("pusher")
    assert isinstance(agent, NodeAgent)
    await agent.call("connect", key="no-such-key", options=clients.options("ann", "official-sdk"))
    await agent.take(kind="state", current="disconnected")
    # A client that waits to try again keeps Node running.
    await agent.call("detach")
    assert await agent.wait_for_exit() == 0
    assert agent.seen(kind="state", current="connecting") == FURTHER_ATTEMPTS


@pytest.mark.tried("wrong key: told, no further attempt")
@pytest.mark.parametrize("runtime_name", [CHROMIUM_8])
async def test_client_of_an_unknown_key_does_not_try_again_in_chromium(clients: Clients) -> None:
    agent = await clients.start("pusher")
    assert isinstance(agent, PageAgent)
    await agent.page.clock.install()
    await agent.call("connect", key="no-such-key", options=clients.options("ann", "official-sdk"))
    await agent.take(kind="state", current="disconnected")
    await agent.page.clock.run_for("10:00")
    assert await agent.call("state") == "disconnected"
    assert agent.seen(kind="state", current="connecting") == FURTHER_ATTEMPTS


@pytest.mark.crosses_nodes
@pytest.mark.tried("public channels")
@every_version
async def test_subscriber_of_a_public_channel_receives_an_event(clients: Clients, publisher: PushlerClient) -> None:
    channel = "news"
    agent = await clients.pusher()
    await subscribe(agent, channel)
    await publisher.trigger(channel, "greeting", {"text": "Привет, 世界 🙂"})
    event = await agent.take(kind="event", channel=channel, event="greeting")
    assert event["data"] == {"text": "Привет, 世界 🙂"}


@pytest.mark.tried("events: data of any kind, in order")
@everywhere
@pytest.mark.parametrize("data", ["plain text", "", [1, 2.5, None], {"deep": {"er": ["\u2028", "\\", '"']}}, 7, True])
async def test_data_of_an_event_arrives_as_it_was_sent(
    clients: Clients, publisher: PushlerClient, data: object
) -> None:
    agent = await clients.pusher()
    await subscribe(agent, "kinds-of-data")
    await publisher.trigger("kinds-of-data", "greeting", data)
    assert (await agent.take(event="greeting"))["data"] == data


@pytest.mark.tried("events: data of any kind, in order")
@everywhere
async def test_events_arrive_in_the_order_in_which_they_were_sent(clients: Clients, publisher: PushlerClient) -> None:
    channel = "in-order"
    agent = await clients.pusher()
    await subscribe(agent, channel)
    for number in range(50):
        await publisher.trigger(channel, "counted", number)
    await publisher.trigger(channel, "the-end", {})
    await agent.take(channel=channel, event="the-end")
    assert [report["data"] for report in agent.seen(channel=channel, event="counted")] == list(range(50))


@pytest.mark.crosses_nodes
@pytest.mark.tried("private channels")
@every_version
@pytest.mark.parametrize("signer", SIGNERS)
async def test_subscriber_of_a_private_channel_receives_an_event(
    clients: Clients, publisher: PushlerClient, signer: Signer
) -> None:
    channel = f"private-orders-{signer}"
    agent = await clients.pusher(signer=signer)
    await subscribe(agent, channel)
    await publisher.trigger(channel, "shipped", {"order": 12})
    assert (await agent.take(kind="event", channel=channel, event="shipped"))["data"] == {"order": 12}
    assert clients.backend.asked == [channel]


@pytest.mark.tried("private channels: with channel_data")
@every_version
@pytest.mark.parametrize(
    ("channel", "signer"), [(f"private-{WITH_DATA}", "official-sdk"), (f"private-cache-{WITH_DATA}", "relay-client")]
)
async def test_subscriber_of_a_private_channel_authorised_with_channel_data_receives_an_event(
    clients: Clients, publisher: PushlerClient, channel: str, signer: Signer
) -> None:
    agent = await clients.pusher(signer=signer)
    await subscribe(agent, channel)
    await publisher.trigger(channel, "shipped", {"order": 12})
    assert (await agent.take(kind="event", channel=channel, event="shipped"))["data"] == {"order": 12}


@pytest.mark.crosses_nodes
@pytest.mark.tried("presence channels: members come and go")
@every_version
@pytest.mark.parametrize("signer", SIGNERS)
async def test_members_of_a_presence_channel_see_each_other_come_and_go(clients: Clients, signer: Signer) -> None:
    channel = f"presence-room-{signer}"
    ann = await clients.pusher("ann", signer)
    alone = await subscribe(ann, channel)
    assert (alone["count"], alone["members"]) == (1, {"ann": {"name": "Ann"}})

    bob = await clients.pusher("bob", signer)
    both = await subscribe(bob, channel)
    assert (both["count"], both["members"]) == (2, {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}})
    assert both["me"] == {"id": "bob", "info": {"name": "Bob"}}
    joined = await ann.take(channel=channel, event="pusher:member_added")
    assert joined["data"] == {"id": "bob", "info": {"name": "Bob"}}
    assert (await ann.call("members", channel=channel))["count"] == 2

    await bob.call("unsubscribe", channel=channel)
    left = await ann.take(channel=channel, event="pusher:member_removed")
    assert left["data"]["id"] == "bob"
    assert (await ann.call("members", channel=channel))["members"] == {"ann": {"name": "Ann"}}


@pytest.mark.crosses_nodes
@pytest.mark.tried("presence channels: one member with several connections")
@everywhere
async def test_user_with_several_connections_is_one_member_until_the_last_one_leaves(
    clients: Clients, publisher: PushlerClient
) -> None:
    channel = "presence-tabs"
    ann = await clients.pusher("ann")
    await subscribe(ann, channel)
    tabs = [await clients.pusher("bob"), await clients.pusher("bob")]
    for tab in tabs:
        assert (await subscribe(tab, channel))["count"] == 2

    await tabs[0].call("disconnect")
    await publisher.trigger(channel, "still-here", {})
    await ann.take(channel=channel, event="still-here")
    await tabs[1].call("disconnect")
    await ann.take(channel=channel, event="pusher:member_removed", within=GONE_DEADLINE)
    events = [report["event"] for report in ann.seen(kind="event", channel=channel)]
    assert events == [SUCCEEDED, "pusher:member_added", "still-here", "pusher:member_removed"]


@pytest.mark.crosses_nodes
@pytest.mark.tried("presence channels: a client disconnects or dies")
@everywhere
async def test_member_whose_client_dies_is_removed(clients: Clients) -> None:
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    await subscribe(ann, "presence-dying")
    await subscribe(bob, "presence-dying")
    await bob.close()
    assert (await ann.take(event="pusher:member_removed", within=GONE_DEADLINE))["data"]["id"] == "bob"


@pytest.mark.crosses_nodes
@pytest.mark.tried("client events")
@every_version
async def test_client_events_go_both_ways_and_never_back_to_the_sender(
    clients: Clients, publisher: PushlerClient
) -> None:
    channel = "private-typing"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    for agent in (ann, bob):
        await subscribe(agent, channel)
    assert await ann.call("trigger", channel=channel, event="client-from-ann", data={"typing": True})
    assert (await bob.take(kind="event", event="client-from-ann"))["data"] == {"typing": True}
    assert await bob.call("trigger", channel=channel, event="client-from-bob", data={"typing": False})
    assert (await ann.take(kind="event", event="client-from-bob"))["data"] == {"typing": False}
    await assert_has_only(publisher, channel, {ann: ["client-from-bob"], bob: ["client-from-ann"]})


# Versions before 5 do not hand out the sender's user id.
@pytest.mark.tried("client events: user id of the sender")
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, CHROMIUM_8])
async def test_client_event_on_a_presence_channel_names_its_sender(clients: Clients) -> None:
    channel = "presence-typing"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    for agent in (ann, bob):
        await subscribe(agent, channel)
    await bob.call("listen", channel=channel, event="client-typing")
    await ann.call("trigger", channel=channel, event="client-typing", data={"on": 1})
    heard = await bob.take(kind="heard", event="client-typing")
    assert (heard["data"], heard["user_id"]) == ({"on": 1}, "ann")


@pytest.mark.tried("client events: too many")
@everywhere
async def test_client_events_over_the_rate_are_refused_and_the_connection_stays(clients: Clients) -> None:
    channel = "private-chatty"
    agent = await clients.pusher()
    await subscribe(agent, channel)
    for _ in range(40):
        await agent.call("trigger", channel=channel, event="client-spam", data={})
        if agent.seen(kind="event", channel=channel, event="pusher:error"):
            break
    error = await agent.take(kind="event", channel=channel, event="pusher:error")
    assert error["data"]["code"] == 4301
    assert await agent.call("state") == "connected"


@pytest.mark.tried("socket_id left out of an event")
@everywhere
async def test_publisher_excludes_the_connection_that_it_names(clients: Clients, publisher: PushlerClient) -> None:
    channel = "to-others"
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    for agent in (ann, bob):
        await subscribe(agent, channel)
    await publisher.trigger(channel, "moved", {}, await ann.call("socketId"))
    await assert_has_only(publisher, channel, {ann: [], bob: ["moved"]})


@pytest.mark.crosses_nodes
@pytest.mark.tried("unsubscribe, subscribe again")
@every_version
async def test_client_that_unsubscribed_receives_nothing_more(clients: Clients, publisher: PushlerClient) -> None:
    agent = await clients.pusher()
    for channel in ("left", "kept"):
        await subscribe(agent, channel)
    await agent.call("unsubscribe", channel="left")
    # Commands are handled in order: once this is confirmed, the unsubscription is done.
    await subscribe(agent, "later")
    assert not (await publisher.channel("left"))["occupied"]
    await publisher.trigger(["left", "kept"], "greeting", {})
    await agent.take(channel="kept", event="greeting")
    assert agent.seen(channel="left", event="greeting") == []


@pytest.mark.tried("unsubscribe, subscribe again")
@everywhere
async def test_client_may_subscribe_again_after_it_unsubscribed(clients: Clients, publisher: PushlerClient) -> None:
    channel = "private-again"
    agent = await clients.pusher()
    await subscribe(agent, channel)
    await agent.call("unsubscribe", channel=channel)
    await subscribe(agent, channel)
    await publisher.trigger(channel, "greeting", {})
    await assert_has_only(publisher, channel, {agent: ["greeting"]})


@pytest.mark.tried("refused subscriptions")
@every_version
async def test_subscription_that_the_endpoint_refuses_fires_the_error_handler(clients: Clients) -> None:
    agent = await clients.pusher()
    await agent.call("subscribe", channel=REFUSED)
    error = await agent.take(kind="event", channel=REFUSED, event="pusher:subscription_error")
    # Version 4 hands over the bare status.
    assert error["data"] == 403 or error["data"]["status"] == 403
    assert await agent.call("state") == "connected"


@pytest.mark.tried("refused subscriptions")
@every_version
async def test_subscription_with_a_wrong_signature_fires_the_error_handler(
    clients: Clients, publisher: PushlerClient
) -> None:
    agent = await clients.pusher()
    await agent.call("subscribe", channel=FORGED)
    error = await agent.take(kind="event", channel=FORGED, event="pusher:subscription_error")
    assert (error["data"]["type"], error["data"]["status"]) == ("AuthError", 401)
    assert not (await publisher.channel(FORGED))["occupied"]
    assert await agent.call("state") == "connected"


@pytest.mark.tried("refused subscriptions")
@every_version
async def test_handlers_of_a_refused_channel_are_told_once_and_the_connection_once_more(clients: Clients) -> None:
    agent = await clients.pusher()
    await agent.call("subscribe", channel=FORGED)
    told = (await agent.take(kind="protocol", event="pusher:error"))["data"]
    assert (FORGED in told["message"], told["code"]) == (True, None)
    # What else there is to be told of it has come when this is confirmed.
    await subscribe(agent, "after-the-refusal")
    assert [report["event"] for report in agent.seen(kind="event", channel=FORGED)] == ["pusher:subscription_error"]
    assert len(agent.seen(kind="protocol", event="pusher:error")) == 1
    assert await agent.call("state") == "connected"


@pytest.mark.tried("bind, unbind, bind_global, unbind_global, unbind_all")
@every_version
@pytest.mark.parametrize("of", ["bound", None], ids=["channel", "client"])
async def test_handlers_are_called_until_they_are_taken_back(
    clients: Clients, publisher: PushlerClient, of: str | None
) -> None:
    agent = await clients.pusher()
    await subscribe(agent, "bound")
    await agent.call("bind", of=of, event="greeting", name="one")
    await agent.call("bind", of=of, event="greeting", name="other")
    await agent.call("bind", of=of, event=None, name="all")
    await publisher.trigger("bound", "greeting", 1)
    for name in ("one", "other", "all"):
        assert (await agent.take(kind="bound", name=name, data=1))["data"] == 1
    await agent.call("unbind", of=of, event="greeting", name="one")
    await agent.call("unbind", of=of, event=None, name="all")
    await publisher.trigger("bound", "greeting", 2)
    await agent.take(kind="bound", name="other", data=2)
    await agent.call("unbindAll", of=of)
    # Without its handlers a channel reports nothing: the end is heard on another one.
    await subscribe(agent, "the-other")
    await publisher.trigger(["bound", "the-other"], "greeting", 3)
    await agent.take(kind="event", channel="the-other", event="greeting")
    assert [(report["name"], report["data"]) for report in agent.seen(kind="bound") if report["data"] in (2, 3)] == [
        ("other", 2)
    ]


@pytest.mark.tried("allChannels, channel")
@every_version
async def test_client_knows_the_channels_that_it_is_in(clients: Clients) -> None:
    agent = await clients.pusher()
    assert await agent.call("allChannels") == []
    for channel in ("first", "private-second", "presence-third"):
        await subscribe(agent, channel)
    await agent.call("unsubscribe", channel="first")
    assert sorted(await agent.call("allChannels")) == ["presence-third", "private-second"]


@pytest.mark.tried("members: each, get, me, count")
@every_version
async def test_members_are_found_one_by_one(clients: Clients) -> None:
    ann, bob = await clients.pusher("ann"), await clients.pusher("bob")
    for agent in (ann, bob):
        await subscribe(agent, "presence-each")
    people = [{"id": user, "info": {"name": user.title()}} for user in ("ann", "bob")]
    assert sorted(await bob.call("eachMember", channel="presence-each"), key=str) == people
    assert await bob.call("getMember", channel="presence-each", id="ann") == people[0]
    assert await bob.call("getMember", channel="presence-each", id="eve") is None


@pytest.mark.tried("disconnect, connect again; state events")
@every_version
async def test_client_that_disconnects_and_connects_again_is_in_its_channels_again(
    clients: Clients, publisher: PushlerClient
) -> None:
    channels = ["again", "private-again-later", "presence-again"]
    agent = await clients.pusher()
    for channel in channels:
        await subscribe(agent, channel)
    socket_id = await agent.call("socketId")
    await agent.call("disconnect")
    await agent.take(kind="bound state", name="disconnected")
    await agent.call("connectAgain")
    for channel in channels:
        await agent.take(channel=channel, event=SUCCEEDED)
    assert await agent.call("socketId") != socket_id
    await publisher.trigger(channels, "greeting", {})
    for channel in channels:
        await agent.take(channel=channel, event="greeting")
    states = [report["name"] for report in agent.seen(kind="bound state")]
    # The first attempt begins when the client is made, before it can report.
    assert states == ["connected", "disconnected", "connecting", "connected"]
