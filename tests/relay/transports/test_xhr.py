"""The HTTP fallbacks, by real requests."""

import asyncio
import gc
import io
import json
import select
import socket
import tracemalloc
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from relay.transports import exchange, xhr
from relay.transports.xhr import is_fallback, parse_target
from tests.helpers.clients import APP, app_with, member, message, subscription
from tests.helpers.relay import PATIENCE, RunningRelay, running_relay, until
from tests.helpers.transport import opened

TOO_MUCH = b"x" * 2_000_000


class Browser:
    """A client that speaks the fallbacks as pusher-js does."""

    def __init__(self, relay: RunningRelay, http: aiohttp.ClientSession, session: str, path: str = "/pusher") -> None:
        self.relay = relay
        self.http = http
        self.base = f"{relay.url}{path}/app/key-3/123/{session}"
        self.socket_id = ""

    async def poll(self) -> list[str]:
        """The lines of one request."""
        async with asyncio.timeout(PATIENCE), self.http.post(f"{self.base}/xhr?protocol=7&t=1&n=1") as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            return (await response.text()).splitlines()

    async def messages(self) -> list[dict[str, Any]]:
        """The messages of one request that holds nothing else."""
        (line,) = await self.poll()
        return decoded(line)

    async def send(self, *messages: bytes) -> int:
        body = json.dumps([text.decode() for text in messages])
        return (await self.post("xhr_send", body.encode()))[0]

    async def subscribe(self, channel: str, channel_data: str | None = None) -> None:
        data = subscription(self.relay.app, self.socket_id, channel, channel_data)
        assert await self.send(message("pusher:subscribe", data)) == 204

    async def post(self, action: str, body: bytes) -> tuple[int, str]:
        async with asyncio.timeout(PATIENCE), self.http.post(f"{self.base}/{action}?t=1&n=2", data=body) as response:
            return response.status, await response.text()

    async def open(self) -> "Browser":
        is_open, line = await self.poll()
        assert is_open == "o"
        self.socket_id = decoded(line)[0]["data"]["socket_id"]
        return self


def decoded(line: str) -> list[dict[str, Any]]:
    assert line.startswith("a")
    return [opened(json.loads(text)) for text in json.loads(line[1:])]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def browser(relay: RunningRelay, http: aiohttp.ClientSession) -> Browser:
    return Browser(relay, http, "abc123")


class TestTargets:
    @pytest.mark.parametrize("path", ["", "/pusher", "/some/where", "/", "/pusher/", "//pusher"])
    @pytest.mark.parametrize("action", ["xhr", "xhr_streaming", "xhr_send"])
    def test_the_path_names_app_session_and_action(self, path: str, action: str) -> None:
        target = parse_target(f"{path}/app/key/12/0abv/{action}?protocol=7&n=5")
        assert target is not None
        assert (target.app_key, target.session) == ("key", ("key", "12", "0abv"))
        assert (target.action, target.params) == (action, {"protocol": "7", "n": "5"})

    @pytest.mark.parametrize(
        "target",
        [
            "/app/key",
            "/app/key/12/abc",
            "/app/key/12/abc/xhr/",
            "/app/key/12/abc/jsonp",
            "/app/key/x/abc/xhr",
            "/app/key/12/ABC/xhr",
            "/app/key/12/" + "a" * 41 + "/xhr",
            "/app//12/abc/xhr",
            "/apps/3/channels/a?x=/app/key/12/abc/xhr",
            "/apps/3/events",
        ],
    )
    def test_other_paths_are_no_fallbacks(self, target: str) -> None:
        assert parse_target(target) is None
        assert not is_fallback(target)


