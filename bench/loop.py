"""The generator's event loop: epoll and plain functions, nothing else.

A read costs it about 2 µs, less than a callback of an asyncio loop, so that the server is what limits a measurement.
It never sleeps while it measures: waking a process costs whoever sends to it, on a virtual machine more than the sending,
and a client elsewhere would not cost the server that. The time in which nothing came is counted, see `idle`.
Sockets block: one that epoll reports as readable does not, and writes are bounded by what a scenario leaves unanswered.
"""

import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

# How long a blocked write may take before the server counts as stuck, in seconds.
SEND_TIMEOUT: Final = 10

# How precisely the system wakes, in seconds.
_TICK: Final = 0.002

# What one read may take, in bytes. One buffer serves all sockets: nothing is kept in it.
READ_BYTES: Final = 262_144
BUFFER: Final = bytearray(READ_BYTES)
VIEW: Final = memoryview(BUFFER)


class Loop:
    """Calls a socket's handler when it is readable.

    `nap`: for so many seconds it sleeps where there is nothing to read, when a server needs the generator's core as well.
    """

    def __init__(self, nap: float = 0.0) -> None:
        self._nap = nap
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self.idle = 0.0
        """Seconds in which this loop asked for something to read and there was nothing."""

    def watch(self, sock: socket.socket, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `sock` has something to read; replaces an earlier handler."""
        fd = sock.fileno()
        if fd not in self._handlers:
            self._epoll.register(fd, select.EPOLLIN)
        self._handlers[fd] = handler

    def forget(self, sock: socket.socket) -> None:
        """Watch it no more; call this before it is closed."""
        if self._handlers.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def run(self, done: Callable[[], bool], seconds: float) -> bool:
        """Handle what comes until `done`, asked once a round; False when that took more than `seconds`."""
        deadline = time.perf_counter() + seconds
        while not done():
            if self.spin() > deadline:
                return False
        return True

    def rest(self, seconds: float) -> None:
        """Sleep for so long, but for what comes."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self._handle(left)

    def wait(self, moment: float) -> None:
        """Handle what comes until then; it sleeps as long as that is not near."""
        while (left := moment - time.perf_counter()) > 0:
            # The system's timer may be late by one of its ticks.
            self._handle(left - _TICK if left > _TICK and self._nap else 0.0)

    def spin(self) -> float:
        """Handle what is there, without waiting for more than a nap; returns the time at which it looked."""
        before = time.perf_counter()
        if not self._handle(self._nap):
            self.idle += time.perf_counter() - before
        return before

    def _handle(self, timeout: float) -> bool:
        handlers = self._handlers
        events = self._epoll.poll(timeout, 1024)
        for fd, _ in events:
            handler = handlers.get(fd)
            if handler is not None:
                handler()
        return bool(events)

    def close(self) -> None:
        """Free the kernel's side."""
        self._epoll.close()


def connect(host: str, port: int, receive_bytes: int | None = None) -> socket.socket:
    """A connected socket that sends at once. `receive_bytes` bounds what the kernel takes in for us."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT, 0))
    sock.connect((host, port))
    return sock
