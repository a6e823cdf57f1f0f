"""Several workers on one machine (decision 0024): processes that each serve a listening socket of their own.

The supervisor opens the sockets and keeps them open, has a redis-server run between the workers, starts them, replaces what
dies, hands signals on, and adds up metrics. Must not know what a worker serves, and serves no client itself.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import structlog

from pushdesk.files import raise_file_limit
from pushdesk.restarts import Restarts
from relay.cluster.redis.private import private_redis
from relay.config import Settings
from relay.ports import BACKLOG, expose, naming
from relay.watch.prometheus import render
from relay.watch.sums import Ended, Family, Sample, add_up
from relay.worker import Ask, Line, Place, Ready, Stop, Told, open_line

log = structlog.get_logger()

# How long a process may take until it serves; how long, beside the spread, until it has ended. Seconds.
START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 60.0

# How often workers are asked for their metrics, so that little is lost of one that dies; how long one may take to answer.
ASK_INTERVAL: Final = 5.0
ASK_TIMEOUT: Final = 2.0

# A worker that is replaced sends its clients to the others, over at least so many seconds.
REPLACE_SPREAD: Final = 1.0


class CannotStart(Exception):
    """A worker ended before it served; it has said why itself."""


class Sockets:
    """The listening sockets: for each worker one on each address, and those of the console, which all share."""

    def __init__(self, listen: Sequence[Sequence[socket.socket]], console: Sequence[socket.socket]) -> None:
        self.listen = listen
        self.console = console

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return int(self.listen[0][0].getsockname()[1])

    def close(self) -> None:
        """Accept nothing more."""
        for one in (*(one for ours in self.listen for one in ours), *self.console):
            one.close()


def open_sockets(host: str, port: int, count: int, backlog: int) -> list[list[socket.socket]]:
    """For each of `count` workers a socket on each address of `host`: the system shares new connections out among them.

    They listen, so what comes before its worker is there waits. Raises OSError, also when another program has the port.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[list[socket.socket]] = [[] for _ in range(count)]
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            place = (address[0], port, *address[2:])
            _ensure_free(family, place)
            for ours in sockets:
                ours.append(_bound(family, place, is_shared=True))
                port = ours[-1].getsockname()[1]
                place = (address[0], port, *address[2:])
        for one in (one for ours in sockets for one in ours):
            one.listen(backlog)
    except OSError:
        Sockets(sockets, ()).close()
        raise
    return sockets


def _ensure_free(family: socket.AddressFamily, address: tuple[object, ...]) -> None:
    """Raises OSError when somebody has the address: a shared one would get a part of our clients without a word."""
    _bound(family, address, is_shared=False).close()


def _bound(family: socket.AddressFamily, address: tuple[object, ...], *, is_shared: bool) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


class Worker:
    """One process. Made by `start`."""

    def __init__(self, number: int, process: Process, line: Line) -> None:
        self.number = number
        self.process = process
        self.born = time.monotonic()
        self.told: tuple[Family, ...] = ()
        self._line = line
        self._has_told = asyncio.Event()
        self._is_ready = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, place: Place, environ: Mapping[str, str]) -> "Worker":
        """Start a process; `place.control` is not known yet. Raises CannotStart when the system lets none be started now."""
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise _no_process(place, error) from error
        with theirs:
            try:
                process = await _process(msgspec.structs.replace(place, control=theirs.fileno()), environ)
            except OSError as error:
                ours.close()
                raise _no_process(place, error) from error
        return cls(place.number, process, await open_line(ours))

    async def ready(self) -> None:
        """Return when it serves. Raises CannotStart."""
        waiting = asyncio.create_task(self._is_ready.wait())
        ending = asyncio.create_task(self.process.wait())
        try:
            await asyncio.wait({waiting, ending}, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            ending.cancel()
            if not self._is_ready.is_set():
                self.signal(signal.SIGKILL)
        if not self._is_ready.is_set():
            await self.ended()
            raise CannotStart(f"worker {self.number} does not serve")

    async def ended(self) -> int:
        """Return when it is over and all that it told was heard: its exit code."""
        code = await self.process.wait()
        await self._listening
        await self._line.close()
        return code

    async def tell(self) -> tuple[Family, ...]:
        """Its metrics; what it told before, when it does not answer in time."""
        if self._listening.done():
            return self.told
        self._has_told.clear()
        self._line.send(Ask())
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_TIMEOUT):
                await self._has_told.wait()
        return self.told

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.process.returncode is None:
            self.process.send_signal(number)

    def stop(self, spread: float) -> None:
        """Ask it to stop."""
        self._line.send(Stop(spread))

    async def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)
        await self.process.wait()

    async def _listen(self) -> None:
        async for message in self._line.messages():
            match message:
                case Ready():
                    self._is_ready.set()
                case Told():
                    self.told = message.families
                    self._has_told.set()


