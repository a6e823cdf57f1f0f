"""What the console serves, and how it starts and ends with the relay."""

import asyncio
import re
import ssl
from collections.abc import MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from relay import ports, server
from relay.api import routes
from relay.api.responses import json_response
from relay.apps import App, KeyPair
from relay.config import Settings
from relay.console import feed, pages
from relay.wire.http import Response
from relay.wire.later import Later
from tests.helpers.clients import APP, app_with
from tests.helpers.console import RunningConsole, running_console
from tests.helpers.processes import free_port
from tests.helpers.relay import PATIENCE, RunningRelay
from tests.helpers.tls import make_certificate

STATIC = Path(pages.__file__).parent / "static"
SHOP = App(id="shop", key="shop-key", secret="secret-of-the-shop", other_keys=(KeyPair("old-key", "another-secret"),))


class TestPages:
    async def test_every_file_of_the_page_is_served_as_what_it_is(self, console: RunningConsole) -> None:
        types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
        names = {path.name for path in STATIC.iterdir()}
        assert names == {"index.html", "console.js", "console.css"}
        for name in names:
            answer = await console.get(f"/static/{name}")
            assert (answer.status, answer.text) == (200, (STATIC / name).read_text())
            assert answer.headers["Content-Type"] == f"{types[Path(name).suffix]}; charset=utf-8"

    @pytest.mark.parametrize(
        "path",
        [
            "/static/../pages.py",
            "/static/..%2Fpages.py",
            "/static/%2e%2e/pages.py",
            "/static/package.json",
            "/static/",
            "/x",
        ],
    )
    async def test_nothing_else_is(self, console: RunningConsole, path: str) -> None:
        assert (await console.get(path)).status == 404

    @pytest.mark.parametrize("path", ["/", "/static/console.js", "/apps", "/nothing", "/feed?app=none"])
    @pytest.mark.parametrize("host", ["localhost", "evil.example"])
    async def test_every_answer_carries_the_headers_that_keep_pages_apart(
        self, console: RunningConsole, path: str, host: str
    ) -> None:
        headers = (await console.get(path, Host=host)).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert policy["img-src"] == "'self' data:"
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin"

    async def test_a_wrong_method_is_told_the_right_one(self, console: RunningConsole) -> None:
        answer = await console.get("/events?app=3")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")

    def test_the_page_holds_no_script_or_style_of_its_own(self) -> None:
        page = (STATIC / "index.html").read_text()
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []

    async def test_apps_are_listed_without_secrets(self) -> None:
        async with running_console(SHOP, app_with(enabled=False)) as console:
            answer = await console.get("/apps")
            assert answer.json == {
                "apps": [
                    {"id": "shop", "key": "shop-key", "is_enabled": True},
                    {"id": "3", "key": "key-3", "is_enabled": False},
                ],
                "relay": {"host": "127.0.0.1", "port": console.relay.port, "path_prefix": "", "is_tls": False},
            }

    async def test_apps_that_are_reloaded_are_listed(self, console: RunningConsole) -> None:
        console.relay.reload([SHOP])
        assert [app["id"] for app in (await console.get("/apps")).json["apps"]] == ["shop"]


