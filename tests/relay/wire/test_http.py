import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.http import (
    MAX_HEADERS,
    Framing,
    Head,
    HttpError,
    PlainRequest,
    Response,
    chunk,
    framing_of,
    parse_head,
    parse_plain,
    parse_query,
    stream_head,
    text_response,
)

POST = b"POST /apps/3/events?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


def request(*lines: bytes, first: bytes = b"GET /up HTTP/1.1") -> bytes:
    return b"\r\n".join([first, b"Host: x", *lines, b"", b""])


class TestPlainRequests:
    def test_the_head_says_where_the_body_is(self) -> None:
        assert parse_plain(POST + b"{}GET /") == PlainRequest("POST", "/apps/3/events?a=b", len(POST), 2, False)

    def test_a_request_without_a_length_has_no_body(self) -> None:
        data = request(b"Accept: */*")
        assert parse_plain(data) == PlainRequest("GET", "/up", len(data), 0, False)

    @pytest.mark.parametrize(
        ("lines", "is_last"),
        [
            ([b"Connection: close"], True),
            ([b"CONNECTION:\tClose\t"], True),
            ([b"Connection: keep-alive, close"], True),
            ([b"Connection: keep-alive"], False),
            ([b"Connection: keep-alive", b"Connection: keep-alive"], True),
            ([], False),
        ],
    )
    def test_the_last_request_of_a_connection_is_known(self, lines: list[bytes], is_last: bool) -> None:
        found = parse_plain(request(*lines))
        assert found is not None
        assert found.is_last is is_last

    @pytest.mark.parametrize("length", [b"0", b"7", b" 7 ", b"\t7", b"007", b"999999999"])
    def test_a_length_of_digits_alone_is_taken(self, length: bytes) -> None:
        found = parse_plain(request(b"content-LENGTH:" + length))
        assert found is not None
        assert found.length == int(length)

    def test_a_name_that_only_ends_like_a_headers_is_another_header(self) -> None:
        found = parse_plain(request(b"X-Content-Length: 7", b"X-Connection: close", b"X-Upgrade: h2c"))
        assert found is not None
        assert (found.length, found.is_last) == (0, False)


