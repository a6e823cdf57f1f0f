"""Several workers as real processes; what needs none of them is tried in this one."""

import asyncio
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from relay import supervisor as supervisor_module
from relay.client import PushlerClient
from relay.supervisor import CannotStart, Sockets, Supervisor, Worker, count_of, open_sockets
from relay.worker import Place
from tests.helpers.frames import client_frame
from tests.helpers.parts import REDIS, require
from tests.helpers.processes import HOST, ROOT, RelayProcess, environment, free_port
from tests.helpers.redis import RedisServer
from tests.relay.cluster.redis.nodes import until as until_so

PATIENCE = 20.0

UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
)


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except FileNotFoundError:
        return False


def children(pid: int) -> dict[int, str]:
    """The processes that one has started, and their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            status = (folder / "stat").read_text("utf-8").rpartition(")")[2].split() if folder.name.isdigit() else []
            if status and int(status[1]) == pid and status[0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text("utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Workers(RelayProcess):
    """A relay of several workers."""

    def __init__(self, workers: int, **settings: object) -> None:
        self.metrics_port, self.console_port = free_port(), free_port()
        super().__init__(workers=workers, metrics_port=self.metrics_port, console_port=self.console_port, **settings)

    @property
    def workers(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid, line in children(self.pid).items() if "\0worker\0" in line]

    def get(self, path: str = "/up", port: int | None = None, method: str = "GET") -> tuple[int, str]:
        """The answer to a request on a connection of its own."""
        connection = http.client.HTTPConnection(HOST, port or self.port, timeout=PATIENCE)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The sum of a metric's figures."""
        _, text = self.get("/metrics", self.metrics_port)
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))

    def are_all_up(self) -> bool:
        return len(self.workers) == 2 and self.metric("relay_workers") == 2


APP = f"""
[[apps]]
id = "{RelayProcess.app_id}"
key = "{RelayProcess.key}"
secret = "{RelayProcess.secret}"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings that the workers read besides their environment: the app."""
    file = tmp_path_factory.mktemp("workers") / "relay.toml"
    file.write_text(APP)
    return file


@pytest.fixture(scope="module")
def shared(config: Path) -> Iterator[Workers]:
    require(REDIS)
    relay = Workers(2, config=config)
    relay.start()
    yield relay
    relay.stop()


@pytest.fixture
def relay(shared: Workers) -> Workers:
    """Two workers that serve."""
    until(shared.are_all_up, "both workers serve")
    return shared


class TestTwoWorkers:
    def test_both_get_connections_of_one_port(self, relay: Workers) -> None:
        before = {pid: _sockets_of(pid) for pid in relay.workers}
        connections = [socket.create_connection((HOST, relay.port)) for _ in range(60)]
        until(lambda: sum(_sockets_of(pid) - count for pid, count in before.items()) == 60, "all are accepted")
        assert all(_sockets_of(pid) - count >= 10 for pid, count in before.items())
        for connection in connections:
            connection.close()

    async def test_what_is_published_to_one_reaches_the_clients_of_both(self, relay: Workers) -> None:
        connections = [await asyncio.open_connection(HOST, relay.port) for _ in range(20)]
        try:
            for reader, writer in connections:
                writer.write(f"GET /app/{relay.key}?protocol=7 HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n\r\n".encode())
                await _heard(reader, b"connection_established")
                writer.write(client_frame(b'{"event":"pusher:subscribe","data":{"channel":"a"}}'))
                await _heard(reader, b"subscription_succeeded")
            async with PushlerClient(relay.key, relay.secret, app_id=relay.app_id, url=relay.url) as publisher:
                await publisher.trigger("a", "told-to-all", {})
            for reader, _ in connections:
                await _heard(reader, b"told-to-all")
        finally:
            for _, writer in connections:
                writer.close()

    def test_a_worker_that_dies_is_replaced_and_what_it_counted_stays(self, relay: Workers) -> None:
        for _ in range(20):
            assert relay.get()[0] == 200
        counted = relay.metric("relay_api_requests_total")
        assert counted >= 20
        victim, other = relay.workers
        os.kill(victim, signal.SIGKILL)
        # Those that come for it meanwhile wait at its socket.
        assert {relay.get()[0] for _ in range(20)} == {200}
        until(lambda: relay.are_all_up() and victim not in relay.workers, "another one serves")
        assert other in relay.workers
        assert relay.metric("relay_api_requests_total") >= counted + 20
        assert "worker_ended" in relay.output()

    def test_workers_are_replaced_one_by_one_without_a_request_lost(self, relay: Workers) -> None:
        before = relay.workers
        counted = relay.metric("relay_api_requests_total")
        os.kill(relay.pid, signal.SIGUSR2)
        statuses = []
        while len(before) > 0:
            statuses.append(relay.get()[0])
            before = [pid for pid in before if is_running(pid)]
        assert set(statuses) == {200}
        until(relay.are_all_up, "two others serve")
        assert relay.metric("relay_api_requests_total") >= counted + len(statuses)

    def test_where_a_new_worker_does_not_start_the_old_ones_stay(self, relay: Workers, config: Path) -> None:
        before = relay.workers
        config.write_text("nonsense = 1")
        os.kill(relay.pid, signal.SIGUSR2)
        until(lambda: "replacement_failed" in relay.output(), "the log says so")
        config.write_text(APP)
        assert "nonsense: unknown" in relay.output()
        assert relay.workers == before
        assert relay.get()[0] == 200

    def test_metrics_are_those_of_all_workers(self, relay: Workers) -> None:
        status, text = relay.get("/metrics", relay.metrics_port)
        assert status == 200
        assert "# TYPE relay_api_request_seconds histogram" in text
        assert f'relay_connections{{app="{relay.app_id}"}} 0.0' in text
        assert relay.metric("relay_workers") == 2

    def test_the_console_shows_what_happens_on_both(self, relay: Workers) -> None:
        console = http.client.HTTPConnection(HOST, relay.console_port, timeout=PATIENCE)
        console.request("GET", f"/feed?app={relay.app_id}")
        feed = console.getresponse()
        _until_line(feed, b"event: state")
        names = [f"console{number}" for number in range(10)]
        for name in names:
            assert relay.get(f"/app/{relay.key}/1/{name}/xhr", method="POST")[0] == 200
        for _ in names:
            _until_line(feed, b'"kind":"connected"')
        console.close()

    def test_apps_are_read_anew_by_all(self, relay: Workers) -> None:
        before = relay.output().count("apps_reloaded")
        os.kill(relay.pid, signal.SIGHUP)
        until(lambda: relay.output().count("apps_reloaded") == before + 2, "both have read them")

    def test_a_fallback_session_is_one_whatever_worker_its_requests_meet(self, relay: Workers) -> None:
        for number in range(8):
            target = f"/app/{relay.key}/1/session{number}"
            connection = http.client.HTTPConnection(HOST, relay.port, timeout=PATIENCE)
            connection.request("POST", f"{target}/xhr_streaming?protocol=7")
            stream = connection.getresponse()
            assert b"connection_established" in _until_line(stream, b"connection_established")
            for _ in range(4):
                assert _post(relay, f"{target}/xhr_send", b'["{\\"event\\":\\"pusher:ping\\",\\"data\\":{}}"]') == 204
                assert b"pusher:pong" in _until_line(stream, b"pusher:pong")
            connection.close()


