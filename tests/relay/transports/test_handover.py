"""Requests of the fallbacks that meet a worker which does not have their session. Two workers in this process, which share
nothing but their folder: what the client of a session hears comes from its owner."""

import asyncio
import gc
import json
import struct
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from relay.config import Settings
from relay.server import Inherited, Running, running
from relay.supervisor import open_sockets
from relay.transports import polling
from relay.transports.handover import PART, owner_of
from relay.worker import Place
from tests.helpers.clients import APP, message
from tests.helpers.relay import PATIENCE

HOST = "127.0.0.1"
PING = json.dumps([message("pusher:ping").decode()])


def session_of(owner: int, number: int = 0) -> str:
    """The name of a session that a worker owns."""
    names = (f"s{at}" for at in range(10_000))
    return [name for name in names if owner_of((APP.key, "1", name), 2) == owner][number]


class Workers:
    """Two of them. Number 0 owns the sessions that are tried, number 1 gets the requests."""

    def __init__(self, folder: Path, exits: AsyncExitStack, http: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.http = http
        self._exits = exits
        self.relays: list[Running] = []
        self.stops: list[AsyncExitStack] = []

    async def start(self) -> None:
        for number in range(2):
            (sockets,) = open_sockets(HOST, 0, 1, 100)
            place = Place(number, 2, 0, (), (), str(self.folder))
            stop = await self._exits.enter_async_context(AsyncExitStack())
            settings = Settings(port=0, apps=(APP,))
            self.relays.append(await stop.enter_async_context(running(settings, Inherited(sockets, (), place))))
            self.stops.append(stop)

    @property
    def connections(self) -> list[int]:
        """How many clients each has."""
        return [len(relay.node.namespaces[APP.id].hub.connections) for relay in self.relays]

    def url(self, action: str, session: str, worker: int = 1) -> str:
        return f"http://{HOST}:{self.relays[worker].port}/app/{APP.key}/1/{session}/{action}?protocol=7"

    async def post(self, action: str, session: str, body: str = "") -> tuple[int, str]:
        async with asyncio.timeout(PATIENCE), self.http.post(self.url(action, session), data=body) as response:
            return response.status, await response.text()


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Workers]:
    thresholds = gc.get_threshold()
    try:
        async with aiohttp.ClientSession() as http, AsyncExitStack() as exits:
            made = Workers(tmp_path, exits, http)
            await made.start()
            yield made
    finally:
        # A relay settles the memory of a process of its own.
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_sessions_are_shared_out_among_all_workers() -> None:
    owners = [owner_of(("key", "12", f"session{number}"), 4) for number in range(1_000)]
    assert all(200 < owners.count(owner) < 300 for owner in range(4))


async def test_the_owner_polls_for_a_client_of_another_worker(workers: Workers) -> None:
    session = session_of(owner=0)
    status, text = await workers.post("xhr", session)
    assert status == 200
    assert text.startswith("o\na[")
    assert "connection_established" in text
    assert workers.connections == [1, 0]
    assert await workers.post("xhr_send", session, PING) == (204, "")
    assert "pusher:pong" in (await workers.post("xhr", session))[1]


async def test_what_is_ones_own_is_answered_here(workers: Workers) -> None:
    assert (await workers.post("xhr", session_of(owner=1)))[0] == 200
    assert workers.connections == [0, 1]


async def test_a_stream_goes_on_part_by_part(workers: Workers) -> None:
    session = session_of(owner=0)
    async with asyncio.timeout(PATIENCE), workers.http.post(workers.url("xhr_streaming", session)) as stream:
        assert stream.headers["Access-Control-Allow-Origin"] == "*"
        while b"connection_established" not in await stream.content.readline():
            pass
        for _ in range(3):
            assert await workers.post("xhr_send", session, PING) == (204, "")
            assert b"pusher:pong" in await stream.content.readline()


