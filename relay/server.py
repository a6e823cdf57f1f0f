"""The composition root: settings → apps, bus, node, routes, one listening socket; ordered start and stop.

The only place where the parts of the relay meet.
"""

import asyncio
import gc
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import NamedTuple

import structlog
from aiohttp import web

from pushdesk.addresses import hostname_of, is_loopback, parse_networks
from pushdesk.files import raise_file_limit
from pushdesk.http_server import HttpServer, Patience
from relay.api.routes import MAX_BODY, Api
from relay.apps import App, Apps
from relay.cluster.cluster import Cluster
from relay.cluster.local import LocalCluster
from relay.cluster.receiver import Witness
from relay.cluster.redis.cluster import over_redis
from relay.config import ConfigError, Settings, load
from relay.console.pages import Address, Console
from relay.net.liveness import Wheel
from relay.net.tls import Certificate, listen
from relay.node.node import Node
from relay.protocol.limits import PONG_TIMEOUT
from relay.transports.doors import Doors, MakeWebSocket
from relay.transports.front import FrontDoor
from relay.transports.websocket import CLOSE_TIMEOUT, ForwardedWebSocket, WebSocket
from relay.transports.xhr import Fallback, is_fallback
from relay.watch.happenings import Observers
from relay.watch.prometheus import CONTENT_TYPE, Metrics
from relay.webhooks.delivery import HttpWebhooks
from relay.wire.http import Answer

log = structlog.get_logger()

# Connections that the kernel accepts while the loop is busy.
BACKLOG = 4_096

# Connections to the metrics at once, and how long their requests may take to end at a stop, in seconds.
METRICS_CONNECTIONS = 20
METRICS_GOODBYE = 1.0


class CannotListen(OSError):
    """An address cannot be listened on; `part` begins the names of its settings: "", "metrics_" or "console_"."""

    def __init__(self, cause: OSError, part: str, host: str, port: int) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause))
        self.part = part
        self.host = host
        self.port = port


class Listening(NamedTuple):
    """The socket for everybody, and the metrics and the console on ports of their own, where they are switched on."""

    server: asyncio.Server
    metrics: HttpServer | None
    console: Console | None


class Running(NamedTuple):
    """A relay that listens: the port, and the parts whose apps may be replaced."""

    port: int
    node: Node
    webhooks: HttpWebhooks

    def reload(self, apps: Sequence[App]) -> None:
        """Serve `apps` from now on. Raises ValueError when two share an id or a key."""
        self.node.reload(Apps(apps))
        self.webhooks.reload(apps)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A relay that serves while the context lasts. Raises CannotListen; ConnectionError without the Redis of its settings."""
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop.time())
    observers = Observers()
    webhooks = HttpWebhooks(settings.apps, loop.time, observers=observers)
    cluster = _cluster(settings, webhooks)
    node = Node(
        Apps(settings.apps),
        cluster,
        settings.activity_timeout,
        loop.time,
        loop.call_soon,
        observers,
    )
    metrics = Metrics(node.all_stats, node.gauges, webhooks.stats)
    certificate = Certificate(settings.tls_certificate, settings.tls_key) if settings.tls_certificate else None
    ready = asyncio.Event()
    api = Api(
        node, lambda: ready.is_set() and cluster.why_not_ready() is None, metrics.requests.add, settings.path_prefix
    )
    fallback = Fallback(node, wheel, settings.backlog_bytes)
    doors = _doors(node, wheel, api, fallback, settings)
    await webhooks.start()
    try:
        await node.start()
    except OSError:
        await webhooks.stop()
        raise
    try:
        server, exposed, console = await _listen(doors, certificate, metrics, node, api, settings)
    except OSError:
        await node.stop()
        await webhooks.stop()
        raise
    ticks: list[Callable[[float], None]] = [wheel.tick, node.tick, webhooks.tick]
    ticks += [part.tick for part in (certificate, console) if part is not None]
    ticking = asyncio.create_task(_tick(metrics, ticks))
    _settle_memory()
    ready.set()
    try:
        yield Running(server.sockets[0].getsockname()[1], node, webhooks)
    finally:
        ready.clear()
        server.close()
        doors.close()
        await node.stop(settings.stop_spread)
        await webhooks.stop()
        await doors.finish(CLOSE_TIMEOUT)
        fallback.close()
        await _drain(wheel)
        # Last: its viewers see how the others end.
        if console is not None:
            await console.stop()
        if exposed is not None:
            await exposed.stop()
        ticking.cancel()
        await asyncio.wait([ticking])


async def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP reads the apps anew. Raises CannotListen."""
    raise_file_limit()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as relay:
        loop.add_signal_handler(signal.SIGHUP, _reload, relay)
        scheme = "https" if settings.tls_certificate else "http"
        log.info("relay_listening", url=f"{scheme}://{settings.host}:{relay.port}", apps=len(settings.apps))
        if settings.console_port:
            host = settings.console_host
            console_scheme = "http" if is_loopback(host) else scheme
            log.info("console_listening", url=f"{console_scheme}://{host}:{settings.console_port}/")
        await stop.wait()
        log.info("relay_stopping")


