"""What the tests of the support desk share: a steady clock, a recording relay, callers with identities."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDictProxy
from yarl import URL

from support_api.listeners.realtime import store
from support_api.models.operators import Identity, Operator
from support_api.models.outbox import Event
from support_api.services import Services

START = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
PASSWORD = "correct horse"
PATIENCE = 10.0


class SteadyClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Heard:
    """One event as the relay got it."""

    channel: str
    name: str
    data: dict[str, Any]
    socket_id: str | None
    key: str | None = None


@dataclass
class RecordingRelay:
    """A server that speaks the relay's trigger API and writes down what it gets, in order."""

    heard: list[Heard] = field(default_factory=list)
    statuses: list[bool] = field(default_factory=list)
    """What visitors were told about whether an operator is there; not among `heard`."""
    status: int = 200
    refuses: Callable[[Heard], bool] = lambda _event: False
    requests: int = 0
    url: str = ""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/apps/1/batch_events", self._batch)
        app.router.add_post("/apps/1/events", self._single)
        app.router.add_post("/apps/1/users/{user_id}/unsubscribe", self._unsubscribe)
        app.router.add_post("/apps/1/users/{user_id}/terminate_connections", self._terminate)
        app.router.add_get("/up", self._up)
        return app

    async def _up(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status)

    async def _batch(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        return await self._take([_heard(item, item["channel"]) for item in body["batch"]])

    async def _single(self, request: web.Request) -> web.Response:
        item = orjson.loads(await request.read())
        event = _heard(item, item["channel"])
        if event.name == "desk:status":
            async with self._news:
                self.statuses.append(event.data["online"])
                self._news.notify_all()
            return web.json_response({})
        return await self._take([event])

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        channel = orjson.loads(await request.read())["channel"]
        return await self._take([Heard(channel or "", "unsubscribe", {"user_id": request.match_info["user_id"]}, None)])

    async def _terminate(self, request: web.Request) -> web.Response:
        return await self._take([Heard("", "terminate", {"user_id": request.match_info["user_id"]}, None)])

    async def _take(self, events: list[Heard]) -> web.Response:
        async with self._news:
            self.requests += 1
            self._news.notify_all()
            if self.status != 200:
                return web.Response(status=self.status, text="not now")
            for at, one in enumerate(events):
                if self.refuses(one):
                    said = {"error": "I do not like it", "code": 400, "event": at}
                    return web.json_response(said, status=400)
            self.heard.extend(events)
            return web.json_response({})

    async def wait_for(self, enough: Callable[[], bool]) -> None:
        """Waits until `enough` holds after some request."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(enough), PATIENCE)

    async def events(self, count: int) -> list[Heard]:
        """The first `count` events, once they are there."""
        await self.wait_for(lambda: len(self.heard) >= count)
        return self.heard[:count]

    def names(self) -> list[tuple[str, str]]:
        return [(one.name, one.channel) for one in self.heard]


def _heard(item: dict[str, Any], channel: str) -> Heard:
    return Heard(channel, item["name"], orjson.loads(item["data"]), item.get("socket_id"), item.get("idempotency_key"))


@asynccontextmanager
async def recording_relay() -> AsyncIterator[RecordingRelay]:
    relay = RecordingRelay()
    async with TestServer(relay.application()) as server:
        relay.url = str(server.make_url("")).rstrip("/")
        yield relay


@dataclass(frozen=True)
class Answer:
    """An answer with its body read."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str
    cookies: Mapping[str, Any]

    @property
    def json(self) -> Any:
        return orjson.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Caller:
    """Sends requests; keeps no cookies by itself, so that each test says who calls."""

    def __init__(self, http: TestClient[Any, Any], headers: Mapping[str, str] | None = None) -> None:
        self.http = http
        self.headers = dict(headers or {})

    def with_headers(self, headers: Mapping[str, str]) -> Caller:
        return Caller(self.http, self.headers | dict(headers))

    async def send(self, method: str, path: str | URL, **options: Any) -> Answer:
        headers = self.headers | options.pop("headers", {})
        async with self.http.request(method, path, headers=headers, **options) as response:
            body = await response.read()
            return Answer(response.status, response.headers, body.decode(), response.cookies)

    async def get(self, path: str, **params: Any) -> Answer:
        return await self.send("GET", path, params=params)

    async def post(self, path: str, **fields: Any) -> Answer:
        return await self.send("POST", path, json=fields)

    async def form(self, path: str, **fields: Any) -> Answer:
        return await self.send("POST", path, data=fields)


@dataclass(frozen=True)
class Visitor:
    """A visitor with the ticket that he opened."""

    caller: Caller
    id: str
    token: str
    ticket_id: int


async def open_ticket(nobody: Caller, **fields: Any) -> Visitor:
    answer = await nobody.post("/create_ticket", **({"name": "Anna", "message": "Hello"} | fields))
    assert answer.status == 200, answer.text
    made = answer.json
    caller = nobody.with_headers({"Authorization": f"Bearer {made['visitor_token']}"})
    return Visitor(caller, made["visitor_id"], made["visitor_token"], made["ticket_id"])


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Waits until something that nobody announces has happened."""
    async with asyncio.timeout(PATIENCE):
        while not await check():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


def acting(operator_id: int, name: str = "Olga") -> Identity:
    """An operator who is logged in."""
    return Identity(operator=Operator(operator_id, name, f"{name.lower()}@example.com", is_disabled=False))


async def announced(services: Services, events: Sequence[Event]) -> None:
    """Stores events for delivery, as a use case does it."""
    await services.database.writing(lambda tx: store(tx, events))
