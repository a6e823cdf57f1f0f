"""Calls to the product without a browser: a person who writes and tries again, and a listener on the relay.

Knows paths and fields of the support desk, and frames of the relay. Not: what a test expects.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp

from relay.client import PushlerClient
from tests.e2e.screens import DEADLINE
from tests.helpers.processes import HOST, RelayProcess
from tests.helpers.product import Account, Product

# Seconds: what a crash leaves unanswered is asked again.
_ANSWER_TIMEOUT: Final = 5.0
_PAUSE: Final = 0.05


@dataclass
class Person:
    """Somebody with a session at the support desk. `accepted`: the texts that were answered with 200."""

    name: str
    session: aiohttp.ClientSession
    base: str
    accepted: list[str] = field(default_factory=list)
    token: str | None = None

    async def post(self, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        """One call: status and answer. Raises aiohttp.ClientError and TimeoutError when there is no whole answer."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.session.post(self.base + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def say(self, ticket: int, text: str) -> None:
        """Send a message with a client_id, again and again until the desk says that it has it."""
        deadline = time.monotonic() + DEADLINE
        body = {"ticket_id": ticket, "content": text, "client_id": f"{self.name}-{text}"}
        while not await self._is_accepted(body):
            assert time.monotonic() < deadline, f"{text!r} was not accepted within {DEADLINE} s"
            await asyncio.sleep(_PAUSE)
        self.accepted.append(text)

    async def _is_accepted(self, body: dict[str, object]) -> bool:
        try:
            status, answer = await self.post("/send_support_message", **body)
        except (aiohttp.ClientError, TimeoutError):
            return False
        assert status == HTTPStatus.OK or status >= HTTPStatus.INTERNAL_SERVER_ERROR, answer
        return status == HTTPStatus.OK

    async def create(self, question: str) -> int:
        """Open a ticket as a new visitor."""
        status, answer = await self.post("/create_ticket", name=self.name, message=question)
        assert status == HTTPStatus.OK, answer
        self.token = answer["visitor_token"]
        return int(answer["ticket_id"])

    async def log_in(self, account: Account) -> Self:
        """Become an operator who is online."""
        status, answer = await self.post("/operator/login", email=account.email, password=account.password)
        assert status == HTTPStatus.OK, answer
        status, answer = await self.post("/operator/heartbeat")
        assert status == HTTPStatus.OK, answer
        return self


@asynccontextmanager
async def person(name: str, product: Product) -> AsyncIterator[Person]:
    """Somebody with cookies of his own."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_TIMEOUT)
    # The cookies of 127.0.0.1 count, too.
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=jar) as session:
        yield Person(name, session, product.url)


@dataclass
class Listener:
    """One connection to the relay that has joined a channel."""

    socket: aiohttp.ClientWebSocketResponse

    async def next(self) -> tuple[str, Any]:
        """The next event of the channel: name and data."""
        message = await self.socket.receive_json(timeout=DEADLINE)
        if message["event"] == "pusher:ping":
            await self.socket.send_json({"event": "pusher:pong"})
            return await self.next()
        data = message["data"]
        return message["event"], json.loads(data) if isinstance(data, str) else data

    async def join(self, channel: str, auth: dict[str, str]) -> str:
        """Subscribe with this signature: the name of the relay's answer."""
        await self.socket.send_json({"event": "pusher:subscribe", "data": {"channel": channel, **auth}})
        name, _ = await self.next()
        return name


@asynccontextmanager
async def listening(relay: RelayProcess, channel: str) -> AsyncIterator[Listener]:
    """A listener whose subscription the relay has confirmed; signed with the app's secret, not by the support desk."""
    async with (
        connected(relay) as (listener, socket_id),
        PushlerClient(relay.key, relay.secret, app_id=relay.app_id, url=relay.url) as signer,
    ):
        auth = signer.authorize_channel(channel, socket_id) if channel.startswith("private-") else {}
        assert await listener.join(channel, auth) == "pusher_internal:subscription_succeeded"
        yield listener


@asynccontextmanager
async def connected(relay: RelayProcess) -> AsyncIterator[tuple[Listener, str]]:
    """A connection to the relay with its socket id, in no channel yet."""
    url = f"ws://{HOST}:{relay.port}/app/{relay.key}?protocol=7"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        listener = Listener(socket)
        _, greeting = await listener.next()
        yield listener, greeting["socket_id"]
