"""The front door of a relay that listens: who is handed where, by real connections."""

import base64
import json
import time

import pytest
from msgspec.structs import replace

from relay.protocol.signatures import signed_params
from relay.transports.reading import MAX_HEAD
from tests.helpers.clients import APP
from tests.helpers.door import HANDSHAKE, PING
from tests.helpers.frames import server_frames
from tests.helpers.relay import RunningRelay, Wire, running_relay


async def frame(wire: Wire) -> tuple[int, bytes]:
    """The next frame of the relay."""
    data = await wire.exactly(2)
    if data[1] == 126:
        data += await wire.exactly(2)
        size = int.from_bytes(data[2:])
    else:
        size = data[1]
    return server_frames(data + await wire.exactly(size))[0]


async def event(wire: Wire) -> str:
    _, payload = await frame(wire)
    return str(json.loads(payload)["event"])


class TestOnTheWire:
    async def test_frames_in_the_packet_of_the_handshake_are_read(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(HANDSHAKE + PING + PING[:5])
        assert (await wire.head()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert [await event(wire), await event(wire)] == ["pusher:connection_established", "pusher:pong"]
        await wire.send(PING[5:])
        assert await event(wire) == "pusher:pong"

    async def test_a_handshake_that_comes_byte_by_byte_is_answered(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        for octet in b"\r\n" + HANDSHAKE + PING:
            await wire.send(bytes((octet,)))
        assert b" 101 " in await wire.head()
        assert [await event(wire), await event(wire)] == ["pusher:connection_established", "pusher:pong"]

    @pytest.mark.parametrize("path", ["//app/key-3", "/realtimeapp/key-3", "/realtime/app/key-3"])
    async def test_a_client_with_a_wrong_ws_path_is_told_where_websockets_are(
        self, relay: RunningRelay, path: str
    ) -> None:
        client = await relay.open(f"{path}?protocol=7")
        first = await client.receive()
        assert (first["event"], first["data"]["code"]) == ("pusher:error", 4005)
        assert first["data"]["message"].startswith(f"WebSockets are at /app/KEY, not at {path}")
        assert (await client.closed())[0] == 4005

    async def test_another_websocket_version_gets_426(self, relay: RunningRelay) -> None:
        answer = await relay.exchange(HANDSHAKE.replace(b"Version: 13", b"Version: 8"))
        lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 426 Upgrade Required"
        assert {b"Sec-WebSocket-Version: 13", b"Connection: close"} <= set(lines)

    @pytest.mark.parametrize("key", [b"", b"short", b"!" * 24])
    async def test_a_missing_or_wrong_key_gets_400(self, relay: RunningRelay, key: bytes) -> None:
        answer = await relay.exchange(HANDSHAKE.replace(base64.b64encode(b"x" * 16), key))
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"Sec-WebSocket-Key" in answer

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            (b"Content-Length: 0", 101),
            (b"Content-Length: 6", 400),
            (b"Content-Length: x", 400),
            (b"Transfer-Encoding: chunked", 400),
            (b"Content-Length: 6\r\nTransfer-Encoding: chunked", 400),
        ],
    )
    async def test_an_upgrade_with_a_body_is_refused_as_the_body_is_no_frame(
        self, relay: RunningRelay, header: bytes, status: int
    ) -> None:
        wire = await relay.wire()
        await wire.send(HANDSHAKE.replace(b"Host: ", header + b"\r\nHost: "))
        assert int((await wire.head()).split()[1]) == status

    @pytest.mark.parametrize(
        ("path", "upgraded"),
        [
            (b"/app/key-3", True),
            (b"/app/other", True),
            (b"/app/", True),
            (b"/other", False),
            (b"/apps/3/events", False),
        ],
    )
    async def test_only_addresses_below_app_are_upgraded(
        self, relay: RunningRelay, path: bytes, upgraded: bool
    ) -> None:
        wire = await relay.wire()
        await wire.send(HANDSHAKE.replace(b"/app/key-3", path))
        assert (b" 101 " in await wire.head()) is upgraded

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /app/key-3 x HTTP/1.1\r\nHost: x",
            b"GET /app/\xff HTTP/1.1\r\nHost: x",
            b"GET /app/k HTTP/1.1\r\nno colon",
        ],
    )
    async def test_a_broken_head_at_an_address_of_websockets_gets_400(self, relay: RunningRelay, head: bytes) -> None:
        answer = await relay.exchange(head + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")

    @pytest.mark.parametrize("start", [b"GET /up HTTP/1.1\r\nX: ", b"GET /app/key-3 HTTP/1.1\r\nX: ", b""])
    async def test_a_head_without_an_end_gets_431(self, relay: RunningRelay, start: bytes) -> None:
        answer = await relay.exchange(start + b"a" * (MAX_HEAD + 1 - len(start)))
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")

    async def test_a_whole_head_over_the_limit_gets_431(self, relay: RunningRelay) -> None:
        answer = await relay.exchange(HANDSHAKE.replace(b"Host: ", b"X: %b\r\nHost: " % (b"a" * MAX_HEAD)))
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")

    async def test_a_client_that_goes_before_its_head_is_whole_is_forgotten(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(HANDSHAKE[:20])
        await wire.close()
        assert (await relay.request("GET", "/up")).status == 200


class TestPrefix:
    async def test_all_paths_are_below_the_prefix_and_no_part_of_what_is_signed(self) -> None:
        async with running_relay(path_prefix="/some/where") as relay:
            client = await relay.open("/some/where/app/key-3?protocol=7")
            assert (await client.receive())["event"] == "pusher:connection_established"
            await client.send("pusher:subscribe", {"channel": "a"})
            assert (await client.receive())["event"] == "pusher_internal:subscription_succeeded"
            body = b'{"name":"x","data":"1","channel":"a"}'
            answer = await relay.request("POST", f"/some/where{relay.target('POST', '/events', body)}", body)
            assert (answer.status, answer.text) == (200, "{}")
            assert (await client.receive())["event"] == "x"
            assert (await relay.request("GET", "/some/where/up")).status == 200
            assert (await relay.request("GET", "/elsewhere/up")).status == 404
            poll = await relay.request("POST", "/some/where/app/key-3/1/abc/xhr?protocol=7")
            assert poll.text.startswith("o\na[")

    async def test_a_signature_over_the_prefix_is_none(self) -> None:
        async with running_relay(path_prefix="/x") as relay:
            app = APP
            query = "&".join(
                f"{name}={value}"
                for name, value in signed_params(app.key, app.secret, "GET", "/x/apps/3/channels", b"", time.time())
            )
            assert (await relay.request("GET", f"/x/apps/3/channels?{query}")).status == 401


class TestOrigins:
    @pytest.mark.parametrize(
        ("allowed", "origin", "is_allowed"),
        [
            (("https://shop.example", "*.b.example"), "https://shop.example", True),
            (("https://shop.example", "*.b.example"), "https://a.b.example", True),
            (("https://shop.example", "*.b.example"), "http://x.b.example:8080", True),
            (("https://shop.example", "*.b.example"), "http://shop.example", False),
            (("https://shop.example", "*.b.example"), "https://shop.example.evil", False),
            (("https://shop.example", "*.b.example"), "https://evilb.example", False),
            (("https://shop.example", "*.b.example"), "https://b.example", False),
            (("https://shop.example", "*.b.example"), "null", False),
            (("https://shop.example", "*.b.example"), "nonsense", False),
            (("https://shop.example", "*.b.example"), "http://[", False),
            (("https://shop.example", "*.b.example"), None, False),
            (("*",), "https://any.example", True),
            (("*",), None, True),
            (("shop.example",), "http://shop.example:8080", True),
            (("HTTPS://Shop.Example:443/",), "https://shop.example", True),
            (("https://shop.example", "-"), None, True),
            (("-",), "https://shop.example", False),
            ((), "http://[", True),
        ],
    )
    async def test_only_clients_that_the_app_names_may_connect(
        self, allowed: tuple[str, ...], origin: str | None, is_allowed: bool
    ) -> None:
        async with running_relay(replace(APP, allowed_origins=allowed)) as relay:
            client = await relay.open("/app/key-3?protocol=7", origin=origin)
            first = await client.receive()
            if is_allowed:
                assert first["event"] == "pusher:connection_established"
            else:
                assert (first["event"], first["data"]["code"]) == ("pusher:error", 4009)
                assert (await client.closed())[0] == 4009
            # Back ends have no origin, and need none.
            assert (await relay.get("/channels")).status == 200

    async def test_a_list_is_understood_once_and_not_for_each_client(self) -> None:
        app = replace(APP, allowed_origins=("https://shop.example",))
        assert app.origins is app.origins
