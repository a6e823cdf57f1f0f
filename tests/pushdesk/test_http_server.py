"""Servers on ports of their own: how long they wait for a client, for how many, and what they say when one goes."""

import asyncio
import errno
import logging
import ssl
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError

from pushdesk import http_server
from pushdesk.http_server import HttpServer, HttpServerLog, Patience, SlowBody, has_left
from tests.helpers.tls import make_certificate

HOST = "127.0.0.1"
# How long a test waits for what must come. Only a failing one waits for so long.
SECONDS = 10.0
QUICK = Patience(connections=100, head=0.2, body=0.2, idle=0.2, stalled=0.2)
PATIENT = Patience(connections=100, head=60.0, body=60.0, idle=60.0, stalled=60.0)
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
MEGABYTE = 1_048_576


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged; nothing of it an error."""
    with structlog.testing.capture_logs() as entries:
        yield entries
    assert [entry for entry in entries if entry["log_level"] == "error"] == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        async with asyncio.timeout(SECONDS):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def answer(self) -> bytes:
        """The next answer, which has a stated length."""
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            return head + await self.reader.readexactly(length)


class Echo:
    """Answers with the length of the body. `requests`: how many came; `is_slow` holds them until `go` is set."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures: list[BaseException] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests += 1
        await self.go.wait()
        try:
            return web.Response(text=str(len(await request.read())))
        except BaseException as error:
            self.failures.append(error)
            raise


async def refuse(_request: web.BaseRequest) -> web.StreamResponse:
    """Answers without a look at the body."""
    return web.Response(status=403)


class Serving:
    """A server, and clients of it."""

    def __init__(self, server: HttpServer, stack: AsyncExitStack) -> None:
        self.server = server
        self._stack = stack

    async def connect(self, data: bytes = b"") -> Client:
        reader, writer = await asyncio.open_connection(HOST, self.server.port)
        self._stack.callback(writer.close)
        client = Client(reader, writer)
        client.send(data)
        return client


