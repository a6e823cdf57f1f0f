"""Starts a server pinned to one core, waits until it answers, and stops it: only processes that were started here."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.target import Target

SERVER_CPU: Final = 0
GENERATOR_CPU: Final = 1

# How long a server may take to start and to stop, in seconds.
_START: Final = 60.0
_STOP: Final = 10.0

_HOST: Final = "127.0.0.1"
_PORTS: Final = range(20_000, 30_000)
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Server:
    """How a server is started: the words "{port}" of `command` and of the environment's values stand for its port."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    app_id: str = "1"
    key: str = "app-key"
    secret: str = "app-secret"


def ours(config: Path = _HERE / "relay.toml") -> Server:
    """The relay of this repository; the limits of its app are raised, its checks are on."""
    return Server(
        "relay",
        [sys.executable, "-m", "relay", "serve"],
        {"RELAY_CONFIG": str(config), "RELAY_PORT": "{port}", "PYTHONPATH": str(_HERE.parent)},
    )


def peer(script: Path, app_id: str = "1") -> Server:
    """A server that `script PORT` starts; its app has the key and the secret of bench/relay.toml."""
    return Server(script.parent.name or "peer", [str(script.resolve()), "{port}"], app_id=app_id)


@contextmanager
def running(server: Server, cpu: int | None = SERVER_CPU) -> Iterator[Target]:
    """The server while the context lasts, on a free port. Raises OSError when it does not start."""
    port = free_port()
    command = [word.replace("{port}", str(port)) for word in server.command]
    environ = {name: value.replace("{port}", str(port)) for name, value in server.environ.items()}
    pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
    # taskset and the peer's script replace themselves: the process is the server.
    process = subprocess.Popen(
        [*pin, *command], env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, port, server.name)
        yield Target(_HOST, port, server.app_id, server.key, server.secret, process.pid)
    finally:
        _stop(process)


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


def _wait(process: "subprocess.Popen[bytes]", port: int, name: str) -> None:
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((_HOST, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise OSError(f"{name} did not start")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