class TestTestEvents:
    async def test_one_reaches_its_subscribers_but_for_the_one_that_is_left_out(self, console: RunningConsole) -> None:
        first, second = await console.relay.connect(), await console.relay.connect()
        for client in (first, second):
            await client.subscribe("private-a")
        event = {"name": "hello", "data": '{"a":1}', "channel": "private-a", "socket_id": second.socket_id}
        assert (await console.send(event)).json == {}
        assert await first.receive() == {"event": "hello", "channel": "private-a", "data": '{"a":1}'}
        assert await second.told() == []

    @pytest.mark.parametrize(
        ("status", "fields", "says"),
        [
            (400, {"channel": "a b"}, "A channel name holds"),
            (400, {"channel": ""}, "A channel name holds"),
            (400, {"name": ""}, "The name of an event"),
            (400, {"name": "pusher:x"}, "the server's own"),
            (400, {"data": {"a": 1}}, "Invalid body"),
            (400, {"socket_id": "x"}, "socket_id must be two numbers"),
            (413, {"data": "x" * 10_241}, "The data of an event may hold 10240 bytes"),
        ],
    )
    async def test_the_rules_of_the_api_hold(
        self, console: RunningConsole, status: int, fields: dict[str, object], says: str
    ) -> None:
        answer = await console.send({"name": "x", "data": "", "channel": "a"} | fields)
        assert (answer.status, answer.json["code"]) == (status, status)
        assert says in answer.json["error"]

    async def test_they_share_the_rate_of_the_apps_back_ends_and_are_counted_and_told_as_theirs(self) -> None:
        event = {"name": "x", "data": "", "channel": "a"}
        async with running_console(app_with(api_requests_per_second=2)) as console:
            viewer = await console.feed()
            assert (await console.send(event)).status == 200
            assert (await console.relay.post("/events", event)).status == 200
            refused = await console.send(event)
            assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
            assert refused.json == {"error": "The app may make 2 requests a second", "code": 429}
            assert (await console.relay.post("/events", event)).status == 429
            told = await viewer.happened("request_refused")
            assert (told["path"], told["status"], told["address"]) == ("/apps/3/events", 429, "127.0.0.1")
            assert console.relay.node.namespaces[console.relay.app.id].stats.rate_limited == 2

    async def test_info_is_answered_as_by_the_api(self, console: RunningConsole) -> None:
        event = {"name": "x", "data": "", "channels": ["a", "b"], "info": "subscription_count"}
        answer = await console.send(event)
        assert answer.json == {"channels": {name: {"subscription_count": 0} for name in ("a", "b")}}

    async def test_an_answer_that_other_nodes_have_to_give_is_waited_for(
        self, console: RunningConsole, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ask(*_: object) -> Later[Response]:
            later = Later[Response]()
            asyncio.get_running_loop().call_soon(later.settle, json_response({"by": "others"}))
            return later

        monkeypatch.setattr(routes, "publish", ask)
        answer = await console.send({"name": "x", "data": "", "channel": "a"})
        assert (answer.status, answer.json) == (200, {"by": "others"})

    async def test_a_bug_of_ours_is_logged_and_answered_without_detail(
        self, console: RunningConsole, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
    ) -> None:
        def fail(*_: object) -> None:
            raise KeyError("detail")

        monkeypatch.setattr(routes, "publish", fail)
        answer = await console.send({"name": "x", "data": "", "channel": "a"})
        assert (answer.status, answer.json) == (500, {"error": "internal error", "code": 500})
        assert [line["event"] for line in logged if line["log_level"] == "error"] == ["request_failed"]
        logged.clear()

    async def test_a_body_that_is_too_large_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "MAX_BODY", 1_000)
        async with running_console(APP) as console:
            answer = await console.send("x" * 1_001)
        assert answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        assert answer.json["code"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    async def test_a_disabled_app_and_none_get_nothing(self) -> None:
        async with running_console(app_with(enabled=False)) as console:
            event = {"name": "x", "data": "", "channel": "a"}
            assert (await console.send(event)).status == 403
            assert (await console.send(event, SHOP)).status == 404


class TestStartingAndStopping:
    async def test_without_a_port_there_is_no_console(self, relay: RunningRelay) -> None:
        assert not relay.node.observers
        assert (await relay.request("GET", "/feed?app=3")).status == 404

    async def test_a_busy_port_is_named_and_leaves_nothing_open(self, relay: RunningRelay) -> None:
        port = free_port()
        settings = Settings(port=port, apps=(APP,), console_port=relay.port, metrics_port=free_port())
        with pytest.raises(ports.CannotListen, match="in use") as refused:
            async with server.running(settings):
                pytest.fail("a console on a port that is taken")
        assert (refused.value.part, refused.value.host, refused.value.port) == ("console_", "127.0.0.1", relay.port)
        for closed in (port, settings.metrics_port):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", closed)

    async def test_open_feeds_see_the_clients_end_and_do_not_hold_up_the_stop(
        self, console: RunningConsole, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "CLOSE_TIMEOUT", 3_600.0)
        monkeypatch.setattr(feed, "HEARTBEAT", 3_600.0)
        client = await console.relay.connect()
        watching = [await console.feed() for _ in range(3)]
        closing = asyncio.create_task(client.closed())
        async with asyncio.timeout(PATIENCE):
            await console.relay.stop()
        await closing
        for viewer in watching:
            assert await viewer.happened("disconnected") == {
                "kind": "disconnected",
                "socket_id": client.socket_id,
                "code": 4100,
                "reason": "the server is restarting",
            }
            with pytest.raises(EOFError):
                await viewer.message()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", console.port)

    async def test_one_connection_too_many_is_closed_and_the_others_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "CONNECTIONS", 1)
        async with running_console(APP) as console:
            viewer = await console.feed()
            extra = await console.relay.wire(console.port)
            assert await extra.rest() == b""
            await console.relay.connect()
            assert (await viewer.happened())["kind"] == "connected"

    async def test_half_heads_take_nobodys_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "CONNECTIONS", 3)
        async with running_console(APP) as console:
            for _ in range(5):
                half = await console.relay.wire(console.port)
                await half.send(b"GET / HTTP/1.1\r\n")
            assert (await console.get("/")).status == 200
            await console.feed()

    async def test_what_is_no_http_is_no_bug(self, console: RunningConsole) -> None:
        wire = await console.relay.wire(console.port)
        await wire.send(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b"400" in await wire.rest()

    async def test_where_others_can_listen_in_it_is_served_by_the_relays_tls(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        make_certificate(certificate, key)
        tls = {"tls_certificate": str(certificate), "tls_key": str(key)}
        trusting = ssl.create_default_context(cafile=certificate)
        async with running_console(APP, **tls) as console:
            assert (await console.get("/apps")).json["relay"]["is_tls"] is True
        monkeypatch.setattr(server, "is_loopback", lambda host: False)
        async with running_console(APP, **tls) as console:
            url = console.origin.replace("http:", "https:")
            assert (await console.relay.request("GET", "/", at=url, ssl=trusting)).status == 200
