"""Starts servers pinned to cores, waits until they answer, and stops them: only processes that were started here.

A side of a comparison is one process, several nodes over a Redis of their own, or one server of several workers.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from msgspec import Struct, field
from msgspec.structs import replace

from bench import uplink
from bench.target import Target

SERVER_CPU: Final = 0
GENERATOR_CPU: Final = 1

# How long a server may take to start and to stop, in seconds.
_START: Final = 60.0
_STOP: Final = 10.0

# Requests that a server answers before it is measured: a process is behind a port before it can serve. Of workers each must
# have been asked, and the system shares connections among them at random.
_REQUESTS: Final = 1
_REQUESTS_A_WORKER: Final = 8

# What is quoted of a server that did not start, in bytes.
_EXCERPT: Final = 1_000

_HOST: Final = "127.0.0.1"
_PORTS: Final = range(20_000, 30_000)
_HERE: Final = Path(__file__).parent
ROOT: Final = _HERE.parent

# Our relay's settings, and how many processes a side may have: all of them are on this machine.
CONFIG: Final = _HERE / "relay.toml"
MOST_NODES: Final = 8

_REDIS: Final = ("redis-server", "--port", "{port}", "--bind", _HOST, "--save", "", "--appendonly", "no")


class Server(Struct, frozen=True):
    """How a server is started: "{port}" and "{redis}" in `command` and in the environment's values stand for ports."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    app_id: str = "1"
    key: str = "app-key"
    secret: str = "app-secret"
    redis_environ: Mapping[str, str] = field(default_factory=dict)
    """What tells it to use a Redis."""


class Side(Struct, frozen=True):
    """What is measured as one server: `nodes` processes of it, which share a Redis where `has_redis`."""

    server: Server
    nodes: int = 1
    has_redis: bool = False
    workers: int = 1

    @property
    def name(self) -> str:
        """What it is called in the report."""
        many = f" ×{self.nodes}" if self.nodes > 1 else f", {self.workers} workers" if self.workers > 1 else ""
        return f"{self.server.name}{many}{' + Redis' if self.has_redis else ''}"

    @property
    def is_one_process(self) -> bool:
        """Whether nothing but the server itself runs."""
        return self.nodes == self.workers == 1 and not self.has_redis

    def alone(self) -> "Side":
        """The same server as one process."""
        return Side(self.server)


def ours(config: Path = CONFIG, nodes: int = 1, workers: int = 1, *, has_redis: bool = False) -> Side:
    """The relay of this repository; the limits of its app are raised, its checks are on."""
    server = Server(
        "relay",
        [sys.executable, "-m", "relay", "serve"],
        {"RELAY_CONFIG": str(config), "RELAY_PORT": "{port}", "PYTHONPATH": str(ROOT)},
        redis_environ={"RELAY_REDIS_URL": f"redis://{_HOST}:{{redis}}"},
    )
    return Side(server, nodes, has_redis, workers)


def peer(script: Path, app_id: str = "1", nodes: int = 1, *, has_redis: bool = False) -> Side:
    """A server that `script PORT` starts; its app has the key and the secret of bench/relay.toml.

    Over Redis it finds REDIS_HOST and REDIS_PORT in its environment, and the same by the names that soketi has for them.
    """
    redis = {"ADAPTER_DRIVER": "redis", "DB_REDIS_HOST": _HOST, "DB_REDIS_PORT": "{redis}"}
    server = Server(
        script.parent.name or "peer",
        [str(script.resolve()), "{port}"],
        app_id=app_id,
        redis_environ={
            "REDIS_HOST": _HOST,
            "REDIS_PORT": "{redis}",
            **{f"SOKETI_{name}": value for name, value in redis.items()},
        },
    )
    return Side(server, nodes, has_redis)


