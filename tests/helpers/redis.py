"""Real Redis servers for tests: one alone, a Cluster of three primaries, a primary with its replica and three Sentinels.

Each lives in a folder of its own and listens on a Unix socket and on a free port. Everything here blocks. What is started
once for many tests is emptied before each: the fixture `redis`, not `redis_server`, is the one to ask for.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import pytest
import redis as redis_py

from relay.cluster.keys import SLOTS
from tests.helpers.parts import REDIS, REDIS_SERVER, require
from tests.helpers.processes import HOST, free_port
from tests.helpers.tls import make_certificate

# Seconds. Long, since they only pass when something is wrong.
START_TIMEOUT: Final = 20.0
_POLL: Final = 0.01

# Nothing is kept, DEBUG SLEEP can be said, and a replica gets its copy at once instead of after 5 s.
_QUIET: Final = ("--save", "", "--appendonly", "no", "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0")


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
        return (REDIS_SERVER, *places, *_QUIET, *self._options)

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


class SentinelServer(RedisServer):
    """A Sentinel; `written` is its configuration but for where it listens."""

    def __init__(self, folder: Path, written: str, port: int) -> None:
        super().__init__(folder, port=port)
        places = f"bind {HOST}\nport {port}\nunixsocket {self.path}\ndir {folder}\n"
        (folder / "sentinel.conf").write_text(places + written)

    def _command(self) -> Sequence[str]:
        return (REDIS_SERVER, str(self.folder / "sentinel.conf"), "--sentinel")


def primary_port(sentinels: Sequence[SentinelServer]) -> int:
    """Where these Sentinels say that the primary is; 0 while they do not agree."""
    said = {int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")[1]) for sentinel in sentinels}
    return said.pop() if len(said) == 1 else 0


@dataclass
class Guarded:
    """A primary, its replica, and who watches over them. After a fail-over the names are wrong: see `primary_port`."""

    primary: RedisServer
    replica: RedisServer
    sentinels: list[SentinelServer]

    @property
    def url(self) -> str:
        return f"sentinel://{','.join(f'{HOST}:{server.port}' for server in self.sentinels)}/main"


@dataclass
class Cluster:
    """Three primaries, a third of the slots each, and replicas of the first of them if any were asked for."""

    primaries: list[RedisServer]
    replicas: list[RedisServer]

    @property
    def servers(self) -> list[RedisServer]:
        return self.primaries + self.replicas

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'{HOST}:{server.port}' for server in self.servers)}"

    def owner(self, slot: int) -> RedisServer:
        """The primary that has the slot, as the first server sees it that can be asked."""
        for first, last, node, *_ in self.primaries[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(server for server in self.servers if server.port == node[1])
        raise AssertionError(f"nobody has slot {slot}")

    def move(self, slot: int, target: RedisServer, seconds: float = 0.0) -> None:
        """Move a slot with its keys, as `redis-cli --cluster reshard` does; it is so long under way."""
        source = self.owner(slot)
        source_id, target_id = source.ask("CLUSTER", "MYID").decode(), target.ask("CLUSTER", "MYID").decode()
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        time.sleep(seconds)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", HOST, target.port, "", 0, 5_000, "KEYS", *keys)
        for server in (target, source, *(other for other in self.primaries if other not in (source, target))):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)
        until(lambda: self.owner(slot) is target, f"slot {slot} moved")


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


@contextmanager
def running_sentinels(folder: Path) -> Iterator[Guarded]:
    """A primary, its replica, and three Sentinels that find out after half a second that a server is away."""
    with ExitStack() as stack:
        primary = stack.enter_context(running_redis(folder / "primary"))
        replica = stack.enter_context(running_redis(folder / "replica", "--replicaof", HOST, str(primary.port)))
        sentinels = [
            SentinelServer(folder / f"sentinel-{port}", _sentinel_configuration(ports, port, primary, replica), port)
            for ports in [[free_port() for _ in range(3)]]
            for port in ports
        ]
        for sentinel in sentinels:
            stack.callback(sentinel.stop)
            sentinel.start()
        until(lambda: replica.client.info("replication")["master_link_status"] == "up", "the replica follows")
        yield Guarded(primary, replica, sentinels)


def _sentinel_configuration(ports: list[int], own: int, primary: RedisServer, replica: RedisServer) -> str:
    """They know one another from the beginning, which saves two seconds."""
    lines = [
        f"sentinel myid {own:040x}",
        f"sentinel monitor main {HOST} {primary.port} 2",
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 2000",
        f"sentinel known-replica main {HOST} {replica.port}",
        *(f"sentinel known-sentinel main {HOST} {port} {port:040x}" for port in ports if port != own),
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def running_cluster(folder: Path, replicas: int = 0) -> Iterator[Cluster]:
    """A Cluster; `replicas` of its first primary. Takes 2 s to start: Redis has a new one wait for so long."""
    require(REDIS)
    servers = [_cluster_server(folder / f"node-{number}") for number in range(3 + replicas)]
    with ExitStack() as stack:
        for server in servers:
            (server.folder / "nodes.conf").write_text(_cluster_nodes(servers, server))
            stack.callback(server.stop)
            server.start()
        for server in servers:
            until(partial(_is_whole, server, len(servers)), "the Cluster is whole")
        yield Cluster(servers[:3], servers[3:])


def _cluster_server(folder: Path) -> RedisServer:
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
    bus = free_port()
    server = RedisServer(folder, *options, "--cluster-port", str(bus))
    (folder / "bus").write_text(str(bus))
    return server


def _cluster_nodes(servers: Sequence[RedisServer], own: RedisServer) -> str:
    """nodes.conf as if they had met already."""
    lines = []
    for number, server in enumerate(servers):
        flags = ("myself," if server is own else "") + ("master" if number < 3 else "slave")
        parent = "-" if number < 3 else f"{servers[0].port:040x}"
        slots = f" {number * SLOTS // 3}-{(number + 1) * SLOTS // 3 - 1}" if number < 3 else ""
        shard = f",,shard-id={servers[min(number, 3) % 3].port:040x}" if _has_shards() else ""
        place = f"{HOST}:{server.port}@{(server.folder / 'bus').read_text()}{shard}"
        lines.append(f"{server.port:040x} {place} {flags} {parent} 0 0 {min(number, 3) + 1} connected{slots}")
    return "\n".join([*lines, "vars currentEpoch 4 lastVoteEpoch 0", ""])


@cache
def _has_shards() -> bool:
    """Whether servers name the shards of a Cluster: Redis 7.2 and Valkey do, and lose their own one if it has no name."""
    text = subprocess.run([REDIS_SERVER, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\d+)\.(\d+)", text)
    assert version is not None, text
    return (int(version[1]), int(version[2])) >= (7, 2)


def _is_whole(server: RedisServer, size: int) -> bool:
    info = server.ask("CLUSTER", "INFO")
    return b"cluster_state:ok" in info and f"cluster_known_nodes:{size}".encode() in info


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


@pytest.fixture(scope="session")
def redis_cluster_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The Cluster of all tests of a run. Ask for `redis_cluster`."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(redis_cluster_server: Cluster) -> Cluster:
    """An empty Cluster of three primaries; slots may be moved in it, but none of its servers is to be killed."""
    for server in redis_cluster_server.primaries:
        server.client.flushall()
    return redis_cluster_server


@pytest.fixture
def redis_sentinels(tmp_path: Path) -> Iterator[Guarded]:
    """A primary, a replica and three Sentinels of this test alone."""
    with running_sentinels(tmp_path) as guarded:
        yield guarded
