"""A plain subscriber for tests of server SDKs: it joins by our own signatures and hands out what it receives."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp

from relay.client import PushlerClient
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import DEADLINE
from tests.interop.backend import member

Event = tuple[str, str, Any]


class Subscriber:
    """A WebSocket connection to the relay. Use as an async context manager."""

    def __init__(self, relay: RelayProcess) -> None:
        self.socket_id = ""
        self._url = f"http://{HOST}:{relay.client_port}/app/{relay.key}?protocol=7&client=test&version=1"
        self._auth = PushlerClient(relay.key, relay.secret)
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        self._socket = await self._session.ws_connect(self._url)
        established = await self._next("pusher:connection_established")
        self.socket_id = json.loads(established["data"])["socket_id"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()
        await self._session.close()

    async def join(self, channel: str, user: str = "ann") -> Any:
        """Subscribe with whatever authorisation the channel needs; returns the data of the confirmation."""
        auth: dict[str, str] = {}
        if channel.startswith(("private-", "presence-")):
            who = member(user) if channel.startswith("presence-") else None
            auth = self._auth.authorize_channel(channel, self.socket_id, who)
        return await self.subscribe(channel, auth)

    async def subscribe(self, channel: str, auth: dict[str, str]) -> Any:
        """Subscribe with the answer of an authorisation endpoint; returns the data of the confirmation."""
        await self._socket.send_json({"event": "pusher:subscribe", "data": {"channel": channel, **auth}})
        return json.loads(
            (await self._next("pusher_internal:subscription_succeeded", "pusher:subscription_error"))["data"]
        )

    async def sign_in(self, auth: dict[str, str]) -> str:
        """Sign in with the answer of an endpoint that authenticates users; returns the user's data as the relay has it."""
        await self._socket.send_json({"event": "pusher:signin", "data": auth})
        answer = await self._next("pusher:signin_success", "pusher:error")
        assert answer["event"] == "pusher:signin_success", answer
        return str(answer["data"]["user_data"])

    async def event(self) -> Event:
        """The next event of the application: channel, name and data."""
        message = await self._next()
        try:
            data = json.loads(message["data"])
        except json.JSONDecodeError:
            data = message["data"]
        return message["channel"], message["event"], data

    async def _next(self, *names: str) -> dict[str, Any]:
        """The next message with one of these names; without names, the next that is not of the protocol."""
        async with asyncio.timeout(DEADLINE):
            while True:
                message: dict[str, Any] = await self._socket.receive_json()
                if message["event"] in names or (not names and not message["event"].startswith("pusher")):
                    return message


class SubscribeTo(Protocol):
    """Opens a subscriber that is in the channels."""

    def __call__(self, *channels: str, user: str = "ann") -> Awaitable[Subscriber]: ...


Connect = Callable[[], Awaitable[Subscriber]]
