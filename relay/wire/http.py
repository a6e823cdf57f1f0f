"""HTTP/1.1 as values: the heads of requests in, responses out (RFC 9112). Bodies are read in bodies.py.

Most requests are the plainest: GET or POST, headers without oddities, a body with a stated length. `parse_plain` reads
those, at a fraction of what `parse_head` and `framing_of` cost, which read all. Nothing is parsed loosely: what two servers
could take for different requests is refused. Must not know sockets or the API.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from relay.wire.later import Later

END_OF_HEAD: Final = b"\r\n\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_REQUEST_LINE: Final = re.compile(rb"(GET|POST) (/[!-~]*) HTTP/1\.1\r\n")
# RFC 9110 5.1, 5.5: no space before the colon, no control characters, and no line that goes on in the next one.
FIELD: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*"
_HEADERS: Final = re.compile(rb"(?:%b\r\n)*" % FIELD)
# Of any request: a method, one blank, a target, one blank, a version; then headers.
_HEAD: Final = re.compile(rb"([A-Z]{1,20}) ([!-~]+) HTTP/1\.([01])((?:\r\n%b)*)" % FIELD)
# RFC 9112 3.2.2: clients that take us for a proxy name the server in the target. What follows it is the path.
_ABSOLUTE: Final = re.compile(
    r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?(?=[/?]|$)", re.IGNORECASE
)
# RFC 9110 7.2, 4.2: a name or an address, and a port; a name may be empty.
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?")
# A longer head is `parse_head`'s to judge. Bytes.
_MAX_HEAD: Final = 8_190
# Headers that change how long a request is, or what it is.
_NOT_PLAIN: Final = (b"\ntransfer-encoding:", b"\nexpect:", b"\nupgrade:", b"\ncontent-encoding:")
_HOST_LINE: Final = b"\nhost:"
_LENGTH: Final = b"\ncontent-length:"
_CONNECTION: Final = b"\nconnection:"
_MAX_DIGITS: Final = 9
# Of a length that is too large all the same.
_MAX_LENGTH_DIGITS: Final = 19
_CHUNKED: Final = b"chunked"
_AWAITS: Final = b"100-continue"
# Headers of a request: a thousand in one head took as long as a hundred requests.
MAX_HEADERS: Final = 128
# Different heads whose headers are remembered: a back end sends the same ones again and again (bench/, scenario "triggers").
_KNOWN_HEADERS: Final = 512

JSON: Final = "application/json"
_STATUS_LINES: Final = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in HTTPStatus}
_NO_CONTENT: Final = 204
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class PlainRequest(Struct, frozen=True, gc=False):
    """The head of a request: where its body starts and how long it is, in bytes, and whether it is the connection's last."""

    method: str
    target: str
    start: int
    length: int
    is_last: bool


class _Framing(Struct, frozen=True, gc=False):
    """How long a body is, in bytes, and whether the connection ends after it."""

    length: int
    is_last: bool


