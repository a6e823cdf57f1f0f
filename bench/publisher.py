"""A back end that publishes: one HTTP/1.1 request after the other, without pipelining, over a connection of its own.

Keeps the connection where the server lets it; opens a new one where it does not (soketi closes after each answer).
"""

import re
import socket
from collections.abc import Callable
from typing import Final

from bench.loop import Loop, connect
from bench.target import Target

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Publisher:
    """Sends requests that were made before; `on_answer` is called after each answer.

    Counts: `opened` connections, `refused` answers that were not 200.
    """

    __slots__ = (
        "_answer",
        "_ending",
        "_loop",
        "_on_answer",
        "_request",
        "_sock",
        "_target",
        "is_waiting",
        "last_answer",
        "opened",
        "refused",
    )

    def __init__(self, target: Target, loop: Loop, on_answer: Callable[[], None]) -> None:
        self._target = target
        self._loop = loop
        self._on_answer = on_answer
        self._sock: socket.socket | None = None
        self._ending: set[socket.socket] = set()
        self._answer = b""
        self._request = b""
        self.is_waiting = False
        self.last_answer = b""
        self.opened = 0
        self.refused = 0

    def send(self, request: bytes) -> None:
        """Send one request; not before the last one is answered."""
        self._request = request
        self.is_waiting = True
        sock = self._sock or self._open()
        try:
            sock.send(request)
        except ConnectionError:  # the server closed an idle connection
            self.close()
            self._open().send(request)

    def close(self) -> None:
        """Drop the connection, and those that the server has not yet ended."""
        for sock in [*self._ending, *([] if self._sock is None else [self._sock])]:
            self._drop(sock)
        self._sock = None

    def _open(self) -> socket.socket:
        sock = self._sock = connect(self._target.host, self._target.port)
        self.opened += 1
        self._loop.watch(sock, lambda: self._read(sock))
        return sock

    def _read(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(65_536, socket.MSG_DONTWAIT)
        except BlockingIOError:  # reported for an earlier socket of the same number
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._lose(sock)
            return
        answer = self._answer = self._answer + data
        end = answer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(answer, 0, end)
        if length is None or len(answer) < end + 4 + int(length[1]):
            return
        if not answer.startswith(b"HTTP/1.1 200"):
            self.refused += 1
        if _CLOSE.search(answer, 0, end):
            # It ends by itself; the next request does not wait for that.
            self._ending.add(sock)
            self._sock = None
        self.last_answer, self._answer = answer, b""
        self.is_waiting = False
        self._on_answer()

    def _lose(self, sock: socket.socket) -> None:
        """The server closed; what it left unanswered is sent again on a new connection."""
        self._drop(sock)
        if sock is not self._sock:
            return
        self._sock = None
        if self.is_waiting:
            self._answer = b""
            self._open().send(self._request)

    def _drop(self, sock: socket.socket) -> None:
        self._ending.discard(sock)
        self._loop.forget(sock)
        sock.close()
