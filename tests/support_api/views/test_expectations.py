"""Clients that ask before they send a body (RFC 9110 10.1.1), on every path: the answer comes at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pushdesk.http_server import HttpServer, Patience
from support_api.app import Parts, running_app
from support_api.config import Settings
from support_api.views.routes import ROUTES

HOST = "127.0.0.1"
# Less than a patient client would wait by itself is not measured: no answer at all is what fails.
SECONDS = 10.0
PATHS = sorted({path for route in ROUTES if route.method == "POST" for path in route.paths})


@pytest.fixture
async def port(settings: Settings, parts: Parts) -> AsyncIterator[int]:
    async with running_app(settings, parts) as app:
        server = HttpServer(app, Patience(100), goodbye=1.0)
        await server.start(HOST, 0)
        yield server.port
        await server.stop()


async def status_of(port: int, path: str, expectation: bytes, length: int) -> int:
    """The status of the first answer to a head whose body has not been sent."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: %b\r\nContent-Length: %d\r\n\r\n"
        % (path.encode(), expectation, length)
    )
    try:
        async with asyncio.timeout(SECONDS):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
async def test_whoever_waits_for_a_100_gets_it_or_the_final_status(port: int, path: str) -> None:
    for length in (2, 10_000_000):
        assert await status_of(port, path, b"100-continue", length) in {100, 401, 403, 404, 405, 413, 422}


async def test_another_expectation_gets_417(port: int) -> None:
    assert await status_of(port, PATHS[0], b"200-ok", 2) == 417
