"""The listening sockets of one port, and how fast they accept. Must not know what is served.

When its neighbour is restarted a node may be asked for tens of thousands of connections at once. It accepts so many a
second; the others wait in the system's queue, and those who are connected are served meanwhile.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog

log = structlog.get_logger()

# How long a client may take for the handshake, and for its part of the end of a connection. In seconds.
HANDSHAKE_TIMEOUT: Final = 10.0
SHUTDOWN_TIMEOUT: Final = 5.0

# For how long nothing is accepted when the rate is reached, and how often the log says so. Seconds.
PAUSE: Final = 0.05
REPORT_INTERVAL: Final = 60.0

Factory = Callable[[], asyncio.Protocol]
# What makes a server of a factory and a socket, or a host and a port.
Make = Callable[..., Awaitable[asyncio.Server]]


class Listener:
    """Opened by `listen`. `rate`: new connections a second on average, and at most twice as many at once; 0 for no limit."""

    def __init__(self, factory: Factory, rate: int, make: Make) -> None:
        self._factory = factory
        self._loop = asyncio.get_running_loop()
        self._make = make
        self._rate = rate
        # What may be accepted before the clock has to be looked at, and since when more has been earned: a token bucket would
        # look at each connection (bench/, scenario "connections").
        self._left = rate
        self._earning_since = self._loop.time()
        self._servers: list[asyncio.Server] = []
        # The same sockets, to be listened on again after a pause.
        self._kept: list[socket.socket] = []
        self._resuming: asyncio.Task[None] | None = None
        self._next_report = 0.0
        self.port = 0

    async def open(self, host: str, port: int, sockets: Sequence[socket.socket]) -> None:
        """Accept on `sockets`, or else where `host` and `port` say. Raises OSError."""
        factory = self._limited if self._rate else self._factory
        make = partial(self._make, factory)
        self._servers = [await make(sock=one) for one in sockets] or [await make(host, port)]
        listening = [one for server in self._servers for one in server.sockets]
        self.port = int(listening[0].getsockname()[1])
        if self._rate:
            self._kept = [socket.socket(fileno=os.dup(one.fileno())) for one in listening]

    @property
    def is_accepting(self) -> bool:
        """Whether new connections are accepted at the moment."""
        return bool(self._servers)

    def close(self) -> None:
        """Accept no more connections."""
        self._stop_accepting()
        for one in self._kept:
            one.close()
        if self._resuming is not None:
            self._resuming.cancel()

    def _limited(self) -> asyncio.Protocol:
        """The protocol of a connection that was accepted, perhaps the last one for a while."""
        self._left -= 1
        if self._left < 0 and not self._earn() and self._resuming is None:
            # Not within the callback of what is closed.
            self._resuming = self._loop.create_task(self._pause())
        return self._factory()

    def _earn(self) -> bool:
        """Whether the connection that was just accepted had been earned."""
        now = self._loop.time()
        earned = int(min(1.0, now - self._earning_since) * self._rate)
        if not earned:
            return False
        self._left, self._earning_since = earned - 1, now
        return True

    async def _pause(self) -> None:
        now = self._loop.time()
        if now >= self._next_report:
            self._next_report = now + REPORT_INTERVAL
            log.warning("accept_rate_reached", rate=self._rate)
        self._stop_accepting()
        await asyncio.sleep(PAUSE)
        for one in self._kept:
            # Nothing is awaited between the socket and its place in the list: `close` finds it.
            server = await self._make(self._limited, sock=one.dup(), start_serving=False)
            self._servers.append(server)
            await server.start_serving()
        self._resuming = None

    def _stop_accepting(self) -> None:
        for server in self._servers:
            server.close()
        self._servers = []


async def listen(
    factory: Factory,
    host: str,
    port: int,
    context: ssl.SSLContext | None,
    *,
    backlog: int = 100,
    rate: int = 0,
    sockets: Sequence[socket.socket] = (),
) -> Listener:
    """Listen on `sockets`, or else where `host` and `port` say; by TLS where there is a context: a client that does not speak
    it holds its place for a short time only. Raises OSError."""
    is_tls = context is not None
    make = partial(
        asyncio.get_running_loop().create_server,
        backlog=backlog,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_TIMEOUT if is_tls else None,
        ssl_shutdown_timeout=SHUTDOWN_TIMEOUT if is_tls else None,
    )
    listener = Listener(factory, rate, make)
    await listener.open(host, port, sockets)
    return listener