class TestPolling:
    async def test_a_client_subscribes_and_gets_events_in_their_order(self, browser: Browser) -> None:
        await browser.open()
        await browser.subscribe("private-a")
        assert [event["event"] for event in await browser.messages()] == ["pusher_internal:subscription_succeeded"]
        for number in range(3):
            await browser.relay.trigger("private-a", f"e{number}")
        assert [event["event"] for event in await browser.messages()] == ["e0", "e1", "e2"]

    @pytest.mark.parametrize("channel", ["private-a", "private-encrypted-a", "private-cache-a"])
    async def test_a_client_subscribes_with_channel_data_that_names_its_user(
        self, browser: Browser, channel: str
    ) -> None:
        await browser.open()
        await browser.subscribe(channel, member("7"))
        assert (await browser.messages())[0]["event"] == "pusher_internal:subscription_succeeded"
        (connection,) = browser.relay.node.namespaces[browser.relay.app.id].hub.connections.values()
        assert connection.session.subscriptions == {channel: "7"}

    async def test_a_poll_waits_for_what_comes(self, browser: Browser) -> None:
        await browser.open()
        waiting = asyncio.create_task(browser.messages())
        await browser.subscribe("a")
        assert (await waiting)[0]["event"] == "pusher_internal:subscription_succeeded"

    async def test_a_poll_with_nothing_to_say_ends_with_a_heartbeat(
        self, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await browser.open()
        monkeypatch.setattr(xhr, "HEARTBEAT", 0.0)
        assert await browser.poll() == ["h"]

    async def test_a_ping_is_answered_by_no_messages(self, browser: Browser) -> None:
        await browser.open()
        assert await browser.send() == 204
        assert await browser.poll() == ["a[]"]

    async def test_a_newer_poll_ends_the_older_one_quietly(self, browser: Browser) -> None:
        await browser.open()
        older = asyncio.create_task(browser.poll())
        await held(browser.relay)
        newest = asyncio.create_task(browser.poll())
        assert await older == []
        await browser.subscribe("a")
        assert len(await newest) == 1

    async def test_a_refused_key_is_told_in_the_first_answer(self, browser: Browser) -> None:
        browser.base = browser.base.replace("key-3", "nobody")
        is_open, close = await browser.poll()
        assert (is_open, json.loads(close[1:])[0]) == ("o", 4001)
        # The session is gone with it: the next request opens another one.
        assert (await browser.poll())[0] == "o"

    async def test_a_client_over_its_backlog_is_told_4100(self, http: aiohttp.ClientSession) -> None:
        async with running_relay(backlog_bytes=16_384) as relay:
            browser = await Browser(relay, http, "abc").open()
            await browser.subscribe("a")
            for _ in range(3):
                await relay.trigger("a", data="x" * 9_000)
            messages, close = await browser.poll()
        # What waited when it was cut still comes.
        assert len(decoded(messages)) >= 2
        assert json.loads(close[1:])[0] == 4100

    async def test_both_transports_meet_in_one_channel(self, browser: Browser) -> None:
        socket = await browser.relay.connect()
        await socket.subscribe("presence-a", member("1"))
        await browser.open()
        await browser.subscribe("presence-a", member("2"))
        assert (await browser.messages())[0]["data"]["presence"]["ids"] == ["1", "2"]
        assert (await socket.receive())["event"] == "pusher_internal:member_added"
        await socket.send("client-x", 1, "presence-a")
        assert (await browser.messages())[0]["user_id"] == "1"

    async def test_a_stop_tells_the_client_to_come_back(self, browser: Browser) -> None:
        await browser.open()
        waiting = asyncio.create_task(browser.poll())
        await held(browser.relay)
        await browser.relay.stop()
        (close,) = await waiting
        assert json.loads(close[1:]) == [4100, "the server is restarting"]


def sessions(relay: RunningRelay) -> list[Any]:
    """The fallback sessions of the relay's app."""
    connections = relay.node.namespaces[relay.app.id].hub.connections.values()
    return [connection.transport for connection in connections if hasattr(connection.transport, "_receiver")]


async def held(relay: RunningRelay, *, is_held: bool = True) -> None:
    """Wait until the relay holds a request that receives, or knows that it has gone."""
    async with asyncio.timeout(PATIENCE):
        while any(session._receiver for session in sessions(relay)) is not is_held:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)


