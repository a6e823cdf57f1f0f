"""Bounds on what the system holds for a client that does not read. Must not know why its connection has to end."""

import asyncio
import fcntl
import socket
import struct
import termios
from typing import Final

# What the system may hold for a client that is sent a long answer: half of what Linux then takes. Bytes. Else it takes
# megabytes, which look as if the client had read them.
SEND_BUFFER: Final = 65_536

# SO_LINGER: on, for 0 seconds.
_AT_ONCE: Final = struct.pack("ii", 1, 0)


def bound(transport: asyncio.Transport, seconds: float) -> None:
    """Let the system hold little for the client, and give it up when it takes nothing of that for so long."""
    taken = _socket_of(transport)
    if taken is None:
        return
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1_000))


def reset(transport: asyncio.Transport) -> None:
    """End the connection at once, and forget what the client has not taken: the system would offer that for minutes to one
    that does not read. A client that has taken everything sees an end in order."""
    taken = _socket_of(transport)
    if taken is not None and (transport.get_write_buffer_size() or _unread(taken)):
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


def _unread(taken: socket.socket) -> int:
    """How many bytes the system holds that have not arrived on the other side."""
    (count,) = struct.unpack("i", fcntl.ioctl(taken.fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(count)


def _socket_of(transport: asyncio.Transport) -> socket.socket | None:
    """The socket of a connection, while it is open."""
    taken: socket.socket | None = transport.get_extra_info("socket")
    # One that is closed has no number.
    return None if taken is None or taken.fileno() < 0 else taken
