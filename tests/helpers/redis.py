"""Real Redis servers for tests: one alone, a Cluster of three primaries, a primary with its replica and three Sentinels.

Each lives in a folder of its own and listens on a Unix socket and on a free port. Everything here blocks. What is started
once for many tests is emptied before each: the fixture `redis`, not `redis_server`, is the one to ask for.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import redis as redis_py

from tests.helpers.parts import REDIS, require
from tests.helpers.processes import HOST, free_port
from tests.helpers.tls import make_certificate

# Seconds. Long, since they only pass when something is wrong.
START_TIMEOUT: Final = 20.0
_POLL: Final = 0.01

_QUIET: Final = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--enable-debug-command", "yes")


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after START_TIMEOUT."""
    deadline = time.monotonic() + START_TIMEOUT
    while not is_so():
        assert time.monotonic() < deadline, f"not within {START_TIMEOUT:g} s: {what}"
        time.sleep(_POLL)


class RedisServer:
    """redis-server in `folder`; `options` as on its command line. May be started again after its end, on the same port."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self.path = folder / "redis.sock"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis_py.Redis(unix_socket_path=str(self.path), socket_timeout=START_TIMEOUT)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    @property
    def unix_url(self) -> str:
        return f"unix://{self.path}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def ask(self, *arguments: Any) -> Any:
        """What it answers to a command, whatever the test does over its own connections."""
        client: Any = self.client
        return client.execute_command(*arguments)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command(), cwd=self.folder, stdout=self._log(), stderr=subprocess.STDOUT)
        until(self._answers, f"redis-server answers\n{self.log()}")

    def stop(self) -> None:
        """End it in whatever state it is. May be called twice."""
        if self._process is not None:
            self.resume()
            self._end(signal.SIGTERM)
        self.client.close()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it anew, empty, in the same place."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Make it hang until `resume`: its sockets take connections, nobody answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def _command(self) -> Sequence[str]:
        places = ("--bind", HOST, "--port", str(self.port), "--unixsocket", str(self.path), "--dir", str(self.folder))
        return ("redis-server", *places, *_QUIET, *self._options)

    def _log(self) -> int:
        return os.open(self.folder / "log", os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC)

    def _answers(self) -> bool:
        assert self._running().poll() is None, self.log()
        try:
            return bool(self.client.ping())
        except redis_py.RedisError:
            return False

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "this Redis is not running"
        return self._process

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._running(), None
        process.send_signal(number)
        process.wait()
        self.client.connection_pool.disconnect()


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A Redis with these options, stopped at the end whatever the test has done to it."""
    require(REDIS)
    server = RedisServer(folder, *options)
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        yield server


@contextmanager
def running_tls_redis(folder: Path) -> Iterator[tuple[RedisServer, int, Path]]:
    """A Redis that speaks TLS as well; its port for that, and the certificate of who signed its certificate: itself."""
    certificate, key, port = folder / "certificate.pem", folder / "key.pem", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    make_certificate(certificate, key)
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate))
    with running_redis(folder, "--tls-port", str(port), "--tls-auth-clients", "no", *files) as server:
        yield server, port, certificate


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of all tests of a run. Ask for `redis`."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    """An empty Redis, not to be killed: others use it afterwards."""
    redis_server.client.flushall()
    return redis_server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone, which it may pause, kill and start again."""
    with running_redis(tmp_path / "redis") as server:
        yield server
