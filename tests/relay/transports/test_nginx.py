"""A real nginx in front of the relay, as people set it up: connections to the relay are kept, and shared by all clients."""

from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect
from yarl import URL

from tests.helpers.clients import APP
from tests.helpers.console import running_console
from tests.helpers.nginx import running_nginx
from tests.helpers.parts import NGINX, require
from tests.helpers.processes import ROOT
from tests.helpers.relay import RunningRelay, WebSocketClient

KEPT = """
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream relay {{ server 127.0.0.1:{port}; keepalive 4; }}
    server {{
        listen LISTEN;
        location / {{
            proxy_pass http://relay; proxy_http_version 1.1; proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
            proxy_request_buffering off;
        }}
    }}
"""
BARE = "server {{ listen LISTEN; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"

POLL = "/app/key-3/1/abc/xhr"


@pytest.fixture(autouse=True)
def installed() -> None:
    require(NGINX)


async def chunks() -> object:
    yield b"{"
    yield b"}"


async def test_a_websocket_follows_any_request_on_a_connection_that_nginx_keeps(
    relay: RunningRelay, tmp_path: Path
) -> None:
    others = [
        ("OPTIONS", POLL, None, 204),
        ("HEAD", "/up", None, 200),
        ("POST", "/apps/3/events", chunks, 401),
        ("PUT", "/apps/3/events", None, 405),
        ("POST", "/app/nobody/1/abc/xhr?protocol=7", None, 200),
        ("GET", "/elsewhere", None, 404),
    ]
    with running_nginx(tmp_path, KEPT.format(port=relay.port)) as port:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            for method, path, body, status in others * 4:
                async with http.request(method, path, data=None if body is None else body()) as response:
                    assert (method, path, response.status) == (method, path, status)
                    await response.read()
                async with connect(f"ws://127.0.0.1:{port}/app/key-3?protocol=7") as websocket:
                    client = WebSocketClient(APP, websocket)
                    assert (await client.receive())["event"] == "pusher:connection_established"


def documented(relay: RunningRelay) -> str:
    """The configuration of docs/operations.md, with the test's ports."""
    text = (ROOT / "docs" / "operations.md").read_text().partition("```nginx\n")[2].partition("```")[0]
    assert "listen 443 ssl;" in text
    return text.replace("listen 443 ssl;", "listen LISTEN;").replace("127.0.0.1:6001", f"127.0.0.1:{relay.port}")


async def test_the_documented_configuration_passes_on_all_that_the_relay_answers(
    relay: RunningRelay, tmp_path: Path
) -> None:
    with running_nginx(tmp_path, documented(relay)) as port:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            async with http.post("/pusher/app/key-3/1/abc/xhr_streaming?protocol=7") as stream:
                assert await stream.content.readline() == b"o\n"
                assert b"connection_established" in await stream.content.readline()
            async with http.get("/apps/3/channels") as answer:
                assert answer.status == 401
        async with connect(f"ws://127.0.0.1:{port}/app/key-3?protocol=7") as websocket:
            client = WebSocketClient(APP, websocket)
            assert (await client.receive())["event"] == "pusher:connection_established"


async def test_a_stream_comes_through_it_line_by_line(relay: RunningRelay, tmp_path: Path) -> None:
    with running_nginx(tmp_path, KEPT.format(port=relay.port)) as port:
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
            http.post("/app/key-3/1/abc/xhr_streaming?protocol=7") as stream,
        ):
            assert await stream.content.readline() == b"o\n"
            assert (await stream.content.readline()).startswith(b"a[")
            async with http.post("/app/key-3/1/abc/xhr_send", json=['{"event":"pusher:ping"}']) as sent:
                assert sent.status == 204
            assert b"pusher:pong" in await stream.content.readline()


@pytest.mark.parametrize("path", ["/", "/apps", "/feed?app=3"])
async def test_the_console_without_a_password_is_not_reached_through_one_that_was_told_nothing_but_its_address(
    tmp_path: Path, path: str
) -> None:
    async with running_console(APP) as console:
        with running_nginx(tmp_path, BARE.format(port=console.port)) as port:
            async with aiohttp.ClientSession() as http, http.get(URL(f"http://127.0.0.1:{port}{path}")) as response:
                assert response.status == 403
                assert "console_password" in await response.text()
