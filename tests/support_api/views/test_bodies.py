"""Bodies of all kinds, good and bad, to all calls."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support_api.errors import InvalidField, StoreUnavailable
from support_api.services.tickets import Tickets
from support_api.views.fields import Fields
from support_api.views.routes import ROUTES
from tests.support_api.conftest import Running
from tests.support_api.helpers import Answer, Caller, open_ticket

FORM, JSON, MULTIPART = "application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=b"
POSTS = [path for route in ROUTES if route.method == "POST" for path in route.paths if path != "/operator/logout"]


async def send(caller: Caller, path: str, body: bytes, kind: str, **headers: str) -> Answer:
    return await caller.send("POST", path, data=body, headers={"Content-Type": kind} | headers)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", JSON),
        (b"[]", JSON),
        (b'"text"', JSON),
        (b"\xff", JSON),
        (b'{"message": "\\ud800"}', JSON),
        (b"message=%ff", FORM),
        (b"\xff=1", FORM),
        (b"&".join([b"a=1"] * 101), FORM),
        (b"no boundary here", "multipart/form-data"),
        (b"--b\r\nbroken", MULTIPART),
        (b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\n\xff\r\n--b--\r\n', MULTIPART),
    ],
)
async def test_a_body_that_is_not_what_it_says_is_unreadable(nobody: Caller, body: bytes, kind: str) -> None:
    answer = await send(nobody, "/create_ticket", body, kind)
    assert answer.status in (400, 422), answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/octet-stream", "nonsense"])
async def test_a_body_of_another_kind_is_not_taken(nobody: Caller, kind: str) -> None:
    answer = await send(nobody, "/create_ticket", b"message=x", kind)
    assert (answer.status, answer.code) == (415, "unsupported_body")


@pytest.mark.parametrize("kind", [FORM, JSON, MULTIPART])
async def test_a_body_over_the_limit_is_too_large(nobody: Caller, kind: str) -> None:
    answer = await send(nobody, "/create_ticket", b"x" * (64 * 1024 + 1), kind)
    assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.mark.parametrize("kind", [FORM, JSON, MULTIPART])
@pytest.mark.parametrize("body", [gzip.compress(b'{"message": "x"}', mtime=0), b"not gzip", b""])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "nonsense"])
async def test_a_compressed_body_is_not_taken_and_leaves_no_traceback(
    nobody: Caller, capsys: pytest.CaptureFixture[str], kind: str, body: bytes, encoding: str
) -> None:
    answer = await send(nobody, "/create_ticket", body, kind, **{"Content-Encoding": encoding})
    assert (answer.status, answer.code) == (415, "unsupported_body")
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err


def part(content: bytes, kind: str) -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="message"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + content + b"\r\n--b--\r\n"


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape", "utf-7", "latin-1", "base64", "x", "none"])
async def test_a_text_in_another_charset_than_utf_8_is_not_taken(nobody: Caller, charset: str) -> None:
    answer = await send(nobody, "/create_ticket", part(b"\\ud800hi", f"text/plain; charset={charset}"), MULTIPART)
    assert (answer.status, answer.code) == (400, "unreadable_body")
    assert "UTF-8" in answer.json["error"]["message"]


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=UTF-8", 'text/plain; charset="utf8"'])
async def test_a_text_in_utf_8_is_taken(nobody: Caller, kind: str) -> None:
    answer = await send(nobody, "/create_ticket", part("жук".encode(), kind), MULTIPART)
    assert answer.json["message"]["content"] == "жук"


@pytest.mark.parametrize("read", [lambda f: f.text("a", 9), lambda f: f.content("a"), lambda f: f.password()])
def test_half_a_character_is_refused_in_every_text(read: Callable[[Fields], object]) -> None:
    with pytest.raises(InvalidField):
        read(Fields({"a": "\ud800hi", "password": "\ud800hi"}))


async def test_a_file_in_place_of_a_text_is_refused(nobody: Caller) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="message"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
    )
    answer = await send(nobody, "/create_ticket", body, MULTIPART)
    assert (answer.status, answer.json["error"]["field"]) == (422, "message")


async def test_a_form_of_very_many_parts_is_refused(nobody: Caller) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 1100 + b"--b--\r\n"
    answer = await send(nobody, "/create_ticket", body, MULTIPART)
    assert 400 <= answer.status < 500
    assert answer.code


async def test_of_a_repeated_field_the_last_counts(nobody: Caller) -> None:
    answer = await send(nobody, "/create_ticket", b"message=a&message=b", FORM)
    assert answer.json["message"]["content"] == "b"


async def test_no_body_is_a_body_without_fields(nobody: Caller) -> None:
    answer = await nobody.send("POST", "/create_ticket")
    assert (answer.status, answer.json["error"]["field"]) == (422, "message")


async def test_a_bug_is_answered_without_detail(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def create(_self: Tickets, _new: object, _limits: object) -> None:
        raise RuntimeError("the secret detail")

    monkeypatch.setattr(Tickets, "create", create)
    answer = await nobody.post("/create_ticket", message="x")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret" not in answer.text
    said = capsys.readouterr()
    assert "the secret detail" in said.out + said.err


async def test_any_other_refusal_of_the_server_is_json_too(nobody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def create(_self: Tickets, _new: object, _limits: object) -> None:
        raise web.HTTPGone

    monkeypatch.setattr(Tickets, "create", create)
    answer = await nobody.post("/create_ticket", message="x")
    assert (answer.status, answer.code, answer.json["error"]["message"]) == (410, "refused", "Gone")


async def test_a_busy_database_asks_to_try_again(nobody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def create(_self: Tickets, _new: object, _limits: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(Tickets, "create", create)
    answer = await nobody.post("/create_ticket", message="x")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "store_unavailable", "1")


def _json(value: object) -> bytes:
    import json

    return json.dumps(value).encode()


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)
)
names = st.sampled_from(
    ["ticket_id", "content", "message", "name", "email", "client_id", "socket_id", "channel_name", "status", "max_tickets",
     "password", "after", "limit"]
)  # fmt: skip
headers = st.dictionaries(
    st.sampled_from(
        ["Cookie", "Authorization", "Origin", "Sec-Fetch-Site", "Content-Encoding", "Access-Control-Request-Method"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30),
    max_size=2,
)
bodies = st.one_of(
    st.tuples(st.sampled_from([FORM, JSON, MULTIPART, "text/plain"]), st.binary(max_size=200)),
    st.tuples(st.just(JSON), st.dictionaries(names, values, max_size=5).map(_json)),
    st.tuples(
        st.just(MULTIPART),
        st.lists(st.binary(max_size=40), max_size=3).map(
            lambda parts: b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
        ),
    ),
)


@pytest.mark.parametrize("path", POSTS)
async def test_whatever_is_sent_never_breaks_a_handler(running: Running, path: str) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=bodies, more=headers)
    def attack(body: tuple[str, bytes], more: dict[str, str]) -> None:
        async def each(caller: Caller) -> None:
            answer = await send(caller, path, body[1], body[0], **more)
            assert answer.status < 500, answer.text
            assert answer.status == 200 or answer.code

        asyncio.run_coroutine_threadsafe(_each(each), loop).result(60)

    async def _each(each: Callable[[Caller], Awaitable[None]]) -> None:
        for caller in callers:
            await each(caller)

    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    callers = [anna.caller, olga]
    await asyncio.to_thread(attack)


@pytest.mark.parametrize("path", ["/get_messages", "/client_js/", "/"])
async def test_whatever_is_asked_never_breaks_a_handler(running: Running, path: str) -> None:
    loop = asyncio.get_running_loop()
    anna = await open_ticket(running.nobody)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(tail=st.text(max_size=30), query=st.dictionaries(names, st.text(max_size=30), max_size=3), more=headers)
    def attack(tail: str, query: dict[str, str], more: dict[str, str]) -> None:
        async def ask() -> None:
            # Two slashes at the beginning would name another host.
            target = path + quote(tail, safe="/%").lstrip("/") if path != "/get_messages" else path
            answer = await anna.caller.send("GET", target, params=query, headers=more)
            assert answer.status < 500, answer.text

        asyncio.run_coroutine_threadsafe(ask(), loop).result(60)

    await asyncio.to_thread(attack)


async def _raw(http: TestClient[Any, Any], request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(http.host, http.port)
    try:
        writer.write(request)
        await writer.drain()
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n",
        b"POST /create_ticket HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /get_messages?ticket_id=%ff%fe HTTP/1.1\r\nHost: a\r\nCookie: visitor_id=\xff\xfe; =;;\r\n\r\n",
        b"GET /config HTTP/1.1\r\nHost: \xff\xff\r\nOrigin: \xff\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
async def test_what_is_hardly_http_is_answered_or_cut_and_the_desk_lives_on(running: Running, request_: bytes) -> None:
    answer = await _raw(running.nobody.http, request_)
    assert b" 500 " not in answer.partition(b"\r\n")[0]
    assert (await running.nobody.get("/up")).status == 200
