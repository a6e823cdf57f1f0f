"""The way of a request through the API: paths, methods, signatures, bodies, and what strangers send instead."""

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import Coroutine, Iterator, MutableMapping
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.api import routes
from relay.api.responses import status_of
from relay.protocol.errors import ProtocolError
from relay.transports import front
from relay.wire.http import Response
from tests.helpers.clients import APP, app_with
from tests.helpers.json_values import MESSAGES
from tests.helpers.relay import RunningRelay, Wire, running_relay

T = TypeVar("T")

PATHS = [
    ("POST", "/events"),
    ("POST", "/batch_events"),
    ("GET", "/channels"),
    ("GET", "/channels/presence-a"),
    ("GET", "/channels/presence-a/users"),
]
EVENT = {"name": "event", "data": "{}", "channel": "a"}


def head(method: str, target: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: relay", *headers, "", ""]).encode()


def posted(relay: RunningRelay, body: bytes, *headers: str) -> bytes:
    """A signed POST of an event, whole."""
    return head("POST", relay.target("POST", "/events", body), f"Content-Length: {len(body)}", *headers) + body


class TestHealth:
    async def test_up_and_ready_need_no_signature(self, relay: RunningRelay) -> None:
        up, ready = await relay.request("GET", "/up"), await relay.request("GET", "/ready?x=1")
        assert (up.status, up.json) == (200, {"ok": True})
        assert (ready.status, ready.json) == (200, {"ready": True})
        assert up.headers["Content-Type"] == "application/json"

    async def test_a_relay_that_takes_no_work_is_alive_and_not_ready(self) -> None:
        asked: list[tuple[str, int]] = []
        api = routes.Api(None, lambda: False, lambda route, status, _: asked.append((route, status)), "")  # type: ignore[arg-type] # health checks ask no node
        answer = api.answer("GET", "/ready", b"", lambda: "192.0.2.1")
        assert isinstance(answer, Response)
        assert (answer.status, json.loads(answer.body)) == (503, {"ready": False})
        assert asked == [("/ready", 503)]

    async def test_head_has_the_answers_head_only(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(head("HEAD", "/up") + head("GET", "/ready"))
        assert (await wire.head()).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await wire.answer() == (200, b'{"ready":true}')


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/nothing",
            "/up/",
            "/apps",
            "/apps/",
            "/apps/3",
            "/apps/3/",
            "/apps/3/nothing",
            "/apps/3/events/",
            "/apps/3/events/x",
            "/apps/3/channels/a/members",
            "/apps/3/channels/a/users/7",
            "/apps/4/channels",
            "/apps//channels",
            "/apps/%33%ff/channels",
            "//apps/3/channels",
            "/APPS/3/channels",
            "/apps/3/../3/channels",
            "/" + "a/" * 1_000,
        ],
    )
    async def test_a_path_where_nothing_is_gets_404_as_json(self, relay: RunningRelay, path: str) -> None:
        answer = await relay.request("GET", path)
        assert answer.status == 404
        assert answer.json["code"] == 404
        assert answer.json["error"].startswith("There is no")

    async def test_options_for_the_whole_server_is_no_path(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(head("OPTIONS", "*"))
        assert (await wire.answer())[0] == 404

    @pytest.mark.parametrize("path", ["/app/key-3", "/app/key-3?protocol=7", "/app/", "/app"])
    async def test_a_plain_get_where_websockets_are_says_what_to_do(self, relay: RunningRelay, path: str) -> None:
        answer = await relay.request("GET", path)
        assert 400 <= answer.status < 500
        assert answer.json["code"] == answer.status
        if path != "/app":
            assert answer.status == 426
            assert "WebSocket" in answer.json["error"]

    async def test_an_app_is_found_by_its_key_too(self, relay: RunningRelay) -> None:
        path = f"/apps/{APP.key}/channels"
        query = relay.target("GET", "/channels").partition("?")[2]
        assert (await relay.request("GET", f"{path}?{query}")).status == 401
        by_key = RunningRelay.target(relay, "GET", "/channels", app=app_with(app_id="key-3"))
        assert by_key.startswith(path)

    @pytest.mark.parametrize(("method", "path"), PATHS)
    @pytest.mark.parametrize("other", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
    async def test_another_method_gets_405(self, relay: RunningRelay, method: str, path: str, other: str) -> None:
        wire = await relay.wire()
        await wire.send(head(other, relay.target(other, path), "Content-Length: 0", "Connection: close"))
        answer = await wire.rest()
        if other == method:
            assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
        else:
            assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
            assert other == "HEAD" or f"This path takes {method}, not {other}".encode() in answer


class TestSignature:
    @pytest.mark.parametrize(("method", "path"), PATHS)
    async def test_every_path_needs_a_signature(self, relay: RunningRelay, method: str, path: str) -> None:
        answer = await relay.request(method, f"/apps/3{path}")
        assert (answer.status, answer.json["code"]) == (401, 401)
        assert answer.json["error"] == "The request is not signed: auth_signature is missing"

    @pytest.mark.parametrize(("method", "path"), PATHS)
    async def test_every_path_refuses_a_wrong_signature(self, relay: RunningRelay, method: str, path: str) -> None:
        target = relay.target(method, path) + "0"
        answer = await relay.request(method, target)
        assert answer.status == 401
        assert answer.json["error"].startswith("Invalid signature: the text to sign for this request is ")
        assert APP.secret not in answer.text

    @pytest.mark.parametrize("age", [-605, 605, 10**9])
    async def test_an_old_or_early_request_gets_401(self, relay: RunningRelay, age: int) -> None:
        answer = await relay.request("GET", relay.target("GET", "/channels", now=time.time() - age))
        assert answer.status == 401
        assert "auth_timestamp is more than 600 s away" in answer.json["error"]

    async def test_another_apps_signature_gets_401(self) -> None:
        ours, theirs = app_with(app_id="1"), app_with(app_id="2")
        async with running_relay(ours, theirs) as relay:
            target = relay.target("GET", "/channels", app=theirs).replace("/apps/2/", "/apps/1/")
            answer = await relay.request("GET", target)
        assert (answer.status, answer.json["error"]) == (401, "auth_key is not a key of this app")

    async def test_a_body_that_was_changed_gets_401(self, relay: RunningRelay) -> None:
        body = json.dumps(EVENT).encode()
        target = relay.target("POST", "/events", body)
        answer = await relay.request("POST", target, body.replace(b'"a"', b'"b"'))
        assert (answer.status, answer.json["error"]) == (401, "body_md5 is not the MD5 of the body that was received")

    async def test_a_parameter_given_twice_is_signed_as_its_last_value(self, relay: RunningRelay) -> None:
        target = relay.target("GET", "/channels", params={"filter_by_prefix": "presence-"})
        doubled = target.replace("filter_by_prefix", "filter_by_prefix=private-&filter_by_prefix")
        assert (await relay.request("GET", doubled)).status == 200
        assert (await relay.request("GET", f"{target}&filter_by_prefix=private-")).status == 401
        assert (await relay.request("GET", f"{target}&auth_signature=0")).status == 401

    async def test_a_disabled_app_gets_403_once_the_request_is_signed(self) -> None:
        disabled = app_with(enabled=False)
        async with running_relay(disabled) as relay:
            assert (await relay.request("GET", "/apps/3/channels")).status == 401
            answer = await relay.get("/channels")
        assert (answer.status, answer.json) == (403, {"error": "The app is disabled", "code": 403})

    @pytest.mark.parametrize("name", ["presence-a=b,c@d;e.f", "presence-a%3Db%2Cc%40d%3Be.f"])
    async def test_a_name_may_be_percent_encoded_in_the_path(self, relay: RunningRelay, name: str) -> None:
        answer = await relay.request("GET", relay.target("GET", f"/channels/{name}/users"))
        assert (answer.status, answer.json) == (200, {"users": []})


class TestBodies:
    async def test_a_body_in_chunks_is_taken(self, relay: RunningRelay) -> None:
        body = json.dumps(EVENT).encode()
        wire = await relay.wire()
        await wire.send(head("POST", relay.target("POST", "/events", body), "Transfer-Encoding: chunked"))
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await wire.send(b"0\r\n\r\n")
        assert await wire.answer() == (200, b"{}")

    async def test_a_request_that_comes_byte_by_byte_is_taken(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        for octet in posted(relay, json.dumps(EVENT).encode()):
            await wire.send(bytes((octet,)))
        assert await wire.answer() == (200, b"{}")

    @pytest.mark.parametrize("framing", ["length", "chunks"])
    async def test_a_body_over_a_mebibyte_gets_413_before_it_is_checked(
        self, relay: RunningRelay, framing: str
    ) -> None:
        size = routes.MAX_BODY + 1
        wire = await relay.wire()
        if framing == "length":
            await wire.send(head("POST", "/apps/3/events", f"Content-Length: {size}", "Connection: close"))
            await wire.send(bytes(size))
        else:
            await wire.send(head("POST", "/apps/3/events", "Transfer-Encoding: chunked", "Connection: close"))
            await wire.send(b"%x\r\n%b\r\n" % (size, bytes(size)))
            await wire.send(b"0\r\n\r\n")
        status, body = await wire.answer()
        assert (status, json.loads(body)["code"]) == (413, 413)

    async def test_a_body_of_a_mebibyte_is_read(self, relay: RunningRelay) -> None:
        body = b'{"name":"x","data":"%b","channel":"a"}' % (b"x" * (routes.MAX_BODY - 38))
        assert len(body) <= routes.MAX_BODY
        answer = await relay.post("/events", body)
        assert (answer.status, answer.json["error"]) == (413, "The data of an event may hold 10240 bytes")

    async def test_a_body_that_does_not_come_gets_408(
        self, relay: RunningRelay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(front, "REQUEST_TIMEOUT", 0.0)
        wire = await relay.wire()
        await wire.send(head("POST", "/apps/3/events", "Transfer-Encoding: chunked") + b"1\r\n{\r\n")
        status, body = await wire.answer()
        assert (status, json.loads(body)["code"]) == (408, 408)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
    @pytest.mark.parametrize("at_once", [True, False])
    async def test_a_compressed_body_is_no_json(self, relay: RunningRelay, encoding: str, at_once: bool) -> None:
        body = gzip.compress(json.dumps(EVENT).encode())
        request = posted(relay, body, f"Content-Encoding: {encoding}")
        wire = await relay.wire()
        if at_once:
            await wire.send(request)
        else:
            await wire.send(request[: -len(body)])
            await wire.send(body)
        status, answer = await wire.answer()
        assert (status, json.loads(answer)["code"]) == (400, 400)
        assert "Invalid body" in json.loads(answer)["error"]

    async def test_a_client_that_goes_within_its_body_is_forgotten(
        self, relay: RunningRelay, logged: list[MutableMapping[str, Any]]
    ) -> None:
        wire = await relay.wire()
        await wire.send(head("POST", "/apps/3/events", "Content-Length: 10") + b"{")
        await wire.close()
        for _ in range(3):
            assert (await relay.request("GET", "/up")).status == 200
        assert all(entry["log_level"] != "error" for entry in logged)


class TestWrongPaths:
    async def test_a_slash_too_many_is_named(self, relay: RunningRelay) -> None:
        answer = await relay.request("POST", "//apps/3/events", b"{}")
        assert (answer.status, answer.json["error"]) == (
            404,
            "There is nothing at this path: the API is below /apps/APP_ID, and this one has a slash too many",
        )

    async def test_the_path_prefix_is_named(self) -> None:
        async with running_relay(path_prefix="/realtime") as relay:
            answer = await relay.request("GET", "/elsewhere")
            assert "below /realtime/apps/APP_ID" in answer.json["error"]

    async def test_what_is_signed_is_the_path_also_where_the_target_names_the_server(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        target = relay.target("GET", "/channels")
        await wire.send(head("GET", f"http://127.0.0.1:{relay.port}{target}"))
        assert await wire.answer() == (200, b'{"channels":{}}')


class TestConnections:
    async def test_a_connection_is_kept_after_a_request_good_or_bad(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        body = json.dumps(EVENT).encode()
        for request, status in (
            (head("GET", "/up"), 200),
            (posted(relay, body), 200),
            (head("GET", "/apps/3/channels"), 401),
            (head("GET", "/nothing"), 404),
            (head("PUT", "/apps/3/events", "Content-Length: 2") + b"{}", 405),
            (posted(relay, body), 200),
        ):
            await wire.send(request)
            assert (await wire.answer())[0] == status

    async def test_requests_sent_at_once_are_answered_in_their_order(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        body = json.dumps(EVENT).encode()
        await wire.send(posted(relay, body) + head("GET", "/nothing") + posted(relay, body) + head("GET", "/up"))
        assert [(await wire.answer())[0] for _ in range(4)] == [200, 404, 200, 200]

    async def test_an_upgrade_after_requests_on_the_same_connection_is_followed(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        for path in ("/up", "/nothing", "/app/key-3", "/apps/3/channels"):
            await wire.send(head("GET", path))
            await wire.answer()
        await wire.send(
            head(
                "GET",
                "/app/key-3",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            )
        )
        assert (await wire.head()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")

    async def test_http_1_0_is_answered_and_closed(self, relay: RunningRelay) -> None:
        answer = await relay.exchange(b"GET /up HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b'{"ok":true}')


BROKEN = [
    b"\x00\x00\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /up HTTP/9.9\r\n\r\n",
    b"GET  /up HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /up HTTP/1.1\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"PUT /up HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET up HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"get /up HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /apps/3/channels/\xd0\xb9 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /apps/3/channels?a=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[::1/up HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nhello",
]


class TestStrangers:
    @pytest.mark.parametrize("data", BROKEN)
    async def test_what_is_no_http_gets_400_and_leaves_no_traceback(
        self, relay: RunningRelay, data: bytes, logged: list[MutableMapping[str, Any]]
    ) -> None:
        answer = await relay.exchange(data)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert not any("exc_info" in entry for entry in logged)
        assert (await relay.request("GET", "/up")).status == 200

    async def test_what_is_no_http_after_a_good_request_gets_400_too(self, relay: RunningRelay) -> None:
        wire = await relay.wire()
        await wire.send(head("GET", "/up"))
        assert (await wire.answer())[0] == 200
        await wire.send(b"\x00\x01\x02\r\n\r\n")
        assert (await wire.rest()).startswith(b"HTTP/1.1 400 Bad Request\r\n")

    async def test_a_bug_of_ours_is_logged_and_answered_without_detail(
        self, relay: RunningRelay, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
    ) -> None:
        def fail(*_: object) -> None:
            raise KeyError("detail")

        monkeypatch.setattr(routes, "_handler_of", fail)
        answer = await relay.get("/channels")
        assert (answer.status, answer.json) == (500, {"error": "internal error", "code": 500})
        (entry,) = [entry for entry in logged if entry["log_level"] == "error"]
        assert (entry["event"], entry["exc_info"]) == ("request_failed", True)
        logged.clear()

    def test_a_broken_rule_without_a_status_is_our_own_mistake(self) -> None:
        with pytest.raises(TypeError, match="ProtocolError has no HTTP status"):
            status_of(ProtocolError("new"))


class Live:
    """A relay that outlives many examples."""

    def __init__(self, runner: asyncio.Runner, relay: RunningRelay) -> None:
        self.relay = relay
        self._runner = runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with asyncio.Runner() as runner:
        context = running_relay(APP)
        relay = runner.run(context.__aenter__())
        yield Live(runner, relay)
        runner.run(context.__aexit__(None, None, None))


async def status_on(relay: RunningRelay, request: bytes) -> int:
    """The status of the answer; the relay must serve others after it."""
    wire = Wire(*await asyncio.open_connection("127.0.0.1", relay.port))
    with contextlib.suppress(ConnectionError):
        await wire.send(request)
    try:
        status, _ = await wire.answer()
    finally:
        await wire.close()
    return status


TARGETS = st.sampled_from(["/", "/up", "/apps/3/channels", "/apps/3/channels/", "/apps/3/channels/a/users", "/apps/"])


@settings(max_examples=150)
@given(path=TARGETS, more=st.text(), query=st.text(), method=st.sampled_from(["GET", "POST", "DELETE", "OPTIONS"]))
def test_whatever_path_and_query_come_the_answer_is_ours(
    live: Live, path: str, more: str, query: str, method: str
) -> None:
    target = (
        path
        + quote(more.encode("utf-8", "surrogatepass"))
        + "?"
        + quote(query.encode("utf-8", "surrogatepass"), "&=%+")
    )
    assert live.run(status_on(live.relay, head(method, target))) in {200, 400, 401, 404, 405}


@settings(max_examples=150)
@given(
    params=st.dictionaries(
        st.sampled_from(["info", "filter_by_prefix", "x"]), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_whatever_a_signed_query_asks_the_answer_is_json(live: Live, params: dict[str, str]) -> None:
    for path in ("/channels", "/channels/presence-a", "/channels/presence-a/users"):
        answer = live.run(live.relay.get(path, **params))
        assert answer.status in {200, 400}
        assert isinstance(answer.json, dict)


@settings(max_examples=150)
@given(body=MESSAGES, path=st.sampled_from(["/events", "/batch_events"]))
def test_whatever_signed_body_comes_the_answer_is_json(live: Live, body: bytes, path: str) -> None:
    answer = live.run(live.relay.post(path, body))
    assert answer.status in {200, 400, 413}
    assert isinstance(answer.json, dict)


@settings(max_examples=150)
@given(st.binary(max_size=300) | st.binary(max_size=80).map(lambda rest: b" /up HTTP/1.1\r\n" + rest))
def test_whatever_head_comes_the_answer_is_400_or_below_500(live: Live, data: bytes) -> None:
    # Empty lines before a request are skipped: without the x, there may be no request at all.
    status = live.run(status_on(live.relay, b"x" + data.replace(b"\r\n\r\n", b"") + b"\r\n\r\n"))
    assert 400 <= status < 500