async def test_answers_that_are_longer_than_a_part_are_whole(workers: Workers) -> None:
    session = session_of(owner=0)
    await workers.post("xhr", session)
    unknown = [f"no-{number}" for number in range(800)]
    await workers.post("xhr_send", session, json.dumps([json.dumps({"event": name}) for name in unknown]))
    _, text = await workers.post("xhr", session)
    assert len(text) > 2 * PART
    told = [json.loads(line)["data"]["message"] for line in json.loads(text[1:])]
    assert [line.split("'")[1] for line in told] == unknown


async def test_errors_are_the_owners(workers: Workers) -> None:
    session = session_of(owner=0)
    assert await workers.post("xhr_send", session, PING) == (404, "There is no such session")
    await workers.post("xhr", session)
    assert (await workers.post("xhr_send", session, "no json"))[0] == 400


async def test_a_connection_goes_on_with_requests_of_any_kind(workers: Workers) -> None:
    reader, writer = await asyncio.open_connection(HOST, workers.relays[1].port)
    sessions = [session_of(owner=0), session_of(owner=1)]
    targets = [f"POST /app/{APP.key}/1/{session}/xhr?protocol=7" for session in sessions]
    requests = [targets[0], "GET /up", targets[1]]
    writer.writelines(f"{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode() for line in requests)
    async with asyncio.timeout(PATIENCE):
        for text in (b"connection_established", b'{"ok":true}', b"connection_established"):
            await reader.readuntil(text)
    assert workers.connections == [1, 1]
    writer.close()


async def test_a_client_that_leaves_has_left_the_owner_too(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "DETACHED_TIMEOUT", 0.0)
    stream = await workers.http.post(workers.url("xhr_streaming", session_of(owner=0)))
    await stream.content.readline()
    assert workers.connections == [1, 0]
    stream.close()
    await until_slowly(lambda: workers.connections == [0, 0])


async def test_the_client_is_known_to_the_owner_by_its_address(workers: Workers) -> None:
    await workers.post("xhr", session_of(owner=0))
    (connection,) = workers.relays[0].node.namespaces[APP.id].hub.connections.values()
    assert connection.transport.address == HOST


async def test_a_client_of_an_owner_that_stops_is_told(workers: Workers) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        workers.http.post(workers.url("xhr_streaming", session_of(owner=0))) as stream,
    ):
        while b"connection_established" not in await stream.content.readline():
            pass
        await workers.stops[0].aclose()
        assert b"the server is restarting" in await stream.content.read()


async def test_without_its_owner_a_session_is_refused(workers: Workers) -> None:
    await workers.stops[0].aclose()
    status, text = await workers.post("xhr", session_of(owner=0))
    assert (status, text) == (503, "The process that has this session does not run")


async def test_an_owner_that_breaks_off_is_seen_to(workers: Workers, logged: list[MutableMapping[str, Any]]) -> None:
    await workers.stops[0].aclose()

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(struct.pack("!I", 100) + b"HTTP/1.1 200 OK\r\n")
        writer.close()

    async with await asyncio.start_unix_server(break_off, workers.folder / "worker-0.sock"):
        with pytest.raises(aiohttp.ClientError):
            await workers.post("xhr", session_of(owner=0))
    reasons = [line["reason"] for line in logged if line["event"] == "connection_lost"]
    assert reasons == ["the process that has this session broke off its answer"]


async def test_a_bug_of_the_owner_ends_the_clients_connection_and_is_logged(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
) -> None:
    async def fail(_self: object, _exchange: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("relay.transports.xhr.Fallback.handle", fail)
    with pytest.raises(aiohttp.ClientError):
        await workers.post("xhr", session_of(owner=0))
    assert [line["event"] for line in logged] == ["request_failed", "connection_lost"]
    assert logged.pop(0)["path"] == f"/app/{APP.key}/1/{session_of(owner=0)}/xhr?protocol=7"


async def until_slowly(condition: Any) -> None:
    """As `until`, for what comes by the tick of a second."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a count is no event
            await asyncio.sleep(0.01)