async def _process(place: Place, environ: Mapping[str, str]) -> Process:
    """The process of a worker. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relay", "worker", msgspec.json.encode(place).decode()),
        env=environ,
        stdin=DEVNULL,
        pass_fds=place.sockets,
        # A Ctrl-C is for the supervisor, which has its own order of things.
        start_new_session=True,
    )


def _no_process(place: Place, error: OSError) -> CannotStart:
    return CannotStart(f"worker {place.number} cannot be started: {error.strerror}")


class Supervisor:
    """`sockets` are those of the workers, one set for each; `folder` is for their Unix sockets, `environ` what they are
    given. `stop_spread`: as in the settings."""

    def __init__(self, sockets: Sockets, folder: Path, environ: Mapping[str, str], stop_spread: float) -> None:
        self._sockets = sockets
        self._folder = folder
        self._environ = environ
        self._stop_spread = stop_spread
        self._workers: dict[int, Worker] = {}
        self._retiring: set[Worker] = set()
        self._ended = Ended()
        self._restarts: defaultdict[int, Restarts] = defaultdict(Restarts)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._reloads = 0
        self._replacing = asyncio.Lock()

    @property
    def pids(self) -> list[int]:
        """The processes of the workers, by their numbers."""
        return [self._workers[number].process.pid for number in sorted(self._workers)]

    async def start(self) -> None:
        """Start all workers. Raises CannotStart; those that serve are to be stopped then."""
        starting = [self._start(number) for number in range(len(self._sockets.listen))]
        async with self._replacing:
            started = await asyncio.gather(*starting, return_exceptions=True)
        failed = next((one for one in started if isinstance(one, BaseException)), None)
        if failed is not None:
            raise failed
        self._go_on(self._keep_asking())

    async def stop(self) -> None:
        """Let all workers end in order."""
        self._is_stopping = True
        for worker in self._workers.values():
            worker.stop(self._stop_spread)
        ending = [asyncio.create_task(worker.process.wait()) for worker in self._all]
        if ending:
            await asyncio.wait(ending, timeout=self._stop_spread + STOP_TIMEOUT)
        for worker in self._all:
            await worker.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reload(self) -> None:
        """Have all workers read their apps anew."""
        self._reloads += 1
        for worker in self._workers.values():
            worker.signal(signal.SIGHUP)

    def replace(self) -> None:
        """Replace all workers, one by one."""
        if not self._is_stopping:
            self._go_on(self._replace_all())

    async def metrics(self) -> list[Family]:
        """The metrics of all workers, and of those that have ended."""
        await asyncio.gather(*(worker.tell() for worker in self._all))
        alive = Sample("relay_workers", (), len(self._workers))
        count = Family("relay_workers", "Processes that serve", "gauge", (alive,))
        return add_up([*(worker.told for worker in self._all), self._ended.families, [count]])

    async def text(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return render(await self.metrics())

    @property
    def _all(self) -> list[Worker]:
        """Those that serve, and those that have been replaced and still end."""
        return [*self._workers.values(), *self._retiring]

    async def _start(self, number: int) -> None:
        """Start a worker, and take it into service when it serves. Raises CannotStart."""
        ours = tuple(one.fileno() for one in self._sockets.listen[number])
        console = tuple(one.fileno() for one in self._sockets.console) if number == 0 else ()
        place = Place(number, len(self._sockets.listen), 0, ours, console, str(self._folder))
        reloads = self._reloads
        worker = await Worker.start(place, self._environ)
        await worker.ready()
        if self._reloads != reloads:  # it may have read them before
            worker.signal(signal.SIGHUP)
        if self._is_stopping:
            await worker.kill()
            return
        before = self._workers.get(number)
        self._workers[number] = worker
        self._go_on(self._watch(worker))
        if before is not None:
            self._retiring.add(before)
            self._go_on(self._retire(before))

    async def _retire(self, worker: Worker) -> None:
        """Let a worker that was replaced end in order; by force when it does not, or no other would be replaced any more."""
        spread = max(self._stop_spread, REPLACE_SPREAD)
        worker.stop(spread)
        try:
            async with asyncio.timeout(spread + STOP_TIMEOUT):
                await worker.process.wait()
        except TimeoutError:
            log.error("worker_hangs", worker=worker.number, seconds=spread + STOP_TIMEOUT)  # noqa: TRY400 - says it all
            await worker.kill()

    async def _watch(self, worker: Worker) -> None:
        """See to what follows when a worker has ended."""
        code = await worker.ended()
        self._ended.add(worker.told)
        self._retiring.discard(worker)
        if self._workers.get(worker.number) is not worker:
            return
        del self._workers[worker.number]
        if self._is_stopping:
            return
        log.error("worker_ended", worker=worker.number, code=code)
        restarts = self._restarts[worker.number]
        restarts.started(worker.born)
        while not self._is_stopping:
            await asyncio.sleep(restarts.pause(time.monotonic()))
            restarts.started(time.monotonic())
            try:
                await self._start(worker.number)
            except CannotStart as error:
                log.error("worker_not_started", worker=worker.number, reason=str(error))  # noqa: TRY400 - as below
            else:
                return

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(ASK_INTERVAL)
            for worker in self._all:
                await worker.tell()

    async def _replace_all(self) -> None:
        async with self._replacing:
            for number in sorted(self._workers):
                before = self._workers.get(number)
                try:
                    await self._start(number)
                except CannotStart as error:
                    log.error("replacement_failed", worker=number, reason=str(error))  # noqa: TRY400 - it has said why
                    return
                if before is not None:
                    await before.process.wait()
            log.info("workers_replaced", workers=len(self._workers))

    def _go_on(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def count_of(workers: int) -> int:
    """How many workers the setting asks for: 0 is one for each core that this process may use."""
    return workers or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


async def supervise(settings: Settings, environ: Mapping[str, str]) -> None:
    """Run several workers until SIGINT or SIGTERM; SIGHUP has them read their apps anew, SIGUSR2 replaces them one by one.
    Raises CannotListen, PrivateRedisFailed or CannotStart."""
    raise_file_limit()
    count = count_of(settings.workers)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as parts:
        folder = Path(parts.enter_context(TemporaryDirectory(prefix="pushdesk-", ignore_cleanup_errors=True)))
        sockets = parts.enter_context(closing(_open(settings, count)))
        environ = {**environ, "RELAY_WORKERS": "1"}
        if not settings.redis_url:
            environ["RELAY_REDIS_URL"] = (await parts.enter_async_context(private_redis(folder))).url
        supervisor = Supervisor(sockets, folder, environ, settings.stop_spread)
        exposed = await expose(supervisor.text, settings.metrics_host, settings.metrics_port)
        if exposed is not None:
            parts.push_async_callback(exposed.stop)
        parts.push_async_callback(supervisor.stop)
        # Before the first worker: from then on clients are answered, and a signal without a handler ends this process.
        loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
        loop.add_signal_handler(signal.SIGUSR2, supervisor.replace)
        await supervisor.start()
        scheme = "https" if settings.tls_certificate else "http"
        url = f"{scheme}://{settings.host}:{sockets.port}"
        log.info("relay_listening", url=url, apps=len(settings.apps), workers=count)
        await stop.wait()
        log.info("relay_stopping")


def _open(settings: Settings, count: int) -> Sockets:
    """All sockets that the workers inherit. Raises CannotListen."""
    with naming("", settings.host, settings.port):
        listen = open_sockets(settings.host, settings.port, count, BACKLOG)
    if not settings.console_port:
        return Sockets(listen, ())
    try:
        with naming("console_", settings.console_host, settings.console_port):
            (console,) = open_sockets(settings.console_host, settings.console_port, 1, BACKLOG)
    except OSError:
        Sockets(listen, ()).close()
        raise
    return Sockets(listen, console)
