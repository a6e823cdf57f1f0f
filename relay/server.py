"""The composition root: settings → apps, bus, node, routes, one listening socket; ordered start and stop.

The only place where the parts of the relay meet.
"""

import asyncio
import gc
import shutil
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Self

import structlog

from pushdesk.addresses import is_loopback, parse_networks
from pushdesk.files import raise_file_limit
from pushdesk.http_server import HttpServer
from pushdesk.settings import ConfigError
from relay.api.routes import MAX_BODY, Api
from relay.apps import App, Apps
from relay.cluster.cluster import Cluster
from relay.cluster.local import LocalCluster
from relay.config import Settings, load
from relay.console.abroad import Abroad
from relay.console.pages import Address, Console
from relay.net.listener import Listener, listen
from relay.net.liveness import Wheel
from relay.net.tls import Certificate
from relay.node.node import Node
from relay.node.recall import Recall
from relay.ports import BACKLOG, expose, naming
from relay.protocol.limits import PONG_TIMEOUT
from relay.transports.doors import Doors, MakeWebSocket
from relay.transports.exchange import Exchange
from relay.transports.front import FrontDoor
from relay.transports.handover import Handover
from relay.transports.websocket import CLOSE_TIMEOUT, ForwardedWebSocket, WebSocket
from relay.transports.xhr import Fallback, is_fallback
from relay.watch.happenings import Observers
from relay.watch.prometheus import Metrics
from relay.watch.stats import ClusterStats
from relay.webhooks.delivery import HttpWebhooks
from relay.webhooks.streams import StreamWebhooks
from relay.wire.http import Response
from relay.worker import Ask, Line, Place, Ready, Stop, Told, open_line

log = structlog.get_logger()

# How long a stop that is spread waits for the requests of those who were accepted before it. Seconds.
LAST_REQUESTS: Final = 0.25

# What tells the back ends.
Telling = HttpWebhooks | StreamWebhooks


class Listening(NamedTuple):
    """The socket for everybody, and the metrics and the console on ports of their own, where they are switched on."""

    server: Listener
    metrics: HttpServer | None
    console: Console | None


class Inherited(NamedTuple):
    """What a worker has of its supervisor: its sockets, those of the console if it serves that, and its place."""

    listen: Sequence[socket.socket]
    console: Sequence[socket.socket]
    place: Place

    @classmethod
    def by_numbers(cls, place: Place) -> Self:
        """The sockets that the place names, which this process has inherited."""
        listen, console = ([socket.socket(fileno=one) for one in numbers] for numbers in (place.listen, place.console))
        return cls(listen, console, place)


class Running:
    """A relay that listens: the port, and the parts whose apps may be replaced. `spread` are the seconds over which a stop
    will close the connections."""

    def __init__(self, port: int, node: Node, webhooks: Telling, metrics: Metrics, spread: float) -> None:
        self.port = port
        self.node = node
        self.webhooks = webhooks
        self.metrics = metrics
        self.spread = spread

    def reload(self, apps: Sequence[App]) -> None:
        """Serve `apps` from now on. Raises ValueError when two share an id or a key."""
        self.node.reload(Apps(apps))
        self.webhooks.reload(apps)