class TestTheEnd:
    def test_with_a_redis_of_the_settings_none_is_started(self, redis: RedisServer) -> None:
        relay = Workers(2, redis_url=redis.url)
        relay.start()
        try:
            assert len(children(relay.pid)) == 2
        finally:
            relay.stop()

    def test_a_stop_ends_everything_in_order(self) -> None:
        require(REDIS)
        relay = Workers(2)
        relay.start()
        everything = list(children(relay.pid))
        assert len(everything) == 3
        assert relay.terminate() == 0
        assert not any(is_running(pid) for pid in everything)
        assert "[warning" not in relay.transcript()

    def test_signals_that_come_as_soon_as_it_answers_are_obeyed_and_a_stop_in_between_is_one(self) -> None:
        require(REDIS)
        relay = Workers(2)
        relay.start()
        for number in (signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR2):
            os.kill(relay.pid, number)
        everything = list(children(relay.pid))
        assert relay.terminate() == 0
        assert not any(is_running(pid) for pid in everything)

    def test_workers_and_redis_end_when_the_supervisor_is_killed(self) -> None:
        require(REDIS)
        relay = Workers(2)
        relay.start()
        everything = children(relay.pid)
        (folder,) = {
            Path(line.split("unixsocket:")[1].split("\0")[0]).parent for line in everything.values() if ":/" in line
        }
        assert folder.stat().st_mode & 0o777 == 0o700
        relay.kill()
        until(lambda: not any(is_running(pid) for pid in everything), "all have ended")
        assert not folder.exists()


class TestStart:
    def test_a_busy_port_is_named_with_its_setting(self) -> None:
        require(REDIS)
        with socket.create_server((HOST, 0)) as taken:
            port = taken.getsockname()[1]
            failed = _serve(port=port)
        assert failed.returncode == 1
        assert (
            failed.stdout
            == f"Port {port} is busy: something else listens on {HOST}:{port}. Choose another with RELAY_PORT.\n"
        )

    def test_a_missing_redis_is_named_with_its_package(self, tmp_path: Path) -> None:
        failed = _serve(port=free_port(), path=str(tmp_path))
        assert failed.returncode == 1
        assert "install the package redis-server" in failed.stdout

    def test_what_a_worker_cannot_start_with_ends_all(self, tmp_path: Path) -> None:
        require(REDIS)
        app = {"app_id": "1", "app_key": "key", "app_secret": "correct-horse-battery"}
        failed = _serve(port=free_port(), tls_certificate=tmp_path / "none.pem", **app)
        assert failed.returncode == 1
        assert "No such file" in failed.stdout
        assert "does not serve" in failed.stdout