class TestStreaming:
    async def test_frames_come_as_they_are_said_in_one_response(self, browser: Browser) -> None:
        async with browser.http.post(f"{browser.base}/xhr_streaming?protocol=7") as stream:
            assert stream.headers["Content-Type"] == "application/javascript; charset=UTF-8"
            assert stream.headers["Cache-Control"] == "no-store, no-transform"
            assert stream.headers["X-Accel-Buffering"] == "no"
            assert await stream.content.readline() == b"o\n"
            (welcome,) = decoded((await stream.content.readline()).decode())
            browser.socket_id = welcome["data"]["socket_id"]
            for number in range(2):
                await browser.subscribe(f"c{number}")
                (answer,) = decoded((await stream.content.readline()).decode())
                assert answer["channel"] == f"c{number}"

    async def test_a_client_that_opens_again_gets_what_came_meanwhile_and_no_second_opening(
        self, browser: Browser
    ) -> None:
        await browser.open()
        async with browser.http.post(f"{browser.base}/xhr_streaming?protocol=7") as stream:
            await browser.subscribe("a")
            assert (await stream.content.readline()).startswith(b"a")
        await held(browser.relay, is_held=False)
        await browser.relay.trigger("a", "meanwhile")
        async with browser.http.post(f"{browser.base}/xhr_streaming?protocol=7") as stream:
            assert decoded((await stream.content.readline()).decode())[0]["event"] == "meanwhile"

    async def test_a_client_that_opens_again_after_256_kibibytes_loses_nothing(self, browser: Browser) -> None:
        await browser.open()
        await browser.subscribe("a")
        read = 0
        async with browser.http.post(f"{browser.base}/xhr_streaming?protocol=7") as stream:
            sent = 0
            while read <= xhr.STREAM_CHARACTERS:
                read += len((await stream.content.readline()).decode())
                await browser.relay.trigger("a", str(sent), "x" * 10_240)
                sent += 1
            # Full: what came last waits for the next response, which the client opens before it drops this one.
            async with browser.http.post(f"{browser.base}/xhr_streaming?protocol=7") as following:
                (event,) = decoded((await following.content.readline()).decode())
                assert event["event"] == str(sent - 1)
            assert await stream.content.read() == b""

    async def test_a_client_that_does_not_open_again_is_written_to_all_the_same(
        self, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(xhr, "REOPEN_TIMEOUT", 0.0)
        await browser.open()
        await browser.subscribe("a")
        async with browser.http.post(f"{browser.base}/xhr_streaming?protocol=7") as stream:
            await stream.content.readline()
            for number in range(30):
                await browser.relay.trigger("a", str(number), "x" * 10_240)
                assert decoded((await stream.content.readline()).decode())[0]["event"] == str(number)


def deaf_client(port: int) -> socket.socket:
    """A connection whose other end can hand over little: nothing is read from it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port))
    return client


def ask(path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()


class TestClientsThatDoNotRead:
    """A session that is over, and everything that it held, ends with it: the socket and what waits in it too."""

    async def test_one_that_takes_nothing_of_a_write_loses_the_connection_and_the_session(
        self, relay: RunningRelay, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exchange, "WRITE_TIMEOUT", 0.1)
        browser = await Browser(relay, http, "abc").open()
        await browser.subscribe("a")
        with deaf_client(relay.port) as client:
            client.sendall(ask("/pusher/app/key-3/123/abc/xhr_streaming"))
            await held(relay)
            await fill(relay)
            assert await asyncio.to_thread(is_reset, client)
        await held(relay, is_held=False)

    async def test_one_that_is_cut_counts_at_its_address_until_its_connection_is_gone(
        self, http: aiohttp.ClientSession
    ) -> None:
        async with running_relay(app_with(connections_per_address=1)) as relay:
            browser = await Browser(relay, http, "abc").open()
            await browser.subscribe("a")
            with deaf_client(relay.port) as client:
                client.sendall(ask("/pusher/app/key-3/123/abc/xhr_streaming"))
                await held(relay)
                (session,) = sessions(relay)
                await fill(relay)
                assert (await Browser(relay, http, "def").poll())[1].startswith("c[4100")
                assert session._receiver._expiry is not None
                session._receiver.expire(0.0)
                assert await asyncio.to_thread(is_reset, client)
            await Browser(relay, http, "ghi").open()


async def fill(relay: RunningRelay) -> None:
    """Send until a client that does not read is cut: more than the system and the relay hold for it."""
    while relay.node.namespaces[relay.app.id].stats.slow_clients_cut == 0:
        await relay.post("/batch_events", {"batch": [{"name": "e", "data": "x" * 10_000, "channel": "a"}] * 10})


def is_reset(client: socket.socket) -> bool:
    """Wait until the relay has ended the connection, with nothing read meanwhile."""
    poll = select.poll()
    poll.register(client, select.POLLERR)
    return bool(poll.poll(PATIENCE * 1_000))


class TestSendersOverTheRate:
    """One message a second and session: the burst is less than a turn handles, all else waits."""

    @staticmethod
    def answering() -> int:
        """How many requests the relay answers at the moment."""
        return sum(getattr(task.get_coro(), "__qualname__", "") == "FrontDoor._run" for task in asyncio.all_tasks())

    @staticmethod
    def pings(count: int) -> bytes:
        body = json.dumps([message("pusher:ping").decode()] * count).encode()
        return b"POST /app/key-3/123/abc123/xhr_send HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )

    async def test_what_a_request_sends_that_goes_before_its_turn_is_forgotten(
        self, http: aiohttp.ClientSession
    ) -> None:
        app = app_with(messages_per_second=1, client_events_per_second=1, subscriptions=1)
        async with running_relay(app) as relay:
            await Browser(relay, http, "abc123").open()
            first = await relay.wire()
            await first.send(self.pings(100))
            await until(lambda: relay.node.namespaces[app.id].stats.limits_hit["messages_per_second"] > 0)
            for _ in range(3):
                gone = await relay.wire()
                await gone.send(self.pings(100))
                await until(lambda: self.answering() == 2)
                await gone.close()
                await until(lambda: self.answering() == 1)
            relay.reload([replace(app, limits=replace(app.limits, messages_per_second=0))])
            assert b" 204 " in await first.head()
            assert relay.node.namespaces[app.id].stats.messages_received["ping"] == 100

    async def test_requests_that_wait_for_their_turn_are_all_handled(self, http: aiohttp.ClientSession) -> None:
        app = app_with(messages_per_second=1, client_events_per_second=1, subscriptions=1)
        async with running_relay(app) as relay:
            await Browser(relay, http, "abc123").open()
            wires = [await relay.wire() for _ in range(4)]
            for at, wire in enumerate(wires, 1):
                await wire.send(self.pings(100))
                await until(lambda at=at: self.answering() == at)  # type: ignore[misc]
            relay.reload([replace(app, limits=replace(app.limits, messages_per_second=0))])
            assert all([b" 204 " in await wire.head() for wire in wires])
            assert relay.node.namespaces[app.id].stats.messages_received["ping"] == 400


class TestOrigins:
    @pytest.mark.parametrize(
        "origin", ["http://[", "http://[::1", "http://x:99999999999", "x" * 5_000, "\xff", "://", ""]
    )
    async def test_any_text_is_an_origin_that_is_not_allowed_and_leaves_nothing(
        self, http: aiohttp.ClientSession, logged: list[MutableMapping[str, Any]], origin: str
    ) -> None:
        request = ask("/app/key-3/1/abc/xhr?protocol=7").replace(
            b"Host: x", b"Host: x\r\nOrigin: " + origin.encode("latin-1")
        )
        async with running_relay(replace(APP, allowed_origins=("https://shop.example",))) as relay:
            wire = await relay.wire()
            for _ in range(2):
                await wire.send(request)
                status, body = await wire.answer()
                assert (status, body[:8]) == (200, b"o\nc[4009")
            assert len(relay.node.namespaces[relay.app.id].hub.connections) == 0
        assert [(line["event"], line["code"]) for line in logged] == [("connection_refused", 4009)] * 2


class TestConnections:
    async def test_polls_sends_preflights_and_an_upgrade_share_one(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        path = "/pusher/app/key-3/1/abc"
        await wire.send(ask(f"{path}/xhr?protocol=7"))
        assert (await wire.answer())[1].startswith(b"o\na[")
        await wire.send(ask(f"{path}/xhr_send").replace(b"Length: 0", b"Length: 2") + b"[]")
        assert (await wire.head()).startswith(b"HTTP/1.1 204 No Content\r\n")
        await wire.send(ask(f"{path}/xhr"))
        assert await wire.answer() == (200, b"a[]\n")
        await wire.send(ask(f"{path}/xhr").replace(b"POST", b"OPTIONS"))
        assert (await wire.head()).startswith(b"HTTP/1.1 204 No Content\r\n")
        await wire.send(ask(f"{path}/xhr").replace(b"POST", b"HEAD"))
        assert (await wire.head()).startswith(b"HTTP/1.1 405 ")
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        await wire.send(b"GET /app/key-3 HTTP/1.1\r\nHost: x\r\n" + upgrade + b"eHh4eHh4eHh4eHh4eHh4eA==\r\n\r\n")
        assert (await wire.head()).startswith(b"HTTP/1.1 101 ")

    async def test_a_stream_by_http_1_0_ends_with_the_connection(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(b"POST /app/key-3/1/abc/xhr_streaming?protocol=7 HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        head = await wire.head()
        assert b"Connection: close\r\n" in head
        assert b"Transfer-Encoding" not in head
        assert await wire.exactly(4) == b"o\na["
        await relay.stop()
        assert (await wire.rest()).endswith(b'c[4100,"the server is restarting"]\n')

    async def test_a_client_that_waits_for_a_100_before_it_sends_gets_it(self, browser: Browser) -> None:
        await browser.open()
        wire = await browser.relay.wire()
        request = ask("/pusher/app/key-3/123/abc123/xhr_send")
        await wire.send(request.replace(b"Length: 0", b"Length: 2\r\nExpect: 100-continue"))
        assert await wire.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await wire.send(b"[]")
        assert (await wire.head()).startswith(b"HTTP/1.1 204 ")


class TestRequests:
    async def test_a_page_of_another_origin_may_ask(self, browser: Browser) -> None:
        async with browser.http.options(f"{browser.base}/xhr_send?t=1") as response:
            assert (response.status, await response.read()) == (204, b"")
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Access-Control-Allow-Methods"] == "POST"
            assert response.headers["Access-Control-Allow-Headers"] == "content-type"
            assert int(response.headers["Access-Control-Max-Age"]) >= 3_600

    async def test_another_method_gets_405(self, browser: Browser) -> None:
        async with browser.http.put(f"{browser.base}/xhr") as response:
            assert response.status == 405

    async def test_a_message_for_an_unknown_session_gets_404(self, browser: Browser) -> None:
        assert await browser.send(message("pusher:ping")) == 404

    @pytest.mark.parametrize("body", [b"", b"{}", b'"a"', b"[1]", b"\xff"])
    async def test_a_body_that_is_no_list_of_texts_gets_400(self, browser: Browser, body: bytes) -> None:
        await browser.open()
        status, text = await browser.post("xhr_send", body)
        assert (status, text.startswith("Invalid body: ")) == (400, True)
        assert await browser.send(message("pusher:ping")) == 204
        assert (await browser.messages())[0]["event"] == "pusher:pong"

    async def test_half_a_character_alone_is_a_message_that_is_not_understood(self, browser: Browser) -> None:
        await browser.open()
        assert (await browser.post("xhr_send", b'["\\ud800"]'))[0] == 204
        assert (await browser.messages())[0]["event"] == "pusher:error"

    async def test_a_body_over_a_mebibyte_gets_413_and_is_not_kept(self, browser: Browser) -> None:
        async def send_too_much() -> None:
            async with browser.http.post(f"{browser.base}/xhr_send", data=io.BytesIO(TOO_MUCH)) as response:
                assert response.status == 413
                assert response.headers["Access-Control-Allow-Origin"] == "*"

        await browser.open()
        await send_too_much()
        # What is freed only by the garbage collector may be freed late: the relay lets it run seldom.
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(10):
                await send_too_much()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
        # The client itself keeps the last one.
        assert held < 2 * len(TOO_MUCH)
        assert await browser.send(message("pusher:ping")) == 204