@pytest.mark.parametrize(
    "data",
    [
        # Two lengths, also when they agree: who takes the first and who takes the last?
        request(b"Content-Length: 1", b"Content-Length: 2"),
        request(b"Content-Length: 2", b"content-length: 2"),
        request(b"Content-Length: 1, 1"),
        # A length that is not one, or that no machine should be asked to hold.
        request(b"Content-Length:"),
        request(b"Content-Length: -1"),
        request(b"Content-Length: +1"),
        request(b"Content-Length: 0x10"),
        request(b"Content-Length: 1_0"),
        request(b"Content-Length: 1 0"),
        request(b"Content-Length: 1.0"),
        request(b"Content-Length: \xb2"),
        request(b"Content-Length: 1000000000"),
        request(b"Content-Length: " + b"0" * 10),
        request(b"Content-Length: " + b"9" * 400),
        # Another length of the body, or another request behind it.
        request(b"Transfer-Encoding: chunked"),
        request(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        request(b"Content-Length: 5", b"tRANSFER-encoding:chunked"),
        request(b"Transfer-Encoding: identity"),
        request(b"Upgrade: websocket", b"Connection: Upgrade"),
        request(b"Upgrade: h2c"),
        request(b"Expect: 100-continue"),
        request(b"Content-Encoding: gzip"),
        # White space where none belongs, and lines that continue (obs-fold).
        request(b"Content-Length : 5"),
        request(b"Content-Length\t: 5"),
        request(b" Content-Length: 5"),
        request(b"A: b", b" c"),
        request(b"A: b", b"\tContent-Length: 5"),
        request(b"Transfer-Encoding:", b" chunked"),
        # Line ends that some take for one.
        b"GET /up HTTP/1.1\nHost: x\n\n",
        b"GET /up HTTP/1.1\r\nHost: x\n\r\n",
        b"GET /up HTTP/1.1\r\nHost: x\nContent-Length: 5\r\n\r\n",
        b"GET /up HTTP/1.1\r\nHost: x\rContent-Length: 5\r\n\r\n",
        b"GET /up HTTP/1.1\rHost: x\r\n\r\n",
        b"GET /up HTTP/1.1\r\nHost: x\r\n\n",
        # Names and values with what does not belong there.
        request(b"no colon"),
        request(b": empty"),
        request(b"A\x00: b"),
        request(b"A: \x00"),
        request(b"A: \x7f"),
        request(b"A(b): c"),
        request(b"\xc3\xa9: b"),
        # Request lines that are not of the plainest kind.
        request(first=b"get /up HTTP/1.1"),
        request(first=b"Post /up HTTP/1.1"),
        request(first=b"HEAD /up HTTP/1.1"),
        request(first=b"OPTIONS * HTTP/1.1"),
        request(first=b"PUT /up HTTP/1.1"),
        request(first=b"GET /up HTTP/1.0"),
        request(first=b"GET /up HTTP/1.10"),
        request(first=b"GET /up HTTP/2.0"),
        request(first=b"GET /up http/1.1"),
        request(first=b"GET /up"),
        request(first=b"GET  /up HTTP/1.1"),
        request(first=b"GET /up  HTTP/1.1"),
        request(first=b"GET /up HTTP/1.1 "),
        request(first=b"GET\t/up\tHTTP/1.1"),
        request(first=b" GET /up HTTP/1.1"),
        request(first=b"GET up HTTP/1.1"),
        request(first=b"GET http://x/up HTTP/1.1"),
        request(first=b"GET /\xc3\xa9 HTTP/1.1"),
        request(first=b"GET /\x00 HTTP/1.1"),
        request(first=b"GET /a\x0bb HTTP/1.1"),
        b"\r\n" + request(),
        # No Host, two of them, or one that is none.
        b"GET /up HTTP/1.1\r\n\r\n",
        b"GET /up HTTP/1.1\r\nA: b\r\n\r\n",
        request(b"Host: x"),
        b"GET /up HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /up HTTP/1.1\r\nHost:\r\n\r\n",
        # Longer than `parse_plain` wants to look at, and not whole yet.
        request(b"A: " + b"a" * 8_190),
        POST[:-1],
        b"",
    ],
)
def test_what_two_servers_could_read_differently_is_not_plain(data: bytes) -> None:
    assert parse_plain(data) is None


HEADERS = st.sampled_from(
    [
        b"Content-Length: 3",
        b"Content-Length:3 ",
        b"Connection: close",
        b"Transfer-Encoding: chunked",
        b" folded",
        b"A:b",
    ]
)


@given(st.lists(HEADERS | st.binary(max_size=20), max_size=5), st.binary(max_size=20))
def test_whatever_bytes_come_a_request_ends_at_its_first_empty_line(lines: list[bytes], body: bytes) -> None:
    data = request(*lines) + body
    found = parse_plain(data)
    if found is not None:
        assert found.start == data.index(b"\r\n\r\n") + 4
        assert found.length in {0, 3} or any(line.lower().startswith(b"content-length") for line in lines)
        assert b"\n" not in data[: found.start].replace(b"\r\n", b"")


def whole(*lines: bytes, first: bytes = b"GET /up HTTP/1.1", host: bytes | None = b"x") -> bytes:
    """A head without the empty line that ends it."""
    return b"\r\n".join([first, *([] if host is None else [b"Host: " + host]), *lines])


class TestHeads:
    def test_method_target_and_headers_are_read(self) -> None:
        head = parse_head(b"POST /app/key?a=b HTTP/1.1\r\nHost: x:1\r\nUPGRADE:  websocket\t\r\nEmpty:")
        headers = {b"host": b"x:1", b"upgrade": b"websocket", b"empty": b""}
        assert head == Head("POST", "/app/key?a=b", headers, is_old=False)

    def test_the_values_of_a_repeated_header_are_one_list(self) -> None:
        assert parse_head(whole(b"A: 1", b"b: 3", b"a: 2")).headers == {b"host": b"x", b"a": b"1, 2", b"b": b"3"}

    def test_http_1_0_has_no_upgrade_and_needs_no_host(self) -> None:
        assert parse_head(b"GET / HTTP/1.0\r\nUpgrade: websocket\r\nA: 1") == Head(
            "GET", "/", {b"a": b"1"}, is_old=True
        )
        assert parse_head(b"GET / HTTP/1.0").headers == {}

    @pytest.mark.parametrize(
        ("target", "path"),
        [
            ("http://relay:6001/apps/3/events?a=http://b", "/apps/3/events?a=http://b"),
            ("HTTPS://relay/up", "/up"),
            ("http://[::1]:6001/up", "/up"),
            ("http://relay", "/"),
            ("http://relay?a", "/?a"),
            ("*", "*"),
            ("//relay/up", "//relay/up"),
        ],
    )
    def test_a_target_may_name_the_server(self, target: str, path: str) -> None:
        assert parse_head(whole(first=f"GET {target} HTTP/1.1".encode())).target == path

    @pytest.mark.parametrize(
        "host", [b"", b"shop.example", b"a_b:80", b"127.0.0.1:6001", b"[::1]", b"[::ffff:1.2.3.4]:80", b"x:", b"%41"]
    )
    def test_a_host_is_a_name_or_an_address_and_perhaps_a_port(self, host: bytes) -> None:
        assert parse_head(whole(host=host)).headers[b"host"] == host

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"GET",
            b"GET /",
            whole(first=b"GET / HTTP/1.1 x"),
            whole(first=b"GET  / HTTP/1.1"),
            whole(first=b"GET /  HTTP/1.1"),
            whole(first=b"GET\t/ HTTP/1.1"),
            whole(first=b"get / HTTP/1.1"),
            whole(first=b"GET /\xff HTTP/1.1"),
            whole(first=b"GET / HTTP/2.0"),
            whole(first=b"GET / HTTP/1.2"),
            whole(first=b"GET up HTTP/1.1"),
            whole(first=b"GET ftp://x/up HTTP/1.1"),
            whole(first=b"GET http:///up HTTP/1.1"),
            whole(first=b"GET http://[::1/up HTTP/1.1"),
            whole(first=b"GET http://u@x/up HTTP/1.1"),
            whole(first=b"GET http://x#a HTTP/1.1"),
            whole(first=b"CONNECT x:80 HTTP/1.1"),
            whole(b"no colon"),
            whole(b""),
            whole(b"A : b"),
            whole(b": b"),
            whole(b"A: b", b" c: d"),
            whole(b"A: b\nC: d"),
            whole(b"A: b\x00"),
            whole(host=None),
            whole(b"Host: x"),
            whole(b"hOST:"),
            whole(host=b"a b"),
            whole(host=b"a/b"),
            whole(host=b"a@b"),
            whole(host=b"[::1"),
            whole(host=b"x:port"),
            whole(host=b"\xff"),
            b"GET / HTTP/1.0\r\nHost: a b",
        ],
    )
    def test_what_is_no_request_is_refused_with_400(self, head: bytes) -> None:
        with pytest.raises(HttpError) as refused:
            parse_head(head)
        assert refused.value.response.status == 400

    @pytest.mark.parametrize("name", [b"a", b"a%d"])
    def test_more_headers_than_anybody_sends_get_431(self, name: bytes) -> None:
        lines = [name % at if b"%" in name else name for at in range(MAX_HEADERS)]
        start = b"POST / HTTP/1.1\r\nHost: x"
        most = start + b"".join(b"\r\n%b: b" % line for line in lines[1:])
        assert parse_head(most).headers[b"host"] == b"x"
        assert parse_plain(most + b"\r\n\r\n") is not None
        assert parse_plain(most + b"\r\nc: d\r\n\r\n") is None
        with pytest.raises(HttpError) as refused:
            parse_head(most + b"\r\nc: d")
        assert refused.value.response.status == 431

    @given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda rest: b"GET /app/k HTTP/1.1\r\nHost: x" + rest))
    def test_whatever_bytes_come_they_are_a_head_or_refused(self, data: bytes) -> None:
        try:
            head = parse_head(data)
        except HttpError:
            return
        assert head.target.isascii()
        assert all(name == name.lower() for name in head.headers)

    @given(st.lists(HEADERS, max_size=5), st.sampled_from([b"", b"Host: x"]))
    def test_what_is_plain_is_read_alike_by_both(self, lines: list[bytes], host: bytes) -> None:
        data = request(*lines, *([host] if host else []))
        plain = parse_plain(data)
        if plain is not None:
            head = parse_head(data[:-4])
            assert (head.method, head.target) == (plain.method, plain.target)
            assert framing_of(head) == Framing(plain.length, plain.is_last)


