"""relay.client, our own client for back ends, against a real relay: all calls, all errors, and its kept connections."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from relay.client import DEFAULT_TIMEOUT, PushlerClient, RelayRefused, RelayUnavailable
from tests.helpers.processes import HOST, RelayProcess, free_port, running_relay
from tests.interop.subscribers import Connect, SubscribeTo

SHORT_TIMEOUT = 0.3


@pytest.fixture
def own_relay() -> Iterator[RelayProcess]:
    """A relay of this test alone, to be stopped or made to hang."""
    with running_relay() as relay:
        yield relay


def client_of(relay: RelayProcess, url: str = "", timeout: float = DEFAULT_TIMEOUT) -> PushlerClient:
    return PushlerClient(relay.key, relay.secret, app_id=relay.app_id, url=url or relay.url, timeout=timeout)


async def test_trigger_reaches_one_channel(publisher: PushlerClient, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("own-one")
    assert await publisher.trigger("own-one", "greeting", {"text": "Привет 🙂"}) == {}
    assert await subscriber.event() == ("own-one", "greeting", {"text": "Привет 🙂"})


async def test_trigger_reaches_many_channels_and_tells_about_them(
    publisher: PushlerClient, subscribe_to: SubscribeTo
) -> None:
    channels = ["own-many-1", "own-many-2"]
    subscriber = await subscribe_to(*channels)
    answer = await publisher.trigger(channels, "greeting", "hello", info=["subscription_count"])
    assert answer == {"channels": {channel: {"subscription_count": 1} for channel in channels}}
    assert [await subscriber.event() for _ in channels] == [(channel, "greeting", "hello") for channel in channels]


async def test_trigger_leaves_out_the_connection_that_it_names(
    publisher: PushlerClient, subscribe_to: SubscribeTo
) -> None:
    sender, other = await subscribe_to("own-others"), await subscribe_to("own-others")
    await publisher.trigger("own-others", "moved", {}, sender.socket_id)
    await publisher.trigger("own-others", "the-end", {})
    assert (await other.event())[1] == "moved"
    assert (await sender.event())[1] == "the-end"


async def test_batch_is_delivered_in_its_order(publisher: PushlerClient, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("own-batch")
    answer = await publisher.trigger_batch(
        [
            {"channel": "own-batch", "name": "a", "data": {"number": 1}, "info": "subscription_count"},
            {"channel": "own-batch", "name": "left-out", "data": {}, "socket_id": subscriber.socket_id},
            {"channel": "own-batch", "name": "b", "data": "text", "socket_id": None},
        ]
    )
    assert answer == {"batch": [{"subscription_count": 1}, {}, {}]}
    assert [(await subscriber.event())[1:] for _ in range(2)] == [("a", {"number": 1}), ("b", "text")]


async def test_queries_answer_for_channels_and_users(publisher: PushlerClient, subscribe_to: SubscribeTo) -> None:
    for user in ("ann", "bob", "bob"):
        await subscribe_to("presence-own", user=user)
    assert await publisher.channels("presence-own", ["user_count"]) == {"channels": {"presence-own": {"user_count": 2}}}
    assert await publisher.channel("presence-own", ["user_count"]) == {"occupied": True, "user_count": 2}
    assert await publisher.channel("own-nobody") == {"occupied": False}
    assert await publisher.users("presence-own") == {"users": [{"id": "ann"}, {"id": "bob"}]}


async def test_channel_of_any_name_is_found(publisher: PushlerClient, subscribe_to: SubscribeTo) -> None:
    channel = "own-_=@,.;AZaz09"
    await subscribe_to(channel)
    assert await publisher.channel(channel) == {"occupied": True}


async def test_authorised_subscriptions_are_taken(publisher: PushlerClient, connect: Connect) -> None:
    subscriber = await connect()
    await subscriber.subscribe("private-own", publisher.authorize_channel("private-own", subscriber.socket_id))
    presence = publisher.authorize_channel("presence-own-auth", subscriber.socket_id, {"user_id": 7})
    confirmation = await subscriber.subscribe("presence-own-auth", presence)
    assert confirmation == {"presence": {"ids": ["7"], "hash": {"7": {}}, "count": 1}}


async def test_app_is_found_by_its_key_alone(relay: RelayProcess, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("own-by-key")
    async with PushlerClient(relay.key, relay.secret, url=relay.url) as client:
        await client.trigger("own-by-key", "greeting", [1])
    assert await subscriber.event() == ("own-by-key", "greeting", [1])


async def test_live_relay_is_alive_and_a_missing_one_is_not(publisher: PushlerClient, relay: RelayProcess) -> None:
    assert await publisher.is_alive()
    async with client_of(relay, f"http://{HOST}:{free_port()}") as lost:
        assert not await lost.is_alive()


async def test_wrong_secret_is_refused_with_401(relay: RelayProcess) -> None:
    async with PushlerClient(relay.key, "another secret", app_id=relay.app_id, url=relay.url) as stranger:
        for call in (
            partial(stranger.trigger, "own-one", "greeting", {}),
            partial(stranger.trigger_batch, [{"channel": "own-one", "name": "a", "data": {}}]),
            stranger.channels,
            partial(stranger.channel, "own-one"),
            partial(stranger.users, "presence-own"),
        ):
            with pytest.raises(RelayRefused, match="Invalid signature") as refused:
                await call()
            assert refused.value.status == 401


async def test_unknown_app_is_refused_with_404(relay: RelayProcess) -> None:
    async with PushlerClient("no-such-key", relay.secret, url=relay.url) as stranger:
        with pytest.raises(RelayRefused, match="no-such-key") as refused:
            await stranger.trigger("own-one", "greeting", {})
    assert refused.value.status == 404


async def test_request_that_breaks_a_limit_is_refused_with_the_reason(publisher: PushlerClient) -> None:
    for call, status, said in (
        (partial(publisher.trigger, "no spaces", "greeting", {}), 400, "channel name"),
        (partial(publisher.trigger, [f"own-{number}" for number in range(101)], "greeting", {}), 400, "100"),
        (partial(publisher.trigger, "own-one", "pusher:fake", {}), 400, "pusher:"),
        (partial(publisher.trigger, "own-one", "greeting", "x" * 10_241), 413, "10240"),
        (partial(publisher.users, "own-one"), 400, "presence"),
    ):
        with pytest.raises(RelayRefused, match=said) as refused:
            await call()
        assert refused.value.status == status


async def test_nobody_on_the_address_is_unavailable(relay: RelayProcess) -> None:
    async with client_of(relay, f"http://{HOST}:{free_port()}") as lost:
        with pytest.raises(RelayUnavailable, match="not available"):
            await lost.trigger("own-one", "greeting", {})


async def test_relay_that_hangs_is_unavailable_until_it_goes_on(own_relay: RelayProcess) -> None:
    async with client_of(own_relay, timeout=SHORT_TIMEOUT) as impatient, client_of(own_relay) as patient:
        own_relay.pause()
        with pytest.raises(RelayUnavailable, match=f"no answer within {SHORT_TIMEOUT} s"):
            await impatient.trigger("own-hang", "greeting", {})
        own_relay.resume()
        assert await patient.trigger("own-hang", "greeting", {}) == {}


async def test_client_goes_on_with_a_relay_that_was_killed_and_restarted(own_relay: RelayProcess) -> None:
    async with client_of(own_relay) as client:
        await client.trigger("own-restart", "greeting", {})
        await asyncio.to_thread(own_relay.kill)
        with pytest.raises(RelayUnavailable):
            await client.trigger("own-restart", "greeting", {})
        await asyncio.to_thread(own_relay.start)
        assert await client.trigger("own-restart", "greeting", {}) == {}


async def test_calls_one_after_the_other_use_one_connection(relay: RelayProcess) -> None:
    async with counting_proxy(relay.port) as proxy, client_of(relay, proxy.url) as client:
        for number in range(20):
            await client.trigger("own-kept", "greeting", number)
            await client.channels()
        with pytest.raises(RelayRefused):
            await client.users("own-kept")
        await client.trigger("own-kept", "greeting", "after a refusal")
        assert proxy.accepted == 1


class Proxy:
    """Passes TCP connections on and counts them."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted = 0


@asynccontextmanager
async def counting_proxy(target: int) -> AsyncIterator[Proxy]:
    """A proxy in front of the port `target`, on a port of its own."""
    proxy = Proxy()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.accepted += 1
        behind_reader, behind_writer = await asyncio.open_connection(HOST, target)
        await asyncio.gather(_pass_on(reader, behind_writer), _pass_on(behind_reader, writer))

    server = await asyncio.start_server(accept, HOST, 0)
    proxy.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