def _reload(relay: Running) -> None:
    """Take the apps of the settings as they are now; wrong settings change nothing."""
    try:
        settings = load()
    except ConfigError as error:
        log.error("reload_refused", problems=error.problems)  # noqa: TRY400 - the problems say it all
        return
    relay.reload(settings.apps)
    log.info("apps_reloaded", apps=len(settings.apps))


def _cluster(settings: Settings, witness: Witness) -> Cluster:
    """The nodes that this one is of: itself alone, or those over the same Redis."""
    loop = asyncio.get_running_loop()
    if not settings.redis_url:
        return LocalCluster(witness, loop.time, loop.call_later)
    url, prefix = settings.redis_url, settings.redis_prefix
    return over_redis(url, prefix, settings.redis_partitions, settings.redis_log, loop.time)


def _doors(node: Node, wheel: Wheel, api: Api, fallback: Fallback, settings: Settings) -> Doors:
    """Where the requests go that come in."""
    return Doors(
        wheel,
        _websockets(node, wheel, settings),
        api.answer,
        partial(_refuse_body, api, fallback),
        fallback.handle,
        is_fallback,
        prefix=settings.path_prefix,
        max_body=MAX_BODY,
        trusted=parse_networks(settings.trusted_proxies),
    )


def _websockets(node: Node, wheel: Wheel, settings: Settings) -> MakeWebSocket:
    """What the front door makes of a connection that is upgraded."""
    # A3: the client pings after activity_timeout and waits for a pong; asking earlier would double that traffic.
    ping_after, backlog = settings.activity_timeout + PONG_TIMEOUT, settings.backlog_bytes

    def make(transport: asyncio.Transport, address: str | None) -> WebSocket:
        if address is None:
            return WebSocket(node, wheel, transport, ping_after=ping_after, backlog=backlog)
        return ForwardedWebSocket(node, wheel, transport, address, ping_after=ping_after, backlog=backlog)

    return make


def _refuse_body(
    api: Api, fallback: Fallback, method: str, target: str, status: int, reason: str, address: Callable[[], str]
) -> Answer:
    """The answer to a client without WebSocket, or to a back end."""
    refuse = fallback.refuse if is_fallback(target) else api.refuse_body
    return refuse(method, target, status, reason, address())


async def _listen(
    doors: Doors, certificate: Certificate | None, metrics: Metrics, node: Node, api: Api, settings: Settings
) -> Listening:
    """Open all ports, or none. Raises CannotListen."""
    context = None if certificate is None else certificate.context
    with _naming("", settings.host, settings.port):
        server = await listen(partial(FrontDoor, doors), settings.host, settings.port, context, backlog=BACKLOG)
    exposed = None
    try:
        exposed = await _expose(metrics, settings)
        port = server.sockets[0].getsockname()[1]
        return Listening(server, exposed, await _open_console(node, api, port, context, settings))
    except OSError:
        server.close()
        if exposed is not None:
            await exposed.stop()
        raise


async def _expose(metrics: Metrics, settings: Settings) -> HttpServer | None:
    """Serve the metrics on their own port, if they have one. Raises CannotListen."""
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        return None

    async def answer(request: web.BaseRequest) -> web.Response:
        return _metrics_answer(metrics, request, is_local=is_loopback(host))

    server = HttpServer(answer, Patience(METRICS_CONNECTIONS), goodbye=METRICS_GOODBYE)
    with _naming("metrics_", host, port):
        await server.start(host, port)
    return server


def _metrics_answer(metrics: Metrics, request: web.BaseRequest, *, is_local: bool) -> web.Response:
    """The metrics; where they are for this machine alone, not to a page whose site's name was pointed here."""
    host = request.headers.get("Host", "")
    if is_local and not is_loopback(hostname_of(host)):
        text = f"This request is for {host[:100]!r}; the metrics of this port are for localhost or 127.0.0.1"
        return web.Response(status=403, text=text)
    if request.raw_path != "/metrics":
        return web.Response(status=404, text="The metrics are at /metrics")
    return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})


async def _open_console(
    node: Node, api: Api, relay_port: int, context: ssl.SSLContext | None, settings: Settings
) -> Console | None:
    """Serve the console on its own port, if it has one; by TLS where others can listen in. Raises CannotListen."""
    host, port = settings.console_host, settings.console_port
    if not port:
        return None
    address = Address(settings.host, relay_port, settings.path_prefix, context is not None)
    trusted = parse_networks(settings.trusted_proxies)
    now = asyncio.get_running_loop().time
    console = Console(node, address, settings.console_password, trusted, now, api.publish)
    with _naming("console_", host, port):
        await console.start(host, port, None if is_loopback(host) else context)
    return console


@contextmanager
def _naming(part: str, host: str, port: int) -> Iterator[None]:
    """Say of an OSError which settings it is about."""
    try:
        yield
    except OSError as error:
        raise CannotListen(error, part, host, port) from error


async def _tick(metrics: Metrics, parts: Sequence[Callable[[float], None]]) -> None:
    """Do what is due, once a second."""
    loop = asyncio.get_running_loop()
    while True:
        expected = loop.time() + 1.0
        await asyncio.sleep(1.0)
        metrics.loop_lag = max(0.0, loop.time() - expected)
        for tick in parts:
            try:
                tick(loop.time())
            except Exception:
                log.exception("tick_failed")


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