@contextmanager
def running(side: Side, *, is_pinned: bool = True, has_uplink: bool = False) -> Iterator[Target]:
    """The side while the context lasts, on free ports; the last node reaches Redis by an uplink where `has_uplink`.

    Raises OSError when something does not start.
    """
    server = side.server
    pin = _pin(side) if is_pinned else []
    with ExitStack() as stack:
        redis_pid, redis_port, wire = None, 0, None
        if side.has_redis:
            redis_pid, redis_port = stack.enter_context(_process([*pin, *_REDIS], {}, "redis-server", 0))
        if side.has_redis and has_uplink:
            wire = stack.enter_context(uplink.running(free_port(), redis_port, pin))
        requests = _REQUESTS if side.workers == 1 else _REQUESTS_A_WORKER * side.workers
        nodes = []
        for index in range(side.nodes):
            through = wire.port if wire is not None and index == side.nodes - 1 else redis_port
            command, environ = _words(side, through)
            pid, port = stack.enter_context(_process([*pin, *command], environ, server.name, requests))
            nodes.append(Target(_HOST, port, server.app_id, server.key, server.secret, pid))
        yield replace(nodes[0], others=tuple(nodes[1:]), redis_pid=redis_pid, uplink=wire)


@contextmanager
def started_desk(environ: Mapping[str, str], *, is_pinned: bool = True) -> Iterator[Target]:
    """A support desk with these settings on a free port while the context lasts. Raises OSError when it does not start."""
    pin = ["taskset", "-c", str(SERVER_CPU)] if is_pinned else []
    command = [*pin, sys.executable, "-m", "support_api", "serve"]
    with _process(command, {**environ, "SUPPORT_PORT": "{port}"}, "the desk", _REQUESTS) as (pid, port):
        yield Target(_HOST, port, "", "", "", pid)


def pin_generator(cpu: int = GENERATOR_CPU) -> None:
    """Keep this process off the server's core."""
    if cpu in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {cpu})


def free_port() -> int:
    """A port that nothing listens on, below those that the kernel gives to connecting sockets."""
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as sock, suppress(OSError):
            sock.bind((_HOST, port))
            return port


def _pin(side: Side) -> list[str]:
    """One process gets one core, several get all but the generator's: on two cores the same one."""
    others = [cpu for cpu in range(os.cpu_count() or 1) if cpu != GENERATOR_CPU]
    cpus = [SERVER_CPU] if side.is_one_process else others
    return ["taskset", "-c", ",".join(map(str, cpus))]


def _words(side: Side, redis_port: int) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a node; its own port is still to be filled in."""
    workers = ["--workers", str(side.workers)] if side.workers > 1 else []
    environ = {**side.server.environ, **(side.server.redis_environ if side.has_redis else {})}
    filled = {name: value.replace("{redis}", str(redis_port)) for name, value in environ.items()}
    return [*side.server.command, *workers], filled


@contextmanager
def _process(command: Sequence[str], environ: Mapping[str, str], name: str, requests: int) -> Iterator[tuple[int, int]]:
    """A process that listens on a free port and has answered so many requests: its id, and the port."""
    port = free_port()
    words = [word.replace("{port}", str(port)) for word in command]
    filled = {name: value.replace("{port}", str(port)) for name, value in environ.items()}
    with tempfile.TemporaryFile() as said:
        # taskset and the peer's script replace themselves: the process is the server.
        process = subprocess.Popen(words, env={**os.environ, **filled}, stdout=subprocess.DEVNULL, stderr=said)
        try:
            _wait(process, port, name, requests, said)
            yield process.pid, port
        finally:
            _stop(process)


def _wait(process: "subprocess.Popen[bytes]", port: int, name: str, requests: int, said: IO[bytes]) -> None:
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((_HOST, port), 1).close()
            for _ in range(requests):
                _ask(port)
        except OSError:
            time.sleep(0.05)
        else:
            return
    said.seek(0)
    raise OSError(f"{name} did not start: {said.read(_EXCERPT).decode(errors='replace').strip()}")


def _ask(port: int) -> None:
    """Have a request answered, whatever the answer. Raises OSError when that does not happen."""
    with socket.create_connection((_HOST, port), _START) as sock:
        sock.sendall(b"GET /up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        if not sock.recv(1):
            raise ConnectionError("closed without an answer")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
