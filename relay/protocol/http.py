"""HTTP/1.1 as values: the plain requests of back ends in, whole responses out (RFC 9112).

Only the plainest requests are understood here: GET or POST, headers without oddities, a body with a stated length. For all
else `parse_plain` says so, and a complete HTTP library has to read the request from its first byte. Nothing is parsed
loosely: what two servers could take for different requests is never taken here. Must not know sockets or the API.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from msgspec import Struct

END_OF_HEAD: Final = b"\r\n\r\n"

_REQUEST_LINE: Final = re.compile(rb"(GET|POST) (/[!-~]*) HTTP/1\.1\r\n")
_HEADERS: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*")
# A longer head is the HTTP library's to judge. Bytes.
_MAX_HEAD: Final = 8_190
# Headers that change how long a request is, or what it is.
_NOT_PLAIN: Final = (b"\ntransfer-encoding:", b"\nexpect:", b"\nupgrade:", b"\ncontent-encoding:")
_LENGTH: Final = b"\ncontent-length:"
_CONNECTION: Final = b"\nconnection:"
_MAX_DIGITS: Final = 9
# Different heads whose headers are remembered: a back end sends the same ones again and again (bench/, scenario "triggers").
_KNOWN_HEADERS: Final = 512

JSON: Final = "application/json"
_STATUS_LINES: Final = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in HTTPStatus}
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
    if _HEADERS.fullmatch(lines) is None:
        return None
    headers = b"\n" + lines.lower()
    if any(name in headers for name in _NOT_PLAIN):
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
    """The value of a header that stands there once; None when it stands there more often."""
    _, _, rest = headers.partition(name)
    return None if name in rest else rest[: rest.index(b"\r\n")].strip(b" \t")


class Answer(Struct, frozen=True):
    """A response: its status, its body, and headers beyond type and length."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = NO_HEADERS

    def encode(self, date: str, *, is_last: bool = False) -> bytes:
        """The whole response at `date` (RFC 9110 6.6.1). `is_last` announces that the connection ends with it."""
        extra = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        if is_last:
            extra += "Connection: close\r\n"
        head = (
            f"{_STATUS_LINES[self.status]}Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
            f"Date: {date}\r\n{extra}\r\n"
        )
        return head.encode() + self.body


def text_answer(status: int, text: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    """A response with a text for the developer on the other side."""
    return Answer(status, text.encode(), "text/plain; charset=utf-8", headers)
