"""A Redis of one relay's own, for its workers: started on a Unix socket, and gone when the relay is, however it ends.

Must not know workers or what they keep in it. It keeps nothing on disk.
"""

import asyncio
import fcntl
import os
import shutil
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from pushdesk.restarts import Restarts
from relay.cluster.redis.link import Access, Endpoint, Link, LinkFailed

log = structlog.get_logger()

# Either will do; the first that is found is taken. The packages are called as the programs.
PROGRAMS: Final = ("redis-server", "valkey-server")

# Seconds until it has to answer, and until it has to be gone after it was asked to end.
START_TIMEOUT: Final = 10.0
STOP_TIMEOUT: Final = 5.0
_POLL: Final = 0.02

# Bytes of the path of a Unix socket: what Linux takes, less the 0 at its end.
MAX_PATH: Final = 107

_SOCKET: Final = "redis.sock"
_LOCK: Final = "redis.lock"
_LOG: Final = "redis.log"

# `noeviction`: what nodes have agreed on is never thrown away to make room.
_OPTIONS: Final = (
    *("--port", "0", "--unixsocketperm", "700", "--loglevel", "warning"),
    *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
)

# Asks the kernel to kill this process when its parent ends (PR_SET_PDEATHSIG, 1; SIGKILL, 9), which holds for the program
# that it is then replaced by: the parent can be killed in a way that leaves it no time to end anything. It may even have
# ended before this asked.
_LAUNCHER: Final = """
import ctypes, os, sys
if sys.platform == "linux" and ctypes.CDLL(None).prctl(1, 9):
    raise SystemExit("PR_SET_PDEATHSIG was refused")
if os.getppid() != int(sys.argv[1]):
    raise SystemExit("the relay has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""


class PrivateRedisFailed(Exception):
    """There is no private Redis; the text says in one line why, and what to do."""


class PrivateRedis:
    """A running server. When it ends by itself it is started again, empty, in the same place; `sleep` is what passes the time
    until then."""

    def __init__(self, folder: Path, program: str, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._folder = folder
        self._path = folder / _SOCKET
        self._program = program
        self._process: Process
        self._sleep = sleep
        self._restarts = Restarts()

    @property
    def url(self) -> str:
        """Where it is: for RELAY_REDIS_URL of the workers."""
        return f"unix://{quote(str(self._path))}"

    @property
    def pid(self) -> int:
        """The number of its process; another one after it was started again."""
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it answers. Raises PrivateRedisFailed."""
        self._restarts.started(time.monotonic())
        places = ("--unixsocket", str(self._path), "--dir", str(self._folder))
        launcher = (sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()))
        with (self._folder / _LOG).open("wb") as output:
            # A session of its own: Ctrl-C is for the relay, which still needs it while it stops.
            self._process = await asyncio.create_subprocess_exec(
                *launcher,
                self._program,
                *_OPTIONS,
                *places,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._until_it_answers()
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise PrivateRedisFailed(f"{self._program} did not answer within {START_TIMEOUT:g} s") from None
            raise

    async def _until_it_answers(self) -> None:
        while self._process.returncode is None:
            link = Link(Endpoint(path=str(self._path)), Access())
            try:
                await link.connect()
            except LinkFailed:
                await asyncio.sleep(_POLL)
            else:
                await link.ask("PING")
                link.abort("it answers")
                return
        said = (self._folder / _LOG).read_text("utf-8", "replace").strip().rpartition("\n")[2]
        raise PrivateRedisFailed(f"{self._program} ended with {self._process.returncode}: {said}")

    async def stop(self) -> None:
        """End it, in STOP_TIMEOUT by force."""
        if self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def keep(self) -> None:
        """Start it again whenever it ends, until this is cancelled."""
        while True:
            code = await self._process.wait()
            log.error("private_redis_ended", code=code, folder=str(self._folder))
            while not await self._start_again():
                pass

    async def _start_again(self) -> bool:
        await self._sleep(self._restarts.pause(time.monotonic()))
        try:
            await self.start()
        except (PrivateRedisFailed, OSError) as failed:  # no process, no space
            log.error("private_redis_failed", reason=str(failed))  # noqa: TRY400 - one line says it
            return False
        return True


@asynccontextmanager
async def private_redis(folder: Path) -> AsyncIterator[PrivateRedis]:
    """A Redis with its socket and its log in `folder`, which is made, and is for nobody but this user (0700).

    To be used in the main thread: Linux ends it with the thread that started it. Raises PrivateRedisFailed.
    """
    program = _program()
    folder = _prepared(folder)
    with _locked(folder):
        redis = PrivateRedis(folder, program)
        await redis.start()
        keeper = asyncio.create_task(redis.keep())
        try:
            yield redis
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await redis.stop()


def _program() -> str:
    for program in PROGRAMS:
        path = shutil.which(program)
        if path is not None:
            return path
    raise PrivateRedisFailed(f"there is no {' or '.join(PROGRAMS)}: install the package {' or '.join(PROGRAMS)}")


def _prepared(folder: Path) -> Path:
    folder = folder.absolute()
    size = len(os.fsencode(folder / _SOCKET))
    if size > MAX_PATH:
        raise PrivateRedisFailed(f"the path of a socket in {folder} has {size} bytes, {MAX_PATH} at most are possible")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise PrivateRedisFailed(f"{folder} cannot be used: {error.strerror}") from error
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other relays out: a second Redis would take the place of the first one's socket."""
    with (folder / _LOCK).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PrivateRedisFailed(f"another relay uses {folder}") from None
        yield
