"""One request whose answer takes time: a coroutine writes it, part by part, while the front door keeps the connection.

Every write has to be taken in time: a client that takes nothing for WRITE_TIMEOUT, or not all of it by the deadline that
`expire` sets, loses the connection, however much the system and we hold for it. Must not know what is answered.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from pushdesk.writing import tell_of_all_that_waits
from relay.net.sockets import bound, reset
from relay.wire.http import LAST_CHUNK, Head, Response, chunk, stream_head

# How long a client may take nothing of what is written to it. Seconds.
WRITE_TIMEOUT: Final = 10.0


class Exchange:
    """A request (its head and its body) of the client at `address`, and the way to answer it: `send` a whole answer, or
    `start`, `write` and `end` one. `date` says what time it is in HTTP, `is_last` that the connection ends with the answer.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        head: Head,
        body: bytes,
        address: str,
        date: Callable[[], str],
        *,
        is_last: bool,
    ) -> None:
        self.head = head
        self.body = body
        self.address = address
        self.is_last = is_last
        self._date = date
        self._transport = transport
        self._taken = asyncio.Event()
        self._taken.set()
        self._expiry: asyncio.TimerHandle | None = None
        # A body without chunks ends with the connection.
        self._is_chunked = not head.is_old

    def open(self) -> None:
        """From now on `pause` and `resume` are called: whatever the system does not take at once is waited for."""
        bound(self._transport, WRITE_TIMEOUT)
        tell_of_all_that_waits(self._transport)

    def pause(self) -> None:
        """The client does not take what is written."""
        self._taken.clear()

    def resume(self) -> None:
        """It has taken all of it."""
        self._taken.set()

    def expire(self, seconds: float) -> None:
        """End the connection in so many seconds, unless the answer has been taken by then. The earliest deadline holds."""
        loop = asyncio.get_running_loop()
        if self._expiry is not None:
            if self._expiry.when() <= loop.time() + seconds:
                return
            self._expiry.cancel()
        self._expiry = loop.call_later(seconds, reset, self._transport)

    async def send(self, response: Response) -> None:
        """A whole answer."""
        encode = response.encode_head if self.head.method == "HEAD" else response.encode
        await self._write(encode(self._date(), is_last=self.is_last))

    def start(self, headers: Mapping[str, str]) -> None:
        """Begin an answer whose length is not known."""
        self._transport.write(stream_head(headers, self._date(), is_chunked=self._is_chunked, is_last=self.is_last))

    async def write(self, data: bytes) -> None:
        """The next part of it, not empty; returns when the client has taken it. Raises ConnectionAbortedError."""
        await self._write(chunk(data) if self._is_chunked else data)

    async def end(self) -> None:
        """The answer is complete."""
        if self._is_chunked:
            await self._write(LAST_CHUNK)

    async def forward(self, data: bytes) -> None:
        """A part of an answer that was encoded elsewhere; returns when the client has taken it. Raises
        ConnectionAbortedError."""
        await self._write(data)

    def break_off(self) -> None:
        """End the connection in the middle of an answer."""
        reset(self._transport)

    def close(self) -> None:
        """Nothing more is written: the coroutine has ended."""
        if self._expiry is not None:
            self._expiry.cancel()

    async def _write(self, data: bytes) -> None:
        self._transport.write(data)
        while not self._taken.is_set():
            waiting = self._transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self._taken.wait()
            except TimeoutError:
                if self._transport.get_write_buffer_size() >= waiting:
                    reset(self._transport)
                    raise ConnectionAbortedError("the client does not take what is written to it") from None
