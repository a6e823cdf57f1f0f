"""The composition root: settings → apps, bus, node, routes, one listening socket; ordered start and stop.

The only place where the parts of the relay meet.
"""

import asyncio
import gc
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from relay.api.routes import MAX_BODY, Api
from relay.apps import Apps
from relay.bus.local import LocalBus
from relay.config import Settings
from relay.liveness import Wheel
from relay.logs import HttpServerLog
from relay.node import Node
from relay.protocol.limits import PONG_TIMEOUT
from relay.transports.front import FrontDoor
from relay.transports.websocket import CLOSE_TIMEOUT, WebSocket

log = structlog.get_logger()

# Connections that the kernel accepts while the loop is busy.
BACKLOG = 4_096

# Requests of one back end come in bursts; an idle one keeps its connection for so many seconds.
KEEPALIVE = 75.0


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """A relay that serves while the context lasts; yields the port. Raises OSError when it cannot listen."""
    loop = asyncio.get_running_loop()
    node = Node(Apps(settings.apps), LocalBus(), settings.activity_timeout)
    wheel = Wheel(loop.time())
    ready = asyncio.Event()
    http = web.Server(
        Api(node, ready.is_set).handle,
        # The bound of a body can be set in no other way.
        request_factory=partial(_make_request, loop),
        access_log=None,
        keepalive_timeout=KEEPALIVE,
        logger=HttpServerLog(),
        # The signature covers the bytes as they were sent, and a small body must not become a large one.
        auto_decompress=False,
    )
    websocket = partial(
        WebSocket,
        node,
        wheel,
        # A3: the client pings after activity_timeout and waits for a pong; asking earlier would double that traffic.
        ping_after=settings.activity_timeout + PONG_TIMEOUT,
        backlog=settings.backlog_bytes,
    )
    await node.start()
    server = await loop.create_server(
        lambda: FrontDoor(wheel, websocket, http), settings.host, settings.port, backlog=BACKLOG
    )
    ticking = asyncio.create_task(_tick(wheel))
    _settle_memory()
    ready.set()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ready.clear()
        server.close()
        # Idle connections of back ends end at once; `shutdown` alone would wait for each of them.
        http.pre_shutdown()
        await node.stop()
        await http.shutdown(CLOSE_TIMEOUT)
        await _drain(wheel)
        ticking.cancel()


async def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM. Raises OSError when the address cannot be listened on."""
    _raise_file_limit()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as port:
        log.info("relay_listening", url=f"http://{settings.host}:{port}", apps=len(settings.apps))
        await stop.wait()
        log.info("relay_stopping")


def _make_request(loop: asyncio.AbstractEventLoop, *parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


async def _tick(wheel: Wheel) -> None:
    """Look at due deadlines once a second."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1.0)
        try:
            wheel.tick(loop.time())
        except Exception:
            log.exception("deadline_failed")


async def _drain(wheel: Wheel) -> None:
    """Give clients the time to take their last messages."""
    deadline = asyncio.get_running_loop().time() + CLOSE_TIMEOUT
    while len(wheel) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - once, at the very end
        await asyncio.sleep(0.05)


def _settle_memory() -> None:
    """Take what the imports made out of the garbage collector's sight, and let it run less often.

    Connections live long and hold no cycles while they do: collecting them over and over costs time at each burst
    (docs/performance.md, "connections").
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _raise_file_limit() -> None:
    """A connection is an open file: take as many as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