@asynccontextmanager
async def running(settings: Settings, inherited: Inherited | None = None) -> AsyncIterator[Running]:
    """A relay that serves while the context lasts, on ports of its own or as one of several workers. Raises CannotListen;
    ConnectionError without the Redis of its settings."""
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop.time())
    observers = Observers()
    cluster, webhooks, standing = _cluster(settings, observers)
    node, abroad = _node(settings, cluster, observers)
    metrics = Metrics(node.all_stats, node.gauges, webhooks.stats)
    metrics.cluster = standing
    certificate = Certificate(settings.tls_certificate, settings.tls_key) if settings.tls_certificate else None
    ready = asyncio.Event()
    api = Api(
        node, lambda: ready.is_set() and cluster.why_not_ready() is None, metrics.requests.add, settings.path_prefix
    )
    fallback = Fallback(node, wheel, settings.backlog_bytes)
    handover = None if inherited is None else _handover(fallback, inherited.place)
    doors = _doors(node, wheel, api, fallback, fallback.handle if handover is None else handover.handle, settings)
    await webhooks.start()
    try:
        await node.start()
    except OSError:
        await webhooks.stop()
        raise
    try:
        server, exposed, console = await _listen(
            doors, certificate, metrics, node, abroad, api, settings, inherited, handover
        )
    except OSError:
        await node.stop()
        await webhooks.stop()
        raise
    ticking = [part.tick for part in (wheel, node, abroad, webhooks, certificate, console) if part is not None]
    ticker = asyncio.create_task(_tick(metrics, ticking))
    _settle_memory()
    ready.set()
    relay = Running(server.port, node, webhooks, metrics, settings.stop_spread)
    try:
        yield relay
    finally:
        ready.clear()
        await _close_doors(server, doors, relay.spread)
        await webhooks.hand_over()
        await node.stop(relay.spread)
        await webhooks.stop()
        await doors.finish(CLOSE_TIMEOUT)
        fallback.close()
        if handover is not None:
            handover.close()
        await _drain(wheel)
        # Last: the console's viewers see how the others end.
        for page in (console, exposed):
            if page is not None:
                await page.stop()
        ticker.cancel()
        await asyncio.wait([ticker])


async def _close_doors(server: Listener, doors: Doors, spread: float) -> None:
    """Accept nothing more. Where others go on, who was accepted a moment ago may still ask: else their request would be lost,
    and no client repeats one that it sent on a new connection."""
    server.close()
    if spread:
        await asyncio.sleep(LAST_REQUESTS)
    doors.close()


async def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP reads the apps anew. Raises CannotListen."""
    raise_file_limit()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as relay:
        _reload_when_told(relay)
        scheme = "https" if settings.tls_certificate else "http"
        log.info("relay_listening", url=f"{scheme}://{settings.host}:{relay.port}", apps=len(settings.apps))
        if settings.console_port:
            host = settings.console_host
            console_scheme = "http" if is_loopback(host) else scheme
            log.info("console_listening", url=f"{console_scheme}://{host}:{settings.console_port}/")
        await stop.wait()
        log.info("relay_stopping")


async def work(settings: Settings, place: Place) -> None:
    """Run as a worker at `place` until the supervisor says that it is enough, or is gone, or SIGINT or SIGTERM comes; SIGHUP
    reads the apps anew. Raises CannotListen."""
    raise_file_limit()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    line = await open_line(socket.socket(fileno=place.control))
    async with running(settings, Inherited.by_numbers(place)) as relay:
        _reload_when_told(relay)
        line.send(Ready())
        obeying = asyncio.create_task(_obey(line, relay, stop))
        await stop.wait()
        log.info("relay_stopping")
    if obeying.done():  # the supervisor was killed, and has left its folder behind
        shutil.rmtree(place.folder, ignore_errors=True)
    line.send(Told(tuple(relay.metrics.snapshot())))
    obeying.cancel()
    await line.close()


async def _obey(line: Line, relay: Running, stop: asyncio.Event) -> None:
    """Do what the supervisor says; stop when it is gone."""
    async for message in line.messages():
        match message:
            case Ask():
                line.send(Told(tuple(relay.metrics.snapshot())))
            case Stop():
                relay.spread = message.spread
                stop.set()
    stop.set()


def _reload_when_told(relay: Running) -> None:
    """Read the apps anew on SIGHUP, and when all nodes are told to."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, relay)
    relay.node.arrivals.on_reload = partial(_reload, relay)


def _reload(relay: Running) -> None:
    """Take the apps of the settings as they are now; wrong settings change nothing."""
    try:
        settings = load()
    except ConfigError as error:
        log.error("reload_refused", problems=error.problems)  # noqa: TRY400 - the problems say it all
        return
    relay.reload(settings.apps)
    log.info("apps_reloaded", apps=len(settings.apps))


