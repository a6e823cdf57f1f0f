"""Pysher, a third-party Python client, unmodified, against a real relay. It speaks protocol version 6."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pysher  # type: ignore[import-untyped]  # it has no annotations
import pytest

from relay.client import PushlerClient
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import DEADLINE
from tests.interop.backend import Backend
from tests.interop.table import python_sdk

pytestmark = python_sdk("Pysher")

SUCCEEDED = "pusher_internal:subscription_succeeded"
ADDED = "pusher_internal:member_added"
REMOVED = "pusher_internal:member_removed"


class Client:
    """A Pysher in `channels`. It signs subscriptions by itself, unless it is given an `auth_endpoint`; its callbacks come in
    a thread of its own."""

    def __init__(
        self,
        relay: RelayProcess,
        channels: Sequence[str],
        events: Sequence[str],
        user: str,
        auth_endpoint: str | None = None,
    ) -> None:
        self.library = pysher.Pusher(
            relay.key,
            secret="" if auth_endpoint else relay.secret,
            auth_endpoint=auth_endpoint,
            custom_host=HOST,
            port=relay.client_port,
            secure=False,
            user_data={"user_id": user, "user_info": {"name": user.title()}},
        )
        self._channels = channels
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._received: defaultdict[tuple[str, str], asyncio.Queue[Any]] = defaultdict(asyncio.Queue)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Client"]:
        """Connect, subscribe and wait for the confirmations; disconnect at the end."""
        self.library.connection.bind("pusher:connection_established", self._subscribe)
        self.library.connect()
        try:
            yield self
        finally:
            self.library.connection.bind("pusher:pong", self._disconnect)
            self.library.connection.send_ping()
            await asyncio.to_thread(self.library.connection.join, DEADLINE)
            assert not self.library.connection.is_alive()

    async def data_of(self, channel: str, event: str) -> Any:
        """The data of the next event of that name on the channel."""
        async with asyncio.timeout(DEADLINE):
            data = await self._received[channel, event].get()
        return json.loads(data) if isinstance(data, str) else data

    def _subscribe(self, _data: object) -> None:
        """Subscribe from within a callback: there the library reads nothing until the handlers are bound."""
        for name in self._channels:
            channel = self.library.subscribe(name)
            for event in (SUCCEEDED, ADDED, REMOVED, *self._events):
                channel.bind(event, self._receiver(self._received[name, event]))
            channel.bind("reconnect-now", lambda _data: self.library.connection.reconnect(0))

    def has_received(self, channel: str, event: str) -> bool:
        """Whether data of that event is there that nobody has taken."""
        return not self._received[channel, event].empty()

    def _disconnect(self, _data: object) -> None:
        """Disconnect from within a callback: closed from another thread, the library may wait for a closed socket."""
        with suppress(RuntimeError):  # it tries to join its own thread
            self.library.disconnect()

    def _receiver(self, queue: "asyncio.Queue[Any]") -> Callable[[object], object]:
        return lambda data: self._loop.call_soon_threadsafe(queue.put_nowait, data)


def pysher_client(
    relay: RelayProcess,
    *channels: str,
    events: Sequence[str] = ("greeting",),
    user: str = "ann",
    auth_endpoint: str | None = None,
) -> Any:
    return Client(relay, channels, events, user, auth_endpoint).running()


@pytest.mark.tried("public and private channels")
async def test_client_receives_events_on_public_and_private_channels(
    relay: RelayProcess, publisher: PushlerClient
) -> None:
    channels = ["pysher-news", "private-pysher"]
    async with pysher_client(relay, *channels) as client:
        for channel in channels:
            assert await client.data_of(channel, SUCCEEDED) == {}
        await publisher.trigger(channels, "greeting", {"text": "Привет 🙂"})
        for channel in channels:
            assert await client.data_of(channel, "greeting") == {"text": "Привет 🙂"}


@pytest.mark.tried("presence channels: members come and go")
async def test_members_see_each_other_come_and_go(relay: RelayProcess) -> None:
    channel = "presence-pysher"
    async with pysher_client(relay, channel, user="ann") as ann:
        assert (await ann.data_of(channel, SUCCEEDED))["presence"]["ids"] == ["ann"]
        async with pysher_client(relay, channel, user="bob") as bob:
            presence = (await bob.data_of(channel, SUCCEEDED))["presence"]
            assert (presence["count"], presence["hash"]["bob"]) == (2, {"name": "Bob"})
            assert await ann.data_of(channel, ADDED) == {"user_id": "bob", "user_info": {"name": "Bob"}}
        assert await ann.data_of(channel, REMOVED) == {"user_id": "bob"}


@pytest.mark.tried("client events")
async def test_client_events_reach_the_others(relay: RelayProcess) -> None:
    channel = "private-pysher-typing"
    async with (
        pysher_client(relay, channel, events=["client-typing"]) as ann,
        pysher_client(relay, channel, events=["client-typing"]) as bob,
    ):
        for client in (ann, bob):
            await client.data_of(channel, SUCCEEDED)
        ann.library.channel(channel).trigger("client-typing", {"on": True})
        assert await bob.data_of(channel, "client-typing") == {"on": True}


@pytest.mark.tried("auth_endpoint")
async def test_subscription_that_an_endpoint_authorises_is_taken(
    relay: RelayProcess, publisher: PushlerClient, backend: Backend
) -> None:
    channel = "private-pysher-endpoint"
    async with pysher_client(relay, channel, auth_endpoint=backend.endpoint("official-sdk")) as client:
        await client.data_of(channel, SUCCEEDED)
        await publisher.trigger(channel, "greeting", {"number": 1})
        assert await client.data_of(channel, "greeting") == {"number": 1}
    assert backend.asked == [channel]


@pytest.mark.tried("unsubscribe")
async def test_client_that_unsubscribed_receives_nothing_more(relay: RelayProcess, publisher: PushlerClient) -> None:
    left, kept = "pysher-left", "pysher-kept"
    async with pysher_client(relay, left, kept) as client:
        for channel in (left, kept):
            await client.data_of(channel, SUCCEEDED)
        client.library.unsubscribe(left)
        async with asyncio.timeout(DEADLINE):
            while (await publisher.channel(left))["occupied"]:  # noqa: ASYNC110 - the relay tells nobody
                await asyncio.sleep(0.01)
        await publisher.trigger([left, kept], "greeting", {"number": 1})
        assert await client.data_of(kept, "greeting") == {"number": 1}
        assert not client.has_received(left, "greeting")


@pytest.mark.tried("reconnect")
async def test_client_that_reconnects_goes_on_receiving(relay: RelayProcess, publisher: PushlerClient) -> None:
    channel = "presence-pysher-again"
    async with pysher_client(relay, channel) as client:
        await client.data_of(channel, SUCCEEDED)
        socket_id = client.library.connection.socket_id
        await publisher.trigger(channel, "reconnect-now", {})
        assert (await client.data_of(channel, SUCCEEDED))["presence"]["ids"] == ["ann"]
        assert client.library.connection.socket_id != socket_id
        await publisher.trigger(channel, "greeting", {"number": 1})
        assert await client.data_of(channel, "greeting") == {"number": 1}
