"""A back end that keeps what it is told."""

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.helpers.relay import PATIENCE


class Receiver:
    """A back end that keeps what it is told; `statuses` are those of its next answers, 200 when there are none."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.statuses: list[int] = []
        self._unread: list[dict[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.put_nowait((dict(request.headers), await request.read()))
        await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def request(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(PATIENCE):
            return await self.requests.get()

    async def events(self) -> list[dict[str, Any]]:
        """The events of the next request."""
        events: list[dict[str, Any]] = json.loads((await self.request())[1])["events"]
        return events

    async def names(self, count: int) -> list[str]:
        """The names of the next `count` events, however they were batched."""
        names: list[str] = []
        while len(names) < count:
            names += [event["name"] for event in await self.events()]
        return names

    async def event(self) -> dict[str, Any]:
        """The next event, however they were batched."""
        while not self._unread:
            self._unread += await self.events()
        return self._unread.pop(0)