def framing(*lines: bytes, old: bool = False) -> Framing:
    return framing_of(parse_head(whole(*lines, first=b"POST / HTTP/1.%d" % (not old))))


class TestFraming:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ([], Framing(0, is_last=False)),
            ([b"Content-Length: 7"], Framing(7, is_last=False)),
            ([b"Content-Length: " + b"9" * 19], Framing(10**19 - 1, is_last=False)),
            ([b"Transfer-Encoding: Chunked"], Framing(None, is_last=False)),
            ([b"Connection: keep-alive"], Framing(0, is_last=False)),
            ([b"Connection: Upgrade, CLOSE"], Framing(0, is_last=True)),
            ([b"Connection: a", b"Connection: close"], Framing(0, is_last=True)),
            ([b"Connection: closed"], Framing(0, is_last=False)),
            ([b"Expect: 100-Continue"], Framing(0, is_last=False, is_awaited=True)),
        ],
    )
    def test_it_says_how_long_the_body_is_and_what_comes_after(self, lines: list[bytes], expected: Framing) -> None:
        assert framing(*lines) == expected

    def test_http_1_0_ends_with_its_request_and_waits_for_nothing(self) -> None:
        assert framing(b"Connection: keep-alive", b"Expect: 100-continue", old=True) == Framing(0, is_last=True)

    @pytest.mark.parametrize(
        ("status", "lines"),
        [
            (400, [b"Content-Length: 1", b"Content-Length: 1"]),
            (400, [b"Content-Length: 1, 1"]),
            (400, [b"Content-Length:"]),
            (400, [b"Content-Length: -1"]),
            (400, [b"Content-Length: 0x10"]),
            (400, [b"Content-Length: \xb2"]),
            (400, [b"Content-Length: " + b"9" * 20]),
            (400, [b"Content-Length: 5", b"Transfer-Encoding: chunked"]),
            (501, [b"Transfer-Encoding: gzip, chunked"]),
            (501, [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"]),
            (501, [b"Transfer-Encoding: identity"]),
            (501, [b"Transfer-Encoding:"]),
            (417, [b"Expect: 200-ok"]),
            (417, [b"Expect: 100-continue, x"]),
        ],
    )
    def test_what_two_servers_could_read_differently_is_refused(self, status: int, lines: list[bytes]) -> None:
        with pytest.raises(HttpError) as refused:
            framing(*lines)
        assert refused.value.response.status == status

    def test_chunks_are_none_of_http_1_0(self) -> None:
        with pytest.raises(HttpError) as refused:
            framing(b"Transfer-Encoding: chunked", old=True)
        assert refused.value.response.status == 400


class TestStreams:
    def test_a_body_in_chunks_says_so(self) -> None:
        head = stream_head({"A": "b"}, "now", is_chunked=True, is_last=False)
        assert head == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\nA: b\r\n\r\n"
        assert b"\r\nConnection: close\r\n" in stream_head({}, "now", is_chunked=True, is_last=True)
        assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"

    def test_a_body_without_them_ends_with_the_connection(self) -> None:
        head = stream_head({}, "now", is_chunked=False, is_last=False)
        assert head == b"HTTP/1.1 200 OK\r\nDate: now\r\nConnection: close\r\n\r\n"


class TestAnswers:
    def test_one_without_content_has_no_length(self) -> None:
        assert (
            Response(204, b"", headers={"A": "b"}).encode("now")
            == b"HTTP/1.1 204 No Content\r\nDate: now\r\nA: b\r\n\r\n"
        )

    def test_the_answer_to_a_head_has_the_length_of_the_body_that_it_leaves_out(self) -> None:
        assert Response(200, b"{}").encode_head("now").endswith(b"Content-Length: 2\r\nDate: now\r\n\r\n")
        assert Response(200, b"").encode_head("now", is_last=True).endswith(b"Connection: close\r\n\r\n")

    def test_an_answer_has_type_length_date_and_its_own_headers(self) -> None:
        head, _, body = Response(429, b"{}", headers={"Retry-After": "1"}).encode("then").partition(b"\r\n\r\n")
        assert head.split(b"\r\n") == [
            b"HTTP/1.1 429 Too Many Requests",
            b"Content-Type: application/json",
            b"Content-Length: 2",
            b"Date: then",
            b"Retry-After: 1",
        ]
        assert body == b"{}"

    def test_the_last_answer_says_so(self) -> None:
        assert b"\r\nConnection: close\r\n\r\n" in Response(200, b"").encode("then", is_last=True)
        assert b"Connection" not in Response(200, b"").encode("then")

    def test_a_text_is_counted_in_bytes(self) -> None:
        answer = text_response(400, "nö").encode("then")
        assert b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n" in answer
        assert answer.endswith("\r\n\r\nnö".encode())


@pytest.mark.parametrize(
    ("raw", "params"),
    [
        ("", {}),
        ("&&=&", {}),
        ("=1", {}),
        ("a", {"a": ""}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("Auth_Key=K", {"auth_key": "K"}),
        ("a=1&A=2", {"a": "2"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=%41%2c", {"a": "A,"}),
        ("a=1+1", {"a": "1+1"}),
        ("a=%", {"a": "%"}),
        ("a=%zz%ff", {"a": "%zz\ufffd"}),
        ("a=%00", {"a": "\x00"}),
    ],
)
def test_a_query_is_read_as_it_is_signed(raw: str, params: dict[str, str]) -> None:
    assert parse_query(raw) == params


@given(st.text())
def test_any_text_is_read_as_a_query(raw: str) -> None:
    for name, value in parse_query(raw).items():
        assert name
        assert "&" not in name + value or "%" in raw