def parse_plain(data: bytes) -> PlainRequest | None:
    """The request whose head is at the start of `data`, None when it takes more than this module to read it."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        return None
    end = data.find(END_OF_HEAD, line.end() - 2) + len(END_OF_HEAD)
    if not line.end() <= end <= _MAX_HEAD:
        return None
    framing = _framing_of(data[line.end() : end - 2])
    if framing is None:
        return None
    return PlainRequest(line[1].decode(), line[2].decode(), end, framing.length, framing.is_last)


@lru_cache(maxsize=_KNOWN_HEADERS)
def _framing_of(lines: bytes) -> _Framing | None:
    """What the header lines say, None when they are not plain."""
    if _HEADERS.fullmatch(lines) is None or lines.count(b"\n") > MAX_HEADERS:
        return None
    headers = b"\n" + lines.lower()
    if any(name in headers for name in _NOT_PLAIN) or _HOST.fullmatch(_value(headers, _HOST_LINE) or b"?") is None:
        return None
    length = 0
    if _LENGTH in headers:
        digits = _value(headers, _LENGTH)
        if digits is None or not digits.isdigit() or len(digits) > _MAX_DIGITS:
            return None
        length = int(digits)
    is_last = _CONNECTION in headers and b"close" in (_value(headers, _CONNECTION) or b"close")
    return _Framing(length, is_last)


def _value(headers: bytes, name: bytes) -> bytes | None:
    """The value of a header that stands there once; None when it stands there more often, or not at all."""
    _, found, rest = headers.partition(name)
    return None if name in rest or not found else rest[: rest.index(b"\r\n")].strip(b" \t")


class HttpError(Exception):
    """A request that is not served; `response` is what to answer."""

    def __init__(self, response: "Response") -> None:
        super().__init__(response)
        self.response = response


class Head(Struct, frozen=True, gc=False):
    """The head of any request. `target` is a path and a query, also where the client named the server too; the names of
    `headers` are in lower case, the values of a repeated one joined by commas."""

    method: str
    target: str
    headers: Mapping[bytes, bytes]
    is_old: bool = False
    """Whether it is HTTP/1.0, which knows neither upgrades nor chunks nor further requests."""


class Framing(Struct, frozen=True, gc=False):
    """How long a body is, in bytes, None where it comes in chunks; whether the connection ends after it, and whether the
    client waits for a 100 before it sends it."""

    length: int | None
    is_last: bool
    is_awaited: bool = False


def parse_head(head: bytes) -> Head:
    """The head of a request, without the empty line that ends it. Raises HttpError when it is not HTTP/1."""
    found = _HEAD.fullmatch(head)
    if found is None:
        raise HttpError(text_response(400, "This is not an HTTP/1.1 request"))
    method, path, version, lines = found.groups()
    if lines.count(b"\n") > MAX_HEADERS:
        raise HttpError(text_response(431, f"A request may have {MAX_HEADERS} headers"))
    pairs = [line.split(b":", 1) for line in lines.split(b"\r\n")[1:]]
    headers = {name.lower(): value.strip() for name, value in pairs}
    if len(headers) < len(pairs):
        headers = _joined(pairs)
    is_old = version == b"0"
    if is_old or _HOST.fullmatch(headers.get(b"host", b"?")) is None:
        _ensure_host(headers, is_old=is_old)
    if is_old:
        headers.pop(b"upgrade", None)  # RFC 9110 7.8: is ignored there
    target = path.decode()
    return Head(method.decode(), target if target[0] == "/" else _origin_form(target), headers, is_old)


def _joined(pairs: list[list[bytes]]) -> dict[bytes, bytes]:
    """Headers of which some are repeated (RFC 9110 5.3). What may stand there once is no longer valid with a comma in it."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        key, text = name.lower(), value.strip()
        if key in headers:
            if key == b"host":
                raise HttpError(text_response(400, "A request has one Host"))
            text = headers[key] + b", " + text
        headers[key] = text
    return headers


def _ensure_host(headers: Mapping[bytes, bytes], *, is_old: bool) -> None:
    """RFC 9112 3.2. Raises HttpError."""
    host = headers.get(b"host")
    if host is None and not is_old:
        raise HttpError(text_response(400, "A request has one Host"))
    if host is not None and _HOST.fullmatch(host) is None:
        raise HttpError(text_response(400, "Host must be a name or an address, and perhaps a port"))


def _origin_form(target: str) -> str:
    """The path and query of a target in another form (RFC 9112 3.2). Raises HttpError."""
    server = _ABSOLUTE.match(target)
    if server is not None:
        rest = target[server.end() :]
        return rest if rest.startswith("/") else "/" + rest
    if target == "*":
        return target
    raise HttpError(text_response(400, "The target of a request begins with / or with http://"))


