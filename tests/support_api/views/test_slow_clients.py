"""Clients that are too slow, or that leave in the middle."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import orjson
import pytest
import structlog

from pushdesk.http_server import HttpServer, Patience
from support_api.app import Parts, running_app
from support_api.config import Settings

HOST = "127.0.0.1"
SECONDS = 10.0
CALL = b"POST /create_ticket HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: 1000\r\n\r\n%b"
BODIES = [
    (b"application/json", b'{"message": '),
    (b"application/x-www-form-urlencoded", b"message="),
    (b"multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\nHel'),
    (b"multipart/form-data; boundary=x", b"--x\r\nContent-Disp"),
]


@pytest.fixture
async def port(settings: Settings, parts: Parts) -> AsyncIterator[int]:
    """Of a desk that waits for a body only shortly."""
    async with running_app(settings, parts) as app:
        server = HttpServer(app, Patience(100, body=0.2), goodbye=1.0)
        await server.start(HOST, 0)
        yield server.port
        await server.stop()


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_that_does_not_come_in_time_is_refused_with_a_reason(port: int, body: tuple[bytes, bytes]) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(CALL % body)
    async with asyncio.timeout(SECONDS):
        answer = await reader.read()
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert orjson.loads(content)["error"] == {
        "code": "too_slow",
        "message": "The body of the request took more than 0.2 s; send it again.",
    }


@pytest.mark.parametrize("is_reset", [False, True])
@pytest.mark.parametrize("body", BODIES)
async def test_a_client_that_leaves_while_it_sends_is_one_line_for_all(
    port: int, body: tuple[bytes, bytes], is_reset: bool
) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.write(CALL % body)
            await asyncio.sleep(0.005)  # most are being read by then; the others go all the same
            if is_reset:
                writer.transport.abort()
            else:
                writer.close()
        async with asyncio.timeout(SECONDS):
            while not _counted(lines):  # noqa: ASYNC110 - a log is no event
                await asyncio.sleep(0.01)
    # The desk behind it may be starting yet, and say so.
    said = [line["event"] for line in lines if line["log_level"] != "debug" and line["event"] != "lease_taken"]
    assert said == ["connections_ended_early"]


def _counted(lines: list[MutableMapping[str, Any]]) -> bool:
    return any("left" in line for line in lines)
