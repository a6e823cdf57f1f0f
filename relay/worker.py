"""What a worker and the supervisor that started it have between them: where the worker stands, and what they tell each other.

Messages are lines of JSON over a socket pair. Its end is the end of the other one: a worker whose supervisor is gone stops.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from msgspec import Struct

from relay.watch.sums import Family

# Bytes of one message: of the metrics of thousands of apps.
MAX_LINE: Final = 64 * 1_048_576


class Place(Struct, frozen=True):
    """Where a worker stands: its number (from 0) among so many, the file numbers of its sockets, and the folder of the Unix
    sockets by which workers reach each other."""

    number: int
    count: int
    control: int
    listen: tuple[int, ...]
    console: tuple[int, ...]
    folder: str

    @property
    def sockets(self) -> tuple[int, ...]:
        """All that the worker inherits."""
        return (self.control, *self.listen, *self.console)


class Ready(Struct, frozen=True, tag=True):
    """Of a worker: it serves."""


class Told(Struct, frozen=True, tag=True):
    """Of a worker: its metrics; once more when it stops."""

    families: tuple[Family, ...]


class Ask(Struct, frozen=True, tag=True):
    """Of the supervisor: tell the metrics."""


class Stop(Struct, frozen=True, tag=True):
    """Of the supervisor: stop, and spread the ends of the connections over so many seconds."""

    spread: float


FromWorker = Ready | Told
FromSupervisor = Ask | Stop
Message = FromWorker | FromSupervisor

_decode: Final = msgspec.json.Decoder(Message).decode
_encode: Final = msgspec.json.Encoder().encode


class Line:
    """One end of the socket pair. Made by `open_line`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: Message) -> None:
        """Tell the other end; nothing when it is gone."""
        if not self._writer.is_closing():
            self._writer.write(_encode(message) + b"\n")

    async def messages(self) -> AsyncIterator[Message]:
        """What the other end tells, until it is gone."""
        try:
            while line := await self._reader.readline():
                yield _decode(line)
        except ConnectionError:
            return

    async def close(self) -> None:
        """Say nothing more, when all has been taken that was said."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


async def open_line(end: socket.socket) -> Line:
    """A line over one end of a socket pair."""
    return Line(*await asyncio.open_unix_connection(sock=end, limit=MAX_LINE))
