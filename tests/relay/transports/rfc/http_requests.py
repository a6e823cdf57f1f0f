"""Section 12: requests of HTTP/1.1, one after the other on one connection, and an upgrade after each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.api.routes import MAX_BODY
from tests.relay.transports.rfc.cases import PLAIN, Case, Relay, cut, octets, section
from tests.relay.transports.rfc.opening import head
from tests.relay.transports.rfc.peer import Peer

_APP: Final = f"/apps/{PLAIN.id}"


@dataclass(frozen=True)
class Requests:
    """Requests on one connection, and the status that each of them gets; after the last one the connection is kept, and an
    upgrade on it works, or it is ended."""

    name: str
    sends: bytes | Sequence[bytes]
    statuses: int | Sequence[int]
    is_kept: bool = True

    async def play(self, relay: Relay) -> None:
        peer = Peer(await relay.running.wire(), relay.running, PLAIN)
        await peer.send(*([self.sends] if isinstance(self.sends, bytes) else self.sends))
        for status in (self.statuses,) if isinstance(self.statuses, int) else self.statuses:
            assert await _status(peer, is_head=_is_head(self.sends)) == status
        if self.is_kept:
            await peer.shake_hands([head()])
            assert peer.is_open, peer.refusal
            await peer.join()
        else:
            assert await peer.wire.rest() == b""
        await peer.wire.close()


async def _status(peer: Peer, *, is_head: bool) -> int:
    """The status of the next answer, which is read to its end."""
    answer = await peer.wire.head()
    lengths = [line[15:] for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if lengths and not is_head:
        await peer.wire.exactly(int(lengths[0]))
    return int(answer.split()[1])


def _is_head(sends: bytes | Sequence[bytes]) -> bool:
    return isinstance(sends, bytes) and sends.startswith(b"HEAD ")


def request(*lines: str, line: str = "GET /up HTTP/1.1", host: str | None = "Host: relay", body: bytes = b"") -> bytes:
    """A request, its lines written as they are."""
    named = [] if host is None else [host]
    return "\r\n".join([line, *named, *lines, "", ""]).encode("latin-1") + body


def post(*lines: str, body: bytes = b"") -> bytes:
    """A request that nobody has signed: read whole, it is refused for that alone."""
    return request(*lines, line=f"POST {_APP}/events HTTP/1.1", body=body)


def chunked(body: bytes) -> bytes:
    return post("Transfer-Encoding: chunked", body=body)


_UNSIGNED: Final = 401


def _bad(name: str, sends: bytes, status: int = 400) -> Requests:
    return Requests(name, sends, status, is_kept=False)


_HOSTS: Final[list[Case]] = [
    *[
        Requests(f"Host: {host or 'empty'}", request(host=f"Host: {host}"), 200)
        for host in ("", "shop.example", "a_b:80", "127.0.0.1:6001", "[::1]:6001", "shop.example:", "%41")
    ],
    _bad("a request without a Host", request(host=None)),
    _bad("a request with two Hosts", request("Host: other")),
    _bad("two Hosts that are one", request("Host: relay")),
    *[_bad(f"Host: {host}", request(host=f"Host: {host}")) for host in ("a b", "a/b", "a@b", "[::1", "a:b:c", "a:x")],
    Requests("no Host in HTTP/1.0", request(line="GET /up HTTP/1.0", host=None), 200, is_kept=False),
]

_LINES: Final[list[Case]] = [
    *[
        Requests(f"the target {target}", request(line=f"GET {target} HTTP/1.1"), status)
        for target, status in {
            "http://relay/up": 200,
            "HTTP://relay:6001/up": 200,
            "https://[::1]/up": 200,
            "http://relay": 404,
            "http://relay?a": 404,
            "*": 404,
            "//up": 404,
        }.items()
    ],
    *[
        _bad(f"the line {line!r}".replace("\\", "/"), request(line=line))
        for line in (
            "GET  /up HTTP/1.1",
            "GET /up  HTTP/1.1",
            "GET /up HTTP/1.1 ",
            " GET /up HTTP/1.1",
            "GET\t/up HTTP/1.1",
            "GET up HTTP/1.1",
            "GET http:///up HTTP/1.1",
            "GET http://[::1/up HTTP/1.1",
            "GET http://a@relay/up HTTP/1.1",
            "GET ftp://relay/up HTTP/1.1",
            "CONNECT relay:80 HTTP/1.1",
            "get /up HTTP/1.1",
            "GET /up HTTP/2.0",
            "GET /up HTTP/1.2",
            "GET /up http/1.1",
            "GET /up",
        )
    ],
    _bad("a lone line feed ends the line", request().replace(b"\r\n", b"\n", 1)),
    _bad("a folded header of a request", request("A: b", " c")),
    _bad("a space before a colon of a request", request("A : b")),
    Requests("an empty line before the request", b"\r\n" + request(), 200),
    Requests("a request octet by octet", octets(request()), 200),
]

_BODIES: Final[list[Case]] = [
    Requests("Content-Length", post("Content-Length: 5", body=b"hello"), _UNSIGNED),
    Requests("Content-Length, the body later", [post("Content-Length: 5"), b"hel", b"lo"], _UNSIGNED),
    Requests("chunks", chunked(b"5\r\nhello\r\n0\r\n\r\n"), _UNSIGNED),
    Requests("chunks, octet by octet", octets(chunked(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")), _UNSIGNED),
    Requests("chunks, in segments of 7 bytes", cut(chunked(b"a\r\nhellohello\r\n0\r\n\r\n"), 7), _UNSIGNED),
    Requests("chunks with extensions", chunked(b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n'), _UNSIGNED),
    Requests("chunks with a trailer", chunked(b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n"), _UNSIGNED),
    Requests("Transfer-Encoding: Chunked", post("Transfer-Encoding: Chunked", body=b"0\r\n\r\n"), _UNSIGNED),
    _bad("a chunk size that is none", chunked(b"x\r\n")),
    _bad("a negative chunk size", chunked(b"-1\r\n")),
    _bad("a chunk longer than its size", chunked(b"1\r\nab\r\n")),
    _bad("a chunk that a lone line feed ends", chunked(b"1\r\na\n0\r\n\r\n")),
    _bad("a chunk size without end", chunked(b"1;" + b"a" * 1_000)),
    _bad("a trailer that is no header", chunked(b"0\r\nnonsense\r\n\r\n")),
    _bad("a trailer without end", chunked(b"0\r\nA: " + b"b" * 5_000)),
    _bad("chunks and a length", post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n")),
    _bad("a length and chunks", post("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    _bad("chunks in HTTP/1.0", chunked(b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")),
    _bad("Transfer-Encoding: gzip, chunked", post("Transfer-Encoding: gzip, chunked"), 501),
    _bad("Transfer-Encoding: identity", post("Transfer-Encoding: identity"), 501),
    _bad("Transfer-Encoding twice", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501),
    *[
        _bad(f"Content-Length: {length or 'empty'}", post(f"Content-Length: {length}"))
        for length in ("", "-1", "+1", "0x1", "1 1", "1, 1", "1.0", "9" * 20)
    ],
    _bad("Content-Length twice", post("Content-Length: 1", "Content-Length: 2", body=b"ab")),
    _bad("Content-Length twice, the same", post("Content-Length: 1", "Content-Length: 1", body=b"a")),
    _bad("a length over the limit", post(f"Content-Length: {MAX_BODY + 1}"), 413),
    _bad("a chunk over the limit", chunked(b"%x\r\n" % (MAX_BODY + 1)), 413),
]

_AWAITED: Final = post("Expect: 100-continue", "Content-Length: 5")

_EXPECTATIONS: Final[list[Case]] = [
    Requests("100-continue, the body after it", [_AWAITED, b"hello"], (100, _UNSIGNED)),
    Requests("100-continue, the body with it", _AWAITED + b"hello", _UNSIGNED),
    Requests("100-continue in capitals", [_AWAITED.replace(b"100-c", b"100-C"), b"hello"], (100, _UNSIGNED)),
    Requests("100-continue and chunks", [post("Expect: 100-continue", "Transfer-Encoding: chunked"), b"0\r\n\r\n"], (100, _UNSIGNED)),
    Requests("100-continue without a body", request("Expect: 100-continue"), 200),
    Requests("100-continue in HTTP/1.0", _AWAITED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"hello", _UNSIGNED, is_kept=False),
    _bad("100-continue and a length over the limit", _AWAITED.replace(b": 5", b": 9999999"), 413),
    _bad("another expectation", request("Expect: 200-ok"), 417),
    _bad("two expectations", request("Expect: 100-continue", "Expect: 200-ok"), 417),
]  # fmt: skip

_POLL: Final = f"/app/{PLAIN.key}/1/abc/xhr"

_NEXT: Final[list[Case]] = [
    *[
        Requests(f"after {method} {path} with {status}", request(*lines, line=f"{method} {path} HTTP/1.1"), status)
        for method, path, status, lines in (
            ("GET", "/up", 200, ()),
            ("HEAD", "/up", 200, ()),
            ("PUT", f"{_APP}/events", 405, ("Content-Length: 0",)),
            ("OPTIONS", f"{_APP}/events", 405, ()),
            ("GET", f"{_APP}/channels", _UNSIGNED, ()),
            ("GET", "/elsewhere", 404, ()),
            ("GET", f"/app/{PLAIN.key}", 426, ()),
            ("OPTIONS", _POLL, 204, ()),
            ("GET", _POLL, 405, ()),
            ("HEAD", _POLL, 405, ()),
            ("POST", f"{_POLL}_send", 404, ("Content-Length: 0",)),
            ("POST", f"/app/nobody/1/{PLAIN.key[:3]}/xhr", 200, ("Content-Length: 0",)),
        )
    ],
    Requests("after Upgrade: h2c, which is ignored", request("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"), 200),
    Requests("after requests in one segment", request() + chunked(b"0\r\n\r\n") + request(line=f"OPTIONS {_POLL} HTTP/1.1") + request(), (200, _UNSIGNED, 204, 200)),
    Requests("after an empty line behind a body", post("Content-Length: 1", body=b"a\r\n") + request(), (_UNSIGNED, 200)),
    Requests("Connection: close ends it", request("Connection: close"), 200, is_kept=False),
    Requests("Connection: keep-alive, Close ends it", request("Connection: keep-alive, Close"), 200, is_kept=False),
    Requests("HTTP/1.0 ends it", request(line="GET /up HTTP/1.0"), 200, is_kept=False),
]  # fmt: skip

SECTION: Final = section(
    12, "HTTP requests (RFC 9112 2, 3, 6, 7, 9; RFC 9110 10.1.1)", _HOSTS, _LINES, _BODIES, _EXPECTATIONS, _NEXT
)
