"""HTTP/1.1 as values: the plain requests of back ends in, whole responses out (RFC 9112).

Only the plainest requests are understood here: GET or POST, headers without oddities, a body with a stated length. For all
else `parse_plain` says so, and a complete HTTP library has to read the request from its first byte. Nothing is parsed
loosely: what two servers could take for different requests is never taken here. Must not know sockets or the API.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from msgspec import Struct

END_OF_HEAD: Final = b"\r\n\r\n"

_PLAIN: Final = re.compile(
    rb"(GET|POST) (/[!-~]*) HTTP/1\.1(\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*)\r\n"
)
# A longer head is the HTTP library's to judge. Bytes.
_MAX_HEAD: Final = 8_190
# Headers that change how long a request is, or what it is.
_NOT_PLAIN: Final = (b"\r\ntransfer-encoding:", b"\r\nexpect:", b"\r\nupgrade:", b"\r\ncontent-encoding:")
_LENGTH: Final = b"\r\ncontent-length:"
_CONNECTION: Final = b"\r\nconnection:"
_MAX_DIGITS: Final = 9

JSON: Final = "application/json"
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class PlainRequest(Struct, frozen=True, gc=False):
    """The head of a request: where its body starts and how long it is, in bytes, and whether it is the connection's last."""

    method: str
    target: str
    start: int
    length: int
    is_last: bool


def parse_plain(data: bytes) -> PlainRequest | None:
    """The request whose head is at the start of `data`, None when it takes more than this module to read it."""
    match = _PLAIN.match(data)
    if match is None or match.end() > _MAX_HEAD:
        return None
    headers = match[3].lower()
    for name in _NOT_PLAIN:
        if name in headers:
            return None
    length = 0
    if _LENGTH in headers:
        digits = _value(headers, _LENGTH)
        if digits is None or not digits.isdigit() or len(digits) > _MAX_DIGITS:
            return None
        length = int(digits)
    is_last = _CONNECTION in headers and b"close" in (_value(headers, _CONNECTION) or b"close")
    return PlainRequest(match[1].decode(), match[2].decode(), match.end(), length, is_last)


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
            f"{_status_line(self.status)}Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
            f"Date: {date}\r\n{extra}\r\n"
        )
        return head.encode() + self.body


def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"


def text_answer(status: int, text: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    """A response with a text for the developer on the other side."""
    return Answer(status, text.encode(), "text/plain; charset=utf-8", headers)