def _node(settings: Settings, cluster: Cluster, observers: Observers) -> tuple[Node, Abroad]:
    """This process, as one of a cluster, and what its console and those of others see of each other."""
    loop = asyncio.get_running_loop()
    node = Node(
        Apps(settings.apps), cluster, settings.activity_timeout, loop.time, loop.call_soon, observers, loop.call_later
    )
    if settings.on_gap == "reconnect":
        node.arrivals.on_gap = Recall(loop.call_later).begin
    abroad = node.arrivals.viewers = Abroad(node, cluster.commands, loop.time, time.time)
    return node, abroad


def _cluster(settings: Settings, observers: Observers) -> tuple[Cluster, Telling, Callable[[], ClusterStats] | None]:
    """The nodes that this one is of, itself alone or those over the same Redis; what tells their back ends; and what says how
    this one stands with the others."""
    loop = asyncio.get_running_loop()
    if not settings.redis_url:
        webhooks = HttpWebhooks(settings.apps, loop.time, observers=observers)
        return LocalCluster(webhooks, loop.time, loop.call_later), webhooks, None
    # A relay that is alone does not need it, and has 1.5 MiB less (bench/, scenario "connections").
    from relay.cluster.redis.cluster import over_redis  # noqa: PLC0415 - as just said

    url, prefix = settings.redis_url, settings.redis_prefix
    cluster = over_redis(url, prefix, settings.redis_partitions, settings.redis_log, loop.time)
    return cluster, StreamWebhooks(cluster.hooks, settings.apps, observers=observers), cluster.state


def _handover(fallback: Fallback, place: Place) -> Handover:
    """The fallback of one of several workers."""
    return Handover(fallback, Path(place.folder), place.number, place.count)


def _doors(
    node: Node,
    wheel: Wheel,
    api: Api,
    fallback: Fallback,
    handle: Callable[[Exchange], Awaitable[None]],
    settings: Settings,
) -> Doors:
    """Where the requests go that come in; `handle` answers those of fallbacks."""
    return Doors(
        wheel,
        _websockets(node, wheel, settings),
        api.answer,
        partial(_refuse_body, api, fallback),
        handle,
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
) -> Response:
    """The answer to a client without WebSocket, or to a back end."""
    refuse = fallback.refuse if is_fallback(target) else api.refuse_body
    return refuse(method, target, status, reason, address())


async def _listen(
    doors: Doors,
    certificate: Certificate | None,
    metrics: Metrics,
    node: Node,
    abroad: Abroad,
    api: Api,
    settings: Settings,
    inherited: Inherited | None,
    handover: Handover | None,
) -> Listening:
    """Open all ports, or none; a worker's are open, and its supervisor has those of the metrics. Raises CannotListen."""
    if handover is not None:
        await handover.start(doors)
    context = None if certificate is None else certificate.context
    sockets = () if inherited is None else inherited.listen
    with naming("", settings.host, settings.port):
        server = await listen(
            partial(FrontDoor, doors),
            settings.host,
            settings.port,
            context,
            backlog=BACKLOG,
            rate=settings.accept_rate,
            sockets=sockets,
        )
    exposed = None
    try:
        if inherited is None:
            exposed = await expose(metrics.text, settings.metrics_host, settings.metrics_port)
        console = None
        if inherited is None or inherited.console:
            shared = () if inherited is None else inherited.console
            console = await _open_console(node, abroad, api, server.port, context, settings, shared)
        return Listening(server, exposed, console)
    except OSError:
        server.close()
        if exposed is not None:
            await exposed.stop()
        raise


async def _open_console(
    node: Node,
    abroad: Abroad,
    api: Api,
    relay_port: int,
    context: ssl.SSLContext | None,
    settings: Settings,
    sockets: Sequence[socket.socket],
) -> Console | None:
    """Serve the console on its own port, if it has one; by TLS where others can listen in. Raises CannotListen."""
    host, port = settings.console_host, settings.console_port
    if not port:
        return None
    address = Address(settings.host, relay_port, settings.path_prefix, context is not None)
    trusted = parse_networks(settings.trusted_proxies)
    now = asyncio.get_running_loop().time
    console = Console(node, abroad, address, settings.console_password.reveal(), trusted, now, api.publish)
    with naming("console_", host, port):
        await console.start(host, port, None if is_loopback(host) else context, sockets)
    return console


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