def parse_query(raw: str) -> dict[str, str]:
    """A raw query string as a mapping, names in lower case and values percent-decoded; the last of a repeated name wins."""
    params = {}
    for pair in raw.split("&"):
        name, _, value = pair.partition("=")
        if name:
            params[name.lower()] = unquote(value) if "%" in value else value
    return params


def framing_of(head: Head) -> Framing:
    """What follows a head (RFC 9112 6). Raises HttpError."""
    headers = head.headers
    words = [word.strip(b" \t") for word in headers.get(b"connection", b"").lower().split(b",")]
    return Framing(_length_of(head), head.is_old or b"close" in words, _is_awaited(head))


def _length_of(head: Head) -> int | None:
    length, coding = head.headers.get(b"content-length"), head.headers.get(b"transfer-encoding")
    if coding is not None:
        if length is not None or head.is_old:  # 6.1: the way to smuggle a request past somebody
            raise HttpError(text_response(400, "A body has a Content-Length or, in HTTP/1.1, a Transfer-Encoding"))
        if coding.lower() != _CHUNKED:
            raise HttpError(text_response(501, "The only Transfer-Encoding that is understood is chunked"))
        return None
    if length is None:
        return 0
    if not length.isdigit() or len(length) > _MAX_LENGTH_DIGITS:
        raise HttpError(text_response(400, "Content-Length must be a number"))
    return int(length)


def _is_awaited(head: Head) -> bool:
    """RFC 9110 10.1.1. Raises HttpError."""
    expected = head.headers.get(b"expect")
    if expected is None or head.is_old:
        return False
    if expected.lower() != _AWAITS:
        raise HttpError(text_response(417, "The only thing to Expect here is 100-continue"))
    return True


class Response(Struct, frozen=True):
    """A response: its status, its body, and headers beyond type and length."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = NO_HEADERS

    def encode(self, date: str, *, is_last: bool = False) -> bytes:
        """The whole response at `date` (RFC 9110 6.6.1). `is_last` announces that the connection ends with it."""
        extra = _lines_of(self.headers, is_last=is_last)
        if self.status == _NO_CONTENT:  # RFC 9110 8.6: has no length
            return f"{_STATUS_LINES[_NO_CONTENT]}Date: {date}\r\n{extra}\r\n".encode()
        head = (
            f"{_STATUS_LINES[self.status]}Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
            f"Date: {date}\r\n{extra}\r\n"
        )
        return head.encode() + self.body

    def encode_head(self, date: str, *, is_last: bool = False) -> bytes:
        """The response to a HEAD: all of it but the body."""
        whole = self.encode(date, is_last=is_last)
        return whole[: len(whole) - len(self.body)]


class LongResponse(Struct, frozen=True):
    """A response of 200 whose body takes so long to make that each of its `parts` is for a turn of the event loop of its own.
    `refuse` says what to answer in its place when one of them cannot be made."""

    parts: Iterator[bytes | Later[bytes]]
    refuse: Callable[[Exception], Response]


def stream_head(headers: Mapping[str, str], date: str, *, is_chunked: bool, is_last: bool) -> bytes:
    """The head of a response whose length nobody knows yet: its body comes in chunks, else it ends with the connection."""
    length = "Transfer-Encoding: chunked\r\n" if is_chunked else ""
    extra = _lines_of(headers, is_last=is_last or not is_chunked)
    return f"{_STATUS_LINES[200]}{length}Date: {date}\r\n{extra}\r\n".encode()


def chunk(data: bytes) -> bytes:
    """A part of such a body; not an empty one, which would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _lines_of(headers: Mapping[str, str], *, is_last: bool) -> str:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return lines + "Connection: close\r\n" if is_last else lines


def text_response(status: int, text: str, headers: Mapping[str, str] = NO_HEADERS) -> Response:
    """A response with a text for the developer on the other side."""
    return Response(status, text.encode(), "text/plain; charset=utf-8", headers)
