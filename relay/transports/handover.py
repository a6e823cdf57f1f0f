"""The HTTP fallbacks where there are several workers (G, decision 0024): each session has one owner, and a worker that gets a
request for another's session has the owner answer it, over the owner's Unix socket.

The request goes there as a value; the answer comes back as the bytes that the client is to get, in parts, and is handed on
part by part: a client that is slow, or gone, is so for the owner too. Must not know what a session is.
"""

import asyncio
import struct
import zlib
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import structlog
from msgspec import Struct

from relay.transports.doors import Doors
from relay.transports.exchange import Exchange
from relay.transports.xhr import Fallback, parse_target
from relay.wire.http import Head

log = structlog.get_logger()

# Bytes of one part of an answer. Small, so that a client that takes its answer slowly is seen to take it.
PART: Final = 16_384

_LENGTH: Final = struct.Struct("!I")
_END: Final = _LENGTH.pack(0)


class Request(Struct, frozen=True, array_like=True):
    """What the owner must know of a request."""

    method: str
    target: str
    headers: Mapping[bytes, bytes]
    body: bytes
    address: str
    is_old: bool
    is_last: bool


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Request).decode


def owner_of(session: tuple[str, ...], workers: int) -> int:
    """The number of the worker that has a session, wherever its requests arrive."""
    return zlib.crc32("/".join(session).encode()) % workers


class Handover:
    """The fallback of worker `number` of so many, whose Unix sockets are in `folder`."""

    def __init__(self, fallback: Fallback, folder: Path, number: int, workers: int) -> None:
        self._fallback = fallback
        self._folder = folder
        self._number = number
        self._workers = workers
        self._server: asyncio.Server | None = None

    async def start(self, doors: Doors) -> None:
        """Take requests from the other workers; `doors` are those of this one. Raises OSError."""
        path = self._path_of(self._number)
        # One of a worker that has died, or is being replaced and takes no new requests.
        path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Answering(self._fallback, doors), str(path))

    def close(self) -> None:
        """Take no more. Those under way go on."""
        if self._server is not None:
            self._server.close()

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request of a client here, or have its owner answer it."""
        target = parse_target(exchange.head.target)
        owner = self._number if target is None else owner_of(target.session, self._workers)
        if owner == self._number:
            await self._fallback.handle(exchange)
        else:
            await self._forward(exchange, owner)

    async def _forward(self, exchange: Exchange, owner: int) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._path_of(owner)))
        except OSError:
            # It is being started again; its sessions are gone, and the client begins a new one.
            head, reason = exchange.head, "The process that has this session does not run"
            status = HTTPStatus.SERVICE_UNAVAILABLE
            await exchange.send(self._fallback.refuse(head.method, head.target, status, reason, exchange.address))
            return
        try:
            writer.write(_framed(_encode(_request_of(exchange))))
            while part := await _next_part(reader, exchange):
                await exchange.forward(part)
        finally:
            writer.close()

    def _path_of(self, number: int) -> Path:
        return self._folder / f"worker-{number}.sock"


def _request_of(exchange: Exchange) -> Request:
    head = exchange.head
    return Request(
        head.method, head.target, head.headers, exchange.body, exchange.address, head.is_old, exchange.is_last
    )


def _framed(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


async def _next_part(reader: asyncio.StreamReader, exchange: Exchange) -> bytes:
    """The next part of an answer, empty at its end. Where the owner breaks off, so do we: raises ConnectionAbortedError."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        exchange.break_off()
        raise ConnectionAbortedError("the process that has this session broke off its answer") from None


class _Answering(asyncio.Protocol):
    """The owner's side of one request."""

    _transport: asyncio.Transport

    def __init__(self, fallback: Fallback, doors: Doors) -> None:
        self._fallback = fallback
        self._doors = doors
        self._data = bytearray()
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Another worker has a request."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """More of it."""
        self._data += data
        if self._task is None and len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if len(self._data) >= _LENGTH.size + length:
                self._begin(_decode(memoryview(self._data)[_LENGTH.size :]))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or the answer is complete."""
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        """It takes it."""
        if self._exchange is not None:
            self._exchange.resume()

    def _begin(self, request: Request) -> None:
        head = Head(request.method, request.target, request.headers, request.is_old)
        way = cast(asyncio.Transport, _Parts(self._transport))
        self._exchange = Exchange(way, head, request.body, request.address, self._doors.date, is_last=request.is_last)
        self._exchange.open()
        self._task = self._doors.start(self._answer(self._exchange))

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._fallback.handle(exchange)
        except ConnectionAbortedError:
            return  # it was broken off
        except Exception:
            log.exception("request_failed", method=exchange.head.method, path=exchange.head.target)
            self._transport.abort()
        else:
            self._transport.write(_END)
            self._transport.close()
        finally:
            exchange.close()


class _Parts:
    """A transport, as far as an Exchange needs one, that writes in parts."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.abort = transport.abort
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.set_write_buffer_limits = transport.set_write_buffer_limits

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), PART):
            self._transport.write(_framed(data[start : start + PART]))

    def get_extra_info(self, _name: str) -> Any:
        """There is no connection of a client here whose buffers could be bounded."""
        return None
