"""A TCP proxy that a test breaks: it cuts, holds, delays and swallows what runs through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from tests.helpers.processes import HOST

Way = Literal["up", "down"]
_CHUNK: Final = 65_536


class Proxy:
    """Listens on `port` of loopback and passes on to `target`: host and port, or the path of a Unix socket.

    "up" is from the client to the target, "down" back. What is set holds for all connections, those to come as well.
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        self.port = 0
        self.delay = 0.0
        """Seconds that each piece waits, in both directions."""
        self.passed = {"up": 0, "down": 0}
        """Bytes that were passed on."""
        self.cut_after: int | None = None
        """Cut all connections when so many bytes have gone down."""
        self.is_closed = False
        """Take new connections and end them at once."""
        self._target = target
        self._swallowed: set[Way] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset all connections; new ones are taken."""
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Keep what comes, in both directions, until `release`."""
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    def swallow(self, *ways: Way) -> None:
        """Throw away what goes these ways, as a half-open connection does; without any: nothing any more."""
        self._swallowed = set(ways)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, HOST, self.port, limit=_CHUNK)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()  # the target is away, or the test is over
        finally:
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_closed:
            writer.transport.abort()
            return
        if isinstance(self._target, str):
            there, back = await asyncio.open_unix_connection(self._target)
        else:
            there, back = await asyncio.open_connection(*self._target)
        self._writers |= {writer, back}
        await asyncio.gather(self._pass("up", reader, back), self._pass("down", there, writer))
        self._writers -= {writer, back}

    async def _pass(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            await asyncio.sleep(self.delay)
            await self._flows.wait()
            if way in self._swallowed or writer.is_closing():
                continue
            self._write(way, writer, data)
        writer.transport.abort()

    def _write(self, way: Way, writer: asyncio.StreamWriter, data: bytes) -> None:
        if way == "down" and self.cut_after is not None and self.passed[way] + len(data) >= self.cut_after:
            data, self.cut_after = data[: self.cut_after - self.passed[way]], None
            writer.write(data)
            asyncio.get_running_loop().call_soon(self.cut)
        else:
            writer.write(data)
        self.passed[way] += len(data)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except OSError:
        return b""