class StubbornWorker:
    """Serves at once, and ends by force alone."""

    made: ClassVar[list["StubbornWorker"]] = []
    refusals: ClassVar[int] = 0

    def __init__(self, number: int) -> None:
        self.number, self.born, self.told = number, time.monotonic(), ()
        self.process, self._over = self, asyncio.Event()

    @classmethod
    async def start(cls, place: Place, environ: Mapping[str, str]) -> "StubbornWorker":
        if cls.refusals:
            cls.refusals -= 1
            raise CannotStart("no process")
        cls.made.append(cls(place.number))
        return cls.made[-1]

    async def ready(self) -> None:
        return

    def stop(self, spread: float) -> None:
        return

    async def wait(self) -> int:
        await self._over.wait()
        return -9

    ended = wait

    async def kill(self) -> None:
        self._over.set()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()


@pytest.fixture
async def stubborn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Supervisor]:
    """A supervisor of one such worker."""
    for name, seconds in {"REPLACE_SPREAD": 0.0, "STOP_TIMEOUT": 0.01}.items():
        monkeypatch.setattr(supervisor_module, name, seconds)
    monkeypatch.setattr("pushdesk.restarts.SHORTEST_PAUSE", 0.001)
    monkeypatch.setattr(supervisor_module, "Worker", StubbornWorker)
    StubbornWorker.made.clear()
    supervisor = Supervisor(Sockets([[]], ()), tmp_path, {}, 0.0)
    await supervisor.start()
    yield supervisor
    await supervisor.stop()


class TestWorkersThatFail:
    async def test_one_that_does_not_end_when_it_is_replaced_is_ended_by_force(
        self, stubborn: Supervisor, logged: list[MutableMapping[str, Any]]
    ) -> None:
        stubborn.replace()
        stubborn.replace()
        await until_so(lambda: sum(worker.is_over for worker in StubbornWorker.made) == 2)
        assert [worker.is_over for worker in StubbornWorker.made] == [True, True, False]
        assert [line["event"] for line in logged if line["log_level"] == "error"] == ["worker_hangs"] * 2
        logged.clear()

    async def test_one_that_died_is_started_again_though_the_system_has_no_process_at_first(
        self, stubborn: Supervisor, logged: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(StubbornWorker, "refusals", 2)
        await StubbornWorker.made[0].kill()
        await until_so(lambda: len(StubbornWorker.made) == 2)
        assert [line["event"] for line in logged] == ["worker_ended", "worker_not_started", "worker_not_started"]
        logged.clear()

    async def test_a_system_that_lets_no_process_be_started_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(*_arguments: object, **_options: object) -> None:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
        with pytest.raises(CannotStart, match="worker 0 cannot be started: Resource temporarily unavailable"):
            await Worker.start(Place(0, 1, 0, (), (), str(tmp_path)), {})


class TestSockets:
    def test_each_worker_has_its_own_on_every_address(self) -> None:
        sockets = open_sockets("localhost", 0, 3, 10)
        try:
            ports = {one.getsockname()[1] for ours in sockets for one in ours}
            families = [[one.family for one in ours] for ours in sockets]
        finally:
            Sockets(sockets, ()).close()
        assert len(ports) == 1
        assert families[0] == families[1] == families[2]

    def test_a_port_that_another_program_shares_out_is_busy_all_the_same(self) -> None:
        (theirs,) = open_sockets(HOST, 0, 1, 10)
        port = theirs[0].getsockname()[1]
        with theirs[0], pytest.raises(OSError, match="in use"):
            open_sockets(HOST, port, 2, 10)

    def test_none_stays_open_when_one_cannot_be_opened(self) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(OSError, match="assign"):
            open_sockets("192.0.2.1", 0, 2, 10)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_as_many_workers_as_cores_are_started_where_nobody_says_how_many() -> None:
    assert count_of(0) == len(os.sched_getaffinity(0))
    assert count_of(3) == 3


def _sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += str(file.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    return count


async def _heard(reader: asyncio.StreamReader, text: bytes) -> None:
    """Wait until the text has come."""
    async with asyncio.timeout(PATIENCE):
        await reader.readuntil(text)


def _post(relay: Workers, target: str, body: bytes) -> int:
    connection = http.client.HTTPConnection(HOST, relay.port, timeout=PATIENCE)
    try:
        connection.request("POST", target, body)
        return connection.getresponse().status
    finally:
        connection.close()


def _until_line(stream: http.client.HTTPResponse, text: bytes) -> bytes:
    while text not in (line := stream.readline()):
        assert line, "the stream has ended"
    return line


def _serve(path: str | None = None, **settings: object) -> "subprocess.CompletedProcess[str]":
    """A relay of two workers that cannot be started."""
    environ = environment("RELAY_", {"host": HOST, "workers": 2, **settings})
    if path is not None:
        environ["PATH"] = path
    return subprocess.run(
        [sys.executable, "-m", "relay", "serve"],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