@asynccontextmanager
async def serving(served: Any, patience: Patience, **options: Any) -> AsyncIterator[Serving]:
    server = HttpServer(served, patience, goodbye=1.0, **options)
    await server.start(HOST, 0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        yield Serving(server, stack)


async def until(condition: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - of what happens in the server, in turns of the loop
            await asyncio.sleep(0.001)


class TestTime:
    async def test_a_client_that_says_nothing_is_sent_away_without_a_word(self) -> None:
        async with serving(Echo(), QUICK) as running:
            client = await running.connect()
            assert await client.rest() == b""

    async def test_a_head_that_does_not_end_is_answered_and_ended(self) -> None:
        async with serving(Echo(), QUICK) as running:
            client = await running.connect(b"GET / HTTP/1.1\r\nHost: ")
            answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.endswith(b"The head of the request took more than 0.2 s")

    async def test_a_head_in_drops_has_no_more_time_than_one_that_stops(
        self, logged: list[MutableMapping[str, Any]]
    ) -> None:
        async with serving(Echo(), QUICK) as running:
            client = await running.connect(GET[:-2])
            async with asyncio.timeout(SECONDS):
                while not any("slow_head" in entry for entry in logged):
                    client.send(b"X: y\r\n")
                    await asyncio.sleep(0.01)
            await client.rest()

    async def test_a_later_head_has_the_same_time_from_its_first_byte_on(self) -> None:
        async with serving(Echo(), QUICK._replace(idle=60.0)) as running:
            client = await running.connect(GET)
            assert b" 200 " in await client.answer()
            client.send(GET[:10])
            assert b" 408 " in await client.rest()

    async def test_a_body_that_does_not_end_is_answered_and_ended(self) -> None:
        async with serving(Echo(), QUICK) as running:
            client = await running.connect(POST % 100 + b"half")
            answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 408 The body of the request took more than 0.2 s")
        assert b"\r\nConnection: close\r\n" in answer

    async def test_a_body_that_nobody_reads_is_not_waited_for_without_end(self) -> None:
        async def refuse(_request: web.BaseRequest) -> web.Response:
            return web.Response(status=404)

        async with serving(refuse, QUICK) as running:
            client = await running.connect(POST % 100 + b"half")
            assert b" 404 " in await client.rest()

    async def test_an_application_may_answer_a_late_body_in_its_own_words(self) -> None:
        @web.middleware
        async def in_our_words(request: web.Request, handler: Any) -> web.StreamResponse:
            try:
                return await handler(request)  # type: ignore[no-any-return]
            except SlowBody as error:
                return web.Response(status=error.status, text="too slow")

        app = web.Application(middlewares=[in_our_words])
        app.router.add_post("/", Echo().__call__)
        async with serving(app, QUICK) as running:
            client = await running.connect(POST % 100 + b"half")
            answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.endswith(b"too slow")

    async def test_a_body_in_drops_that_ends_in_time_is_taken(self) -> None:
        async with serving(Echo(), QUICK._replace(body=60.0)) as running:
            client = await running.connect(POST % 20)
            for _ in range(20):
                client.send(b"x")
                await asyncio.sleep(0.02)
            assert (await client.answer()).endswith(b"20")

    async def test_a_connection_without_a_next_request_ends(self) -> None:
        async with serving(Echo(), QUICK) as running:
            client = await running.connect(GET)
            assert b" 200 " in await client.answer()
            assert await client.rest() == b""

    async def test_work_that_takes_long_is_not_the_clients_fault(self) -> None:
        echo = Echo()
        echo.go.clear()
        async with serving(echo, QUICK) as running:
            client = await running.connect(POST % 4 + b"body")
            await until(lambda: echo.requests)
            # Longer than every deadline of a client.
            await asyncio.sleep(0.5)
            echo.go.set()
            assert (await client.answer()).endswith(b"4")

    async def test_requests_may_come_all_at_once(self) -> None:
        async with serving(Echo(), PATIENT) as running:
            client = await running.connect((POST % 2 + b"ab") * 5)
            for _ in range(5):
                assert (await client.answer()).endswith(b"2")

    async def test_a_client_that_takes_nothing_of_its_answer_is_cut(
        self, logged: list[MutableMapping[str, Any]]
    ) -> None:
        done = asyncio.Event()

        async def much(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                for _ in range(100):
                    await response.write(bytes(MEGABYTE))
            finally:
                done.set()
            return response

        async with serving(much, PATIENT._replace(stalled=0.2)) as running:
            client = await running.connect(GET)
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's has it
            async with asyncio.timeout(SECONDS):
                await done.wait()
        assert [entry["slow_reader"] for entry in logged if entry["event"] == "connections_ended_early"] == [1]

    async def test_an_answer_by_tls_may_pause_for_long(self, tmp_path: Path) -> None:
        async def stream(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(5):
                await response.write(b"x" * 100)
                await asyncio.sleep(0.3)
            return response

        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        make_certificate(certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = HttpServer(stream, PATIENT._replace(stalled=0.2), goodbye=1.0)
        await server.start(HOST, 0, context)
        trusting = ssl.create_default_context(cafile=certificate)
        trusting.check_hostname = False
        reader, writer = await asyncio.open_connection(HOST, server.port, ssl=trusting)
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert (await Client(reader, writer).rest()).count(b"x") == 500
        writer.close()
        await server.stop()

    async def test_a_client_that_reads_slowly_gets_all(self) -> None:
        async def much(_request: web.BaseRequest) -> web.Response:
            return web.Response(body=bytes(16 * MEGABYTE))

        async with serving(much, PATIENT._replace(stalled=0.3)) as running:
            client = await running.connect(GET)
            async with asyncio.timeout(SECONDS):
                head = await client.reader.readuntil(b"\r\n\r\n")
                read = 0
                while read < 16 * MEGABYTE:
                    read += len(await client.reader.read(MEGABYTE))
                    await asyncio.sleep(0.02)
        assert b" 200 " in head


class TestPlaces:
    @pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\n", POST % 10 + b"half"])
    async def test_whoever_asks_is_served_while_others_hold_all_places(self, data: bytes) -> None:
        async with serving(Echo(), PATIENT._replace(connections=3)) as running:
            others = [await running.connect(data) for _ in range(10)]
            client = await running.connect(GET)
            assert b" 200 " in await client.answer()
            # The places: the client's own, and those of the last ones.
            for other in others[:8]:
                assert await other.rest() == b""

    async def test_who_has_waited_longest_goes_not_who_came_first(self) -> None:
        async with serving(Echo(), PATIENT._replace(connections=2)) as running:
            first, second = await running.connect(GET), await running.connect(GET)
            assert b" 200 " in await first.answer()
            assert b" 200 " in await second.answer()
            first.send(GET)
            assert b" 200 " in await first.answer()
            third = await running.connect(GET)
            assert b" 200 " in await third.answer()
            assert await second.rest() == b""
            first.send(GET)
            assert b" 200 " in await first.answer()

    async def test_whoever_ends_a_body_after_the_answer_keeps_nobody_out(self) -> None:
        async with serving(refuse, PATIENT._replace(connections=2)) as running:
            others = [await running.connect(POST % 2 + b"a") for _ in range(2)]
            for other in others:
                assert b" 403 " in await other.answer()
                other.send(b"b")
            client = await running.connect(GET)
            assert b" 403 " in await client.answer()
            assert await others[0].rest() == b""

    async def test_the_end_of_a_body_that_was_answered_early_begins_no_endless_wait(self) -> None:
        async with serving(refuse, PATIENT._replace(idle=0.2)) as running:
            client = await running.connect(POST % 2 + b"a")
            assert b" 403 " in await client.answer()
            client.send(b"b")
            assert await client.rest() == b""

    async def test_nobody_who_is_being_served_is_sent_away(self) -> None:
        echo = Echo()
        echo.go.clear()
        async with serving(echo, PATIENT._replace(connections=2)) as running:
            served = [await running.connect(POST % 2 + b"ab"), await running.connect(GET)]
            await until(lambda: echo.requests == 2)
            assert await (await running.connect(GET)).rest() == b""
            echo.go.set()
            for client in served:
                assert b" 200 " in await client.answer()
            assert b" 200 " in await (await running.connect(GET)).answer()

    async def test_places_come_back(self) -> None:
        async with serving(Echo(), PATIENT._replace(connections=1)) as running:
            for _ in range(5):
                client = await running.connect(GET)
                assert b" 200 " in await client.answer()
                client.writer.close()
                await client.writer.wait_closed()

    async def test_how_many_ended_early_is_one_line(self, logged: list[MutableMapping[str, Any]]) -> None:
        async with serving(Echo(), QUICK) as running:
            for client in [await running.connect() for _ in range(20)]:
                assert await client.rest() == b""
        assert [entry for entry in logged if entry["log_level"] != "debug"] == [
            {"event": "connections_ended_early", "slow_head": 1, "log_level": "info"}
        ]

    async def test_how_many_more_did_is_said_later_without_another(
        self, logged: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(http_server, "REPORT_INTERVAL", 0.5)
        async with serving(Echo(), QUICK) as running:
            for client in [await running.connect() for _ in range(20)]:
                assert await client.rest() == b""
            await until(lambda: sum(entry.get("slow_head", 0) for entry in logged) == 20)


class TestClientsThatLeave:
    @pytest.mark.parametrize("is_reset", [False, True])
    async def test_in_the_middle_of_their_body_are_counted(
        self, is_reset: bool, logged: list[MutableMapping[str, Any]]
    ) -> None:
        echo = Echo()
        async with serving(echo, PATIENT) as running:
            client = await running.connect(POST % 100 + b"half")
            await until(lambda: echo.requests)
            if is_reset:
                client.writer.transport.abort()
            else:
                client.writer.close()
            await until(lambda: echo.failures)
            await until(lambda: [entry for entry in logged if entry.get("left")])
        assert [entry["event"] for entry in logged if entry["log_level"] != "debug"] == ["connections_ended_early"]

    async def test_before_their_turn_came_are_counted(self, logged: list[MutableMapping[str, Any]]) -> None:
        echo = Echo()
        echo.go.clear()
        async with serving(echo, PATIENT) as running:
            client = await running.connect(GET + POST % 100 + b"half")
            await until(lambda: echo.requests)
            client.writer.close()
            await client.writer.wait_closed()
            echo.go.set()
        assert echo.requests == 1
        assert [entry for entry in logged if entry["log_level"] != "debug" and "left" not in entry] == []

    async def test_before_their_answer_are_nothing_to_report(self, logged: list[MutableMapping[str, Any]]) -> None:
        echo = Echo()
        echo.go.clear()
        async with serving(echo, PATIENT) as running:
            client = await running.connect(GET)
            await until(lambda: echo.requests)
            client.writer.close()
            await client.writer.wait_closed()
            echo.go.set()
        assert [entry for entry in logged if entry["log_level"] != "debug"] == []

    async def test_end_a_handler_that_wants_it(self) -> None:
        echo = Echo()
        async with serving(echo, PATIENT, is_cancelling=True) as running:
            client = await running.connect(POST % 100)
            await until(lambda: echo.requests)
            client.writer.close()
            await until(lambda: echo.failures)

    async def test_a_bug_remains_one_though_the_client_left(self, logged: list[MutableMapping[str, Any]]) -> None:
        here, gone = asyncio.Event(), asyncio.Event()

        async def fail(_request: web.BaseRequest) -> web.Response:
            here.set()
            await gone.wait()
            raise KeyError("a bug")

        async with serving(fail, PATIENT) as running:
            client = await running.connect(GET)
            await here.wait()
            client.writer.close()
            await client.writer.wait_closed()
            gone.set()
            await until(lambda: [entry for entry in logged if entry["log_level"] == "error"])
        (failed,) = [entry for entry in logged if entry["log_level"] == "error"]
        assert isinstance(failed["exc_info"], KeyError)
        logged.clear()

    async def test_are_told_from_those_who_stay(self) -> None:
        async def fail(request: web.BaseRequest) -> web.Response:
            assert not has_left(request, ConnectionResetError())
            return web.Response(text="stays")

        async with serving(fail, PATIENT) as running:
            assert (await (await running.connect(GET)).answer()).endswith(b"stays")

    async def test_whatever_the_system_says_of_the_connection(self) -> None:
        unreachable = OSError(errno.EHOSTUNREACH, "No route to host")
        found: list[bool] = []

        async def fail(request: web.BaseRequest) -> web.Response:
            assert request.transport is not None
            request.transport.abort()
            request.content.set_exception(unreachable)
            found.extend([has_left(request, unreachable), has_left(request, OSError(errno.EIO, "of the disk"))])
            return web.Response()

        async with serving(fail, PATIENT) as running:
            await (await running.connect(POST % 10)).rest()
        assert found == [True, False]


class TestHttpServerLog:
    @pytest.mark.parametrize("error", [ConnectionResetError("gone"), BrokenPipeError(), SlowBody(1.0)])
    def test_a_client_that_went_is_for_debugging(
        self, error: Exception, logged: list[MutableMapping[str, Any]]
    ) -> None:
        HttpServerLog().exception("Error handling request from %s", "192.0.2.1", exc_info=error)
        (entry,) = logged
        assert (entry["log_level"], "exc_info" in entry) == ("debug", False)
        assert entry["reason"] == f"Error handling request from 192.0.2.1: {type(error).__name__}"

    def test_what_is_no_request_is_a_line_without_a_traceback(self, logged: list[MutableMapping[str, Any]]) -> None:
        error = ContentEncodingError("gzip")
        HttpServerLog().exception("Error handling request from %s", "192.0.2.1", exc_info=error)
        HttpServerLog().debug("Error handling request from %s", "192.0.2.1", exc_info=error)
        line = {"status": 400, "reason": "ContentEncodingError", "log_level": "info"}
        assert logged == [{"event": "request_refused", "address": "192.0.2.1", **line}] * 2

    def test_a_bug_keeps_its_traceback(self, logged: list[MutableMapping[str, Any]]) -> None:
        bug = KeyError("x")
        HttpServerLog().exception("Unhandled exception", exc_info=bug)
        (entry,) = logged
        assert (entry["log_level"], entry["exc_info"], entry["reason"]) == ("error", bug, "Unhandled exception")
        logged.clear()

    def test_small_talk_is_for_debugging(self, logged: list[MutableMapping[str, Any]]) -> None:
        HttpServerLog().debug("Ignored %d%s", 2, "x", exc_info=None)
        assert logged == [{"event": "http_server", "reason": "Ignored 2x", "log_level": "debug"}]


async def test_a_port_that_is_busy_is_an_error_and_leaves_nothing(logged: list[MutableMapping[str, Any]]) -> None:
    async with serving(Echo(), PATIENT) as running:
        with pytest.raises(OSError, match="address already in use"):
            await HttpServer(Echo(), PATIENT, goodbye=1.0).start(HOST, running.server.port)
    assert logged == []
