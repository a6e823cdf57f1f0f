"""Every way of turning somebody away leaves one line: what, who, where from, why. All against a real relay."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from msgspec.structs import replace

from relay.api.routes import MAX_BODY
from relay.transports import front
from relay.transports.reading import MAX_HEAD
from tests.helpers.clients import APP, app_with
from tests.helpers.frames import client_frame
from tests.helpers.relay import RunningRelay, running_relay
from tests.relay.net.test_tls import Files

Lines = list[MutableMapping[str, Any]]
Line = dict[str, object]

HERE = "127.0.0.1"
FROM_A_PROXY = {"X-Forwarded-For": "6.6.6.6, 198.51.100.7"}

TOO_MUCH = b"x" * (MAX_BODY + 1)

# One app for each reason; the keys are key-ID.
APPS = (
    app_with(api_requests_per_second=1, event_data_bytes=5, message_bytes=1_024),
    app_with(app_id="off", enabled=False),
    app_with(app_id="full", connections=1),
    app_with(app_id="crowd", connections_per_address=1),
    replace(app_with(app_id="shop"), allowed_origins=("https://shop.example",)),
)


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    async with running_relay(*APPS) as running:
        yield running


def refusals(logged: Lines) -> list[Line]:
    """The lines about somebody who was turned away, without what stands in every line."""
    names = ("connection_refused", "request_refused", "connection_cut", "slow_client_cut")
    return [
        {name: value for name, value in line.items() if name != "log_level"}
        for line in logged
        if line["event"] in names
    ]


def of_key(key: str, **more: object) -> Line:
    """What a line says of a client that asked for the app of `key`."""
    app = key.removeprefix("key-")
    return {
        "event": "connection_refused",
        "app": app if app in {one.id for one in APPS} else None,
        "address": HERE,
    } | more


class TestClients:
    @pytest.mark.parametrize(
        ("path", "key", "code", "reason"),
        [
            ("/app/nobody?protocol=7", "nobody", 4001, "There is no app with the key 'nobody'"),
            ("/app/key-off?protocol=7", "key-off", 4003, "The app is disabled"),
            ("/app/key-shop?protocol=7", "key-shop", 4009, "Pages of no origin may not connect to this app"),
            ("/app/key-3?protocol=x", "key-3", 4006, "The protocol version in the address must be a number"),
            (
                "/app/key-3?protocol=3",
                "key-3",
                4007,
                "Protocol version 3 is not supported: this server speaks 4 to 7",
            ),
        ],
    )
    async def test_whoever_may_not_connect_is_named_whatever_the_transport(
        self, relay: RunningRelay, logged: Lines, path: str, key: str, code: int, reason: str
    ) -> None:
        client = await relay.open(path)
        assert (await client.closed())[0] == code
        before, _, query = path.partition("?")
        await relay.request("POST", f"{before}/1/abc/xhr?{query}")
        assert refusals(logged) == [of_key(key, code=code, reason=reason)] * 2

    @pytest.mark.parametrize(
        ("app", "code", "reason"),
        [
            (APPS[2], 4004, "The app has its 1 connections"),
            (APPS[3], 4100, "There are 1 connections from this address"),
        ],
    )
    async def test_whoever_is_one_too_many_is_named(
        self, relay: RunningRelay, logged: Lines, app: Any, code: int, reason: str
    ) -> None:
        await relay.connect(app)
        second = await relay.open(f"/app/{app.key}?protocol=7", app)
        assert (await second.closed())[0] == code
        assert refusals(logged) == [of_key(app.key, code=code, reason=reason)]

    async def test_there_is_room_again_when_one_from_the_same_address_has_gone(self, relay: RunningRelay) -> None:
        first = await relay.connect(APPS[3])
        await first.websocket.close()
        await relay.connect(APPS[3])

    @pytest.mark.parametrize(
        ("frame", "code", "reason"),
        [
            (client_frame(b"x" * 1_025), 1009, "a message may hold 1024 bytes"),
            (client_frame(b"\xff"), 1007, "a text message must be UTF-8"),
            (client_frame(b"x", opcode=0x2), 1003, "messages are text"),
            (b"\x81\x01x", 1002, "a client's frame must be masked"),
        ],
    )
    async def test_whoever_breaks_the_framing_is_named_with_the_socket_id(
        self, relay: RunningRelay, logged: Lines, frame: bytes, code: int, reason: str
    ) -> None:
        client = await relay.connect()
        client.websocket.transport.write(frame)
        assert (await client.closed())[0] == code
        who = {"app": "3", "socket_id": client.socket_id, "address": HERE}
        assert refusals(logged) == [{"event": "connection_cut", "code": code, "reason": reason} | who]

    async def test_a_message_that_is_refused_is_a_line_for_debugging(self, relay: RunningRelay, logged: Lines) -> None:
        client = await relay.connect()
        await client.send_text("nonsense")
        await client.subscribe("no name!")
        lines = [line for line in logged if line["event"] == "message_refused"]
        assert [line["log_level"] for line in lines] == ["debug", "debug"]
        assert "Invalid message" in lines[0]["reason"]
        assert "channel name" in lines[1]["reason"]
        assert all((line["app"], line["socket_id"], line["address"]) == ("3", client.socket_id, HERE) for line in lines)


class TestRequests:
    @pytest.mark.parametrize(
        ("sent", "status", "reason"),
        [
            (b"GET /app/key-3 HTTP/1.1\r\nno colon\r\n\r\n", 400, "This is not an HTTP/1.1 request"),
            (
                b"GET /app/key-3 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                426,
                "This server speaks WebSocket 13",
            ),
            (
                (
                    b"GET /app/key-3 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\n\r\n"
                ),
                400,
                "Sec-WebSocket-Key must be 16 bytes in base64",
            ),
            (b"GET /app/" + b"k" * (MAX_HEAD + 1), 431, f"The head of a request may hold {MAX_HEAD} bytes"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400, "This is not an HTTP/1.1 request"),
            (b"GET /up HTTP/x.y\r\n\r\n", 400, "This is not an HTTP/1.1 request"),
        ],
    )
    async def test_what_is_no_request_is_one_line_without_a_word_of_it(
        self, relay: RunningRelay, logged: Lines, sent: bytes, status: int, reason: str
    ) -> None:
        assert (await relay.exchange(sent)).split()[1] == str(status).encode()
        assert refusals(logged) == [
            {"event": "request_refused", "address": HERE, "status": status, "reason": reason},
        ]

    @pytest.mark.parametrize(
        ("method", "path", "app", "status", "reason"),
        [
            ("GET", "/nothing", None, 404, "There is nothing at this path: the API is below /apps/APP_ID"),
            ("GET", "/apps/99/channels", None, 404, "There is no app '99'"),
            ("GET", "/apps/3/nothing", "3", 404, "There is nothing at this path of the API"),
            ("DELETE", "/apps/3/events", "3", 405, "This path takes POST, not DELETE"),
            ("GET", "/apps/3/channels", "3", 401, "The request is not signed: auth_signature is missing"),
            (
                "POST",
                "/users/7/terminate_connections?auth_key=key-3",
                "3",
                401,
                "The request is not signed: auth_signature is missing",
            ),
            (
                "GET",
                "/app/key-3",
                None,
                426,
                "This is an address for WebSockets: the request did not ask for an upgrade to one",
            ),
        ],
    )
    async def test_a_request_that_is_refused_is_named_with_its_app(
        self, relay: RunningRelay, logged: Lines, method: str, path: str, app: str | None, status: int, reason: str
    ) -> None:
        assert (await relay.request(method, path)).status == status
        assert refusals(logged) == [
            {
                "event": "request_refused",
                "app": app,
                "address": HERE,
                "method": method,
                "path": path.partition("?")[0],
                "status": status,
                "reason": reason,
            },
        ]

    async def test_a_signature_is_in_no_line(self, relay: RunningRelay, logged: Lines) -> None:
        target = relay.target("GET", "/channels", app=APP)
        signature = target.partition("auth_signature=")[2]
        for wrong in (target.replace("channels?", "channels/a?"), target.replace("auth_", "AUTH_") + "&x=1"):
            assert (await relay.request("GET", wrong)).status == 401
        assert len(refusals(logged)) == 2
        assert len(signature) == 64
        assert signature not in str(logged)

    async def test_a_request_over_the_rate_is_named(self, relay: RunningRelay, logged: Lines) -> None:
        await relay.get("/channels")
        assert (await relay.get("/channels")).status == 429
        (line,) = refusals(logged)
        assert (line["app"], line["address"], line["status"]) == ("3", HERE, 429)
        assert line["reason"] == "The app may make 1 requests a second"

    async def test_an_event_that_is_too_large_and_a_body_that_is_are_named(
        self, relay: RunningRelay, logged: Lines
    ) -> None:
        assert (await relay.trigger("a", data="123456")).status == 413
        assert (await relay.request("POST", "/apps/3/events?x=1", io.BytesIO(TOO_MUCH))).status == 413
        assert [(line["app"], line["path"], line["status"], line["reason"]) for line in refusals(logged)] == [
            ("3", "/apps/3/events", 413, "The data of an event may hold 5 bytes"),
            ("3", "/apps/3/events", 413, "The body of a request may hold 1048576 bytes"),
        ]

    @pytest.mark.parametrize(
        ("method", "action", "body", "status", "reason"),
        [
            ("POST", "xhr_send", b"[]", 404, "There is no such session"),
            ("DELETE", "xhr", b"", 405, "This path takes POST, not DELETE"),
        ],
    )
    async def test_a_request_of_a_client_without_websocket_is_named(
        self, relay: RunningRelay, logged: Lines, method: str, action: str, body: bytes, status: int, reason: str
    ) -> None:
        path = f"/app/key-3/1/abc/{action}"
        assert (await relay.request(method, f"{path}?x=1", body)).status == status
        line = {"method": method, "path": path, "status": status, "reason": reason, "address": HERE}
        assert refusals(logged) == [{"event": "request_refused"} | line]

    @pytest.mark.parametrize(("body", "status"), [(b"nonsense", 400), (TOO_MUCH, 413)])
    async def test_a_body_of_a_client_without_websocket_that_is_no_good_is_named(
        self, relay: RunningRelay, logged: Lines, body: bytes, status: int
    ) -> None:
        await relay.request("POST", "/app/key-3/1/abc/xhr?protocol=7")
        assert (await relay.request("POST", "/app/key-3/1/abc/xhr_send", io.BytesIO(body))).status == status
        assert [(line["status"], line["address"]) for line in refusals(logged)] == [(status, HERE)]

    async def test_a_body_of_a_client_without_websocket_that_does_not_come_is_named(
        self, relay: RunningRelay, logged: Lines, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(front, "REQUEST_TIMEOUT", 0.0)
        await relay.request("POST", "/app/key-3/1/abc/xhr?protocol=7")
        wire = await relay.wire()
        await wire.send(b"POST /app/key-3/1/abc/xhr_send HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[")
        assert (await wire.answer())[0] == 408
        assert [(line["status"], line["address"]) for line in refusals(logged)] == [(408, HERE)]


Ask = Callable[[RunningRelay], Awaitable[object]]


async def by_websocket(relay: RunningRelay) -> None:
    client = await relay.open("/app/nobody?protocol=7", additional_headers=FROM_A_PROXY)
    await client.closed()


async def by_a_broken_frame(relay: RunningRelay) -> None:
    client = await relay.connect(additional_headers=FROM_A_PROXY)
    client.websocket.transport.write(b"\x81\x01x")
    await client.closed()


async def by_polling(relay: RunningRelay) -> None:
    await relay.request("POST", "/app/nobody/1/abc/xhr?protocol=7", headers=FROM_A_PROXY)


async def by_a_send(relay: RunningRelay) -> None:
    await relay.request("POST", "/app/nobody/1/abc/xhr_send", b"[]", headers=FROM_A_PROXY)


async def by_the_api(relay: RunningRelay) -> None:
    await relay.request("GET", "/apps/3/channels", headers=FROM_A_PROXY)


async def by_the_api_in_full(relay: RunningRelay) -> None:
    await relay.request("DELETE", "/apps/3/channels", headers=FROM_A_PROXY)


async def by_a_bad_upgrade(relay: RunningRelay) -> None:
    headers = FROM_A_PROXY | {"Upgrade": "websocket", "Connection": "Upgrade"}
    await relay.request("GET", "/app/key-3", headers=headers)


@pytest.mark.parametrize(
    "ask",
    [by_websocket, by_a_broken_frame, by_polling, by_a_send, by_the_api, by_the_api_in_full, by_a_bad_upgrade],
)
@pytest.mark.parametrize(("trusted", "address"), [((HERE,), "198.51.100.7"), (("10.0.0.0/8",), HERE), ((), HERE)])
async def test_a_line_names_the_client_behind_a_trusted_proxy_and_nobody_else_can_choose_the_name(
    logged: Lines, ask: Ask, trusted: tuple[str, ...], address: str
) -> None:
    async with running_relay(*APPS, trusted_proxies=trusted) as relay:
        await ask(relay)
    assert [line["address"] for line in refusals(logged)] == [address]


async def test_clients_behind_a_trusted_proxy_are_told_apart_by_the_limit_for_each_address() -> None:
    async with running_relay(*APPS, trusted_proxies=(HERE,)) as relay:
        for address in ("198.51.100.7", "198.51.100.8", "2001:db8::1"):
            await relay.connect(APPS[3], additional_headers={"X-Forwarded-For": address})
        for address in ("198.51.100.7", "2001:db8::2"):
            path, headers = f"/app/{APPS[3].key}?protocol=7", {"X-Forwarded-For": address}
            refused = await relay.open(path, APPS[3], additional_headers=headers)
            assert (await refused.closed())[0] == 4100


class TestTls:
    @staticmethod
    async def _fail(relay: RunningRelay, files: Files) -> None:
        """Come without TLS, with ciphers that do not fit the certificate, and as everybody should."""
        await relay.exchange(b"GET / HTTP/1.1\r\n\r\n")
        old = files.client()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("AES128-GCM-SHA256")
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get(f"https://{HERE}:{relay.port}/up", ssl=old)
            async with http.get(f"https://{HERE}:{relay.port}/up", ssl=files.client()) as response:
                assert response.status == 200

    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    def test_a_handshake_that_fails_is_a_line_on_either_loop(
        self, tmp_path: Path, logged: Lines, run: Callable[..., None]
    ) -> None:
        files = Files(tmp_path)
        settings = {"tls_certificate": str(files.certificate), "tls_key": str(files.key)}

        async def fail() -> None:
            async with running_relay(APP, **settings) as relay:
                await self._fail(relay, files)

        run(fail())
        assert refusals(logged) == [
            {"event": "connection_refused", "reason": f"the TLS handshake failed: {reason}"}
            for reason in ("HTTP_REQUEST", "NO_SHARED_CIPHER")
        ]
