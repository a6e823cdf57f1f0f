"""A real relay within the test's process, and clients of it: a WebSocket, raw TCP, the signed HTTP API."""

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, BinaryIO
from urllib.parse import quote

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from yarl import URL

from relay.apps import App
from relay.config import Settings
from relay.protocol.signatures import signed_params
from relay.server import Running, running
from tests.helpers.clients import APP, message, subscription
from tests.helpers.transport import opened

# How long anything may take that happens at once. Only a failing test waits for so long.
PATIENCE = 10.0


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - each turn is looked at
            await asyncio.sleep(0)


class WebSocketClient:
    """A client of the `websockets` package that speaks the Pusher protocol."""

    def __init__(self, app: App, websocket: ClientConnection) -> None:
        self.app = app
        self.websocket = websocket
        self.socket_id = ""

    async def receive(self) -> dict[str, Any]:
        """The next message, data strings of the server's own events decoded."""
        async with asyncio.timeout(PATIENCE):
            return opened(json.loads(await self.websocket.recv()))

    async def send(self, event: str, data: object = None, channel: str | None = None) -> None:
        await self.send_text(message(event, data, channel).decode())

    async def send_text(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.websocket.send(text)

    async def subscribe(self, channel: str, channel_data: str | None = None) -> dict[str, Any]:
        """Subscribe, signed where the channel needs it; the answer."""
        await self.send("pusher:subscribe", subscription(self.app, self.socket_id, channel, channel_data))
        return await self.receive()

    async def told(self) -> list[dict[str, Any]]:
        """Everything that the relay has sent by now: what comes before the answer to a ping."""
        await self.send("pusher:ping")
        messages = []
        while (following := await self.receive())["event"] != "pusher:pong":
            messages.append(following)
        return messages

    async def closed(self) -> tuple[int | None, str]:
        """The code and reason of the relay's close, whatever came before it."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.websocket.recv()
            except ConnectionClosed:
                return self.websocket.close_code, self.websocket.close_reason or ""


class Response:
    """An answer of the HTTP API."""

    def __init__(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.status = status
        self.text = text
        self.headers = headers

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Wire:
    """A raw TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(size)

    async def head(self) -> bytes:
        """The head of an HTTP answer."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> tuple[int, bytes]:
        """The status and body of an HTTP answer with a Content-Length."""
        head = await self.head()
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        return int(head.split()[1]), await self.exactly(int(lengths[0]))

    async def rest(self) -> bytes:
        """Everything up to the end that the relay makes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


class RunningRelay:
    """A relay that serves `app` (and perhaps others) on a port of 127.0.0.1. What is opened here ends with it."""

    def __init__(
        self,
        relay: Running,
        app: App,
        exits: AsyncExitStack,
        http: aiohttp.ClientSession,
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self.port = relay.port
        self.running = relay
        self.node = relay.node
        self.reload = relay.reload
        self.stop = stop
        self.app = app
        self.url = f"http://127.0.0.1:{self.port}"
        self._exits = exits
        self._http = http

    async def open(self, path: str, app: App | None = None, **options: Any) -> WebSocketClient:
        """A WebSocket to `path`; nothing is read yet."""
        websocket = await self._exits.enter_async_context(
            connect(f"ws://127.0.0.1:{self.port}{path}", open_timeout=PATIENCE, close_timeout=PATIENCE, **options)
        )
        return WebSocketClient(app or self.app, websocket)

    async def connect(self, app: App | None = None, **options: Any) -> WebSocketClient:
        """A client that has been welcomed."""
        client = await self.open(f"/app/{(app or self.app).key}?protocol=7", app, **options)
        welcome = await client.receive()
        assert welcome["event"] == "pusher:connection_established"
        client.socket_id = welcome["data"]["socket_id"]
        return client

    async def wire(self, port: int | None = None) -> Wire:
        """A TCP connection to the relay, or to another port of it."""
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port or self.port))
        self._exits.push_async_callback(wire.close)
        return wire

    async def exchange(self, data: bytes) -> bytes:
        """What comes back for these bytes until the relay ends the connection."""
        wire = await self.wire()
        await wire.send(data)
        return await wire.rest()

    def target(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        params: dict[str, str] | None = None,
        *,
        now: float | None = None,
        app: App | None = None,
    ) -> str:
        """The signed target of a request to `path` below the app."""
        owner = app or self.app
        full = f"/apps/{owner.id}{path}"
        at = time.time() if now is None else now
        fields = signed_params(owner.key, owner.secret, method, full, body, at, (params or {}).items())
        return f"{full}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in fields)

    async def request(
        self, method: str, target: str, body: bytes | BinaryIO | None = None, *, at: str | None = None, **options: Any
    ) -> Response:
        """Send one HTTP request, the target as it is, to the relay or to another port of it."""
        url = URL((at or self.url) + target, encoded=True)
        async with asyncio.timeout(PATIENCE), self._http.request(method, url, data=body, **options) as response:
            return Response(response.status, await response.text(), dict(response.headers))

    async def get(self, path: str, **params: str) -> Response:
        """A signed GET."""
        return await self.request("GET", self.target("GET", path, b"", params))

    async def post(self, path: str, body: object, app: App | None = None) -> Response:
        """A signed POST of JSON, or of bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.request("POST", self.target("POST", path, raw, app=app), raw)

    async def trigger(
        self, channel: str, name: str = "event", data: str = "{}", app: App | None = None, **fields: object
    ) -> Response:
        return await self.post("/events", {"name": name, "data": data, "channel": channel} | fields, app)


@asynccontextmanager
async def running_relay(*apps: App, **settings: Any) -> AsyncIterator[RunningRelay]:
    """A relay for the first of `apps` and the others; `settings` are those of relay.config.Settings."""
    served = apps or (APP,)
    thresholds = gc.get_threshold()
    try:
        async with AsyncExitStack() as server, aiohttp.ClientSession() as http, AsyncExitStack() as exits:
            relay = await server.enter_async_context(running(Settings(port=0, apps=served, **settings)))
            yield RunningRelay(relay, served[0], exits, http, server.aclose)
    finally:
        # The relay settles the memory of a process of its own.
        gc.unfreeze()
        gc.set_threshold(*thresholds)
