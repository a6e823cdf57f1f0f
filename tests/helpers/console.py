"""A relay with a console, and a page of it without a browser."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from relay.apps import App
from tests.helpers.clients import APP
from tests.helpers.processes import free_port
from tests.helpers.relay import Response, RunningRelay, Wire, running_relay


class Feed:
    """An open feed, read from the wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.heartbeats = 0
        self._rest = b""

    async def message(self) -> tuple[str, Any]:
        """The next event of the stream: its name and its data."""
        while True:
            block, found, rest = self._rest.partition(b"\n\n")
            if not found:
                self._rest += await self._chunk()
                continue
            self._rest = rest
            if block.startswith(b":"):
                self.heartbeats += 1
                continue
            event, data = block.decode().split("\n")
            return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    async def happened(self, *kinds: str) -> dict[str, Any]:
        """What happened next, of one of these kinds; without the time."""
        while True:
            event, data = await self.message()
            if event == "happened" and (not kinds or data["kind"] in kinds):
                assert data.pop("at") > 1_700_000_000_000
                return dict(data)

    async def state(self, is_wanted: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        """The next state that is wanted."""
        while True:
            event, data = await self.message()
            if event == "state" and is_wanted(data):
                return dict(data)

    async def _chunk(self) -> bytes:
        size = int((await self._line()).strip(), 16)
        data = await self.wire.exactly(size + 2)
        if size == 0:
            raise EOFError
        return data[:-2]

    async def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\r\n"):
            line += await self.wire.exactly(1)
        return line


class RunningConsole:
    """The console of a running relay, as a page sees it."""

    def __init__(self, relay: RunningRelay, port: int) -> None:
        self.relay = relay
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"

    async def request(self, method: str, path: str, body: bytes | None = None, /, **headers: str) -> Response:
        """A request with these headers, underscores for dashes."""
        return await self.relay.request(
            method, path, body, headers={name.replace("_", "-"): text for name, text in headers.items()}, at=self.origin
        )

    async def get(self, path: str, **headers: str) -> Response:
        return await self.request("GET", path, **headers)

    async def send(self, body: object, app: App = APP, /, **headers: str) -> Response:
        """A test event, as the page sends it."""
        own = {"Content_Type": "application/json", "Origin": self.origin}
        return await self.request("POST", f"/events?app={app.id}", json.dumps(body).encode(), **own | headers)

    async def feed(self, app: App = APP) -> Feed:
        """An open feed that has told its first state."""
        feed = Feed(await self.relay.wire(self.port))
        await feed.wire.send(f"GET /feed?app={app.id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await feed.wire.head()
        assert b" 200 OK" in head
        assert b"text/event-stream" in head
        await feed.state()
        return feed


@asynccontextmanager
async def running_console(*apps: App, **settings: Any) -> AsyncIterator[RunningConsole]:
    """The console of a relay with these apps."""
    port = free_port()
    async with running_relay(*apps, console_port=port, **settings) as relay:
        yield RunningConsole(relay, port)
