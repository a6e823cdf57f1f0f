"""The bodies of requests, packet by packet (RFC 9112 6, 7.1). Must not know heads beyond what says how long a body is.

However a body is cut into packets, reading it costs time and memory in proportion to its length.
"""

import re
from typing import Final

from relay.wire.http import FIELD, Framing, HttpError, text_response

# A line that begins a chunk, with what is said of it that nobody asked for; and all lines after the last chunk. Bytes.
_MAX_SIZE_LINE: Final = 256
_MAX_TRAILERS: Final = 4_096

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_TRAILER: Final = re.compile(FIELD)
_END: Final = b"\r\n"


class TooLong(Exception):
    """The body is over the limit."""


class SizedBody:
    """A body of `length` bytes."""

    __slots__ = ("_length", "data")

    def __init__(self, length: int) -> None:
        self._length = length
        self.data = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Take what belongs to the body: what follows it, None when more of it has to come."""
        missing = self._length - len(self.data)
        if len(data) < missing:
            self.data += data
            return None
        self.data += data[:missing]
        return data[missing:]


class ChunkedBody:
    """A body in chunks, of up to `limit` bytes."""

    __slots__ = ("_limit", "_missing", "_pending", "_trailers", "data")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending = bytearray()
        # Of the present chunk, the end of its line included; 0 where a line that begins one has to come.
        self._missing = 0
        # Bytes of the lines after the last chunk; None before it.
        self._trailers: int | None = None
        self.data = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """See SizedBody.feed. Raises TooLong, and HttpError when these are not chunks."""
        self._pending += data
        while True:
            if self._missing:
                if not self._take_chunk():
                    return None
                continue
            line = self._take_line()
            if line is None:
                return None
            if self._trailers is None:
                self._begin_chunk(line)
            elif not line:
                return bytes(self._pending)
            else:
                self._take_trailer(line)

    def _begin_chunk(self, line: bytes) -> None:
        size = _SIZE.fullmatch(line)
        if size is None:
            raise _broken()
        length = int(size[1], 16)
        if len(self.data) + length > self._limit:
            raise TooLong
        if length:
            self._missing = length + len(_END)
        else:
            self._trailers = 0

    def _take_chunk(self) -> bool:
        """Take of the present chunk what is there; whether that was the rest of it."""
        pending = self._pending
        body = max(self._missing - len(_END), 0)
        if body:
            taken = pending[:body]
            self.data += taken
            del pending[:body]
            self._missing -= len(taken)
        if self._missing > len(_END) or len(pending) < len(_END):
            return False
        if pending[: len(_END)] != _END:
            raise _broken()
        del pending[: len(_END)]
        self._missing = 0
        return True

    def _take_line(self) -> bytes | None:
        """The next line, None when it is not there yet."""
        limit = _MAX_SIZE_LINE if self._trailers is None else _MAX_TRAILERS - self._trailers
        end = self._pending.find(_END, 0, limit)
        if end < 0:
            if len(self._pending) >= limit:
                raise _broken()
            return None
        line = bytes(self._pending[:end])
        del self._pending[: end + len(_END)]
        return line

    def _take_trailer(self, line: bytes) -> None:
        """What is said after a body is of no use here."""
        if _TRAILER.fullmatch(line) is None:
            raise _broken()
        self._trailers = (self._trailers or 0) + len(line) + len(_END)


Body = SizedBody | ChunkedBody


def body_of(framing: Framing, limit: int) -> Body:
    """What reads the body that `framing` announces, of up to `limit` bytes. Raises TooLong."""
    if framing.length is None:
        return ChunkedBody(limit)
    if framing.length > limit:
        raise TooLong
    return SizedBody(framing.length)


def _broken() -> HttpError:
    return HttpError(text_response(400, "The body of the request does not come in chunks as RFC 9112 has them"))
