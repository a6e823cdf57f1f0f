import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.protocol.http import Answer, PlainRequest, parse_plain, text_answer

POST = b"POST /apps/3/events?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


def request(*lines: bytes, first: bytes = b"GET /up HTTP/1.1") -> bytes:
    return b"\r\n".join([first, b"Host: x", *lines, b"", b""])


class TestPlainRequests:
    def test_the_head_says_where_the_body_is(self) -> None:
        assert parse_plain(POST + b"{}GET /") == PlainRequest("POST", "/apps/3/events?a=b", len(POST), 2, False)

    def test_a_request_without_a_length_has_no_body(self) -> None:
        data = request(b"Accept: */*")
        assert parse_plain(data) == PlainRequest("GET", "/up", len(data), 0, False)

    def test_a_head_of_one_line_is_whole(self) -> None:
        data = b"GET /up HTTP/1.1\r\n\r\n"
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
        # Longer than this module wants to look at, and not whole yet.
        request(b"A: " + b"a" * 8_190),
        POST[:-1],
        b"",
    ],
)
def test_what_two_servers_could_read_differently_is_not_read_here(data: bytes) -> None:
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


class TestAnswers:
    def test_an_answer_has_type_length_date_and_its_own_headers(self) -> None:
        head, _, body = Answer(429, b"{}", headers={"Retry-After": "1"}).encode("then").partition(b"\r\n\r\n")
        assert head.split(b"\r\n") == [
            b"HTTP/1.1 429 Too Many Requests",
            b"Content-Type: application/json",
            b"Content-Length: 2",
            b"Date: then",
            b"Retry-After: 1",
        ]
        assert body == b"{}"

    def test_the_last_answer_says_so(self) -> None:
        assert b"\r\nConnection: close\r\n\r\n" in Answer(200, b"").encode("then", is_last=True)
        assert b"Connection" not in Answer(200, b"").encode("then")

    def test_a_text_is_counted_in_bytes(self) -> None:
        answer = text_answer(400, "nö").encode("then")
        assert b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n" in answer
        assert answer.endswith("\r\n\r\nnö".encode())
