"""Real processes of ours for tests: started on a free port, awaited until they answer, stopped at the end.

Everything here blocks; a test that serves something from its own loop meanwhile calls it by `asyncio.to_thread`.
"""

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parents[2]
HOST: Final = "127.0.0.1"

# Below the range that Linux gives to outgoing connections: between a stop and the next start on the same port no
# connection can take that port, and no client that tries to reconnect can end up connected to itself.
_PORTS: Final = range(20_000, 32_000)

# Seconds. Long, since they only pass when something is wrong.
START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 20.0
_POLL: Final = 0.02


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    while True:
        # Not from a generator that tests may seed: runs side by side would choose the same.
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


class ProcessFailed(Exception):
    """The process ended, or did not answer in time. The text holds what it printed."""


class Process:
    """`python -m MODULE …`, which answers GET `path` on `port` with 200 when it is up. May be started again after a stop."""

    def __init__(
        self, arguments: Sequence[str], port: int, environment: Mapping[str, str], *, path: str = "/up"
    ) -> None:
        self.port = port
        self._command = [sys.executable, "-m", *arguments]
        self._environment = dict(environment)
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._earlier: list[str] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def limit_files(self, count: int) -> None:
        """Let it have `count` open files and no more, whatever it asks for, from its next start on."""
        self._command = ["sh", "-c", f'ulimit -n {count}; exec "$@"', "sh", *self._command]

    def output(self) -> str:
        """What the process has printed since it was started."""
        if self._log is None:
            return ""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def transcript(self) -> str:
        """What it has printed in all its lives: before and after each restart."""
        return "\n--- started again ---\n".join([*self._earlier, self.output()])

    def start(self) -> None:
        """Start it and wait until it answers. Raises ProcessFailed."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process is over
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_up(self._process)
        except ProcessFailed:
            self.kill()
            raise

    def terminate(self) -> int:
        """Ask it to stop (SIGTERM) and return its exit code. Raises ProcessFailed if it does not stop in time."""
        return self._end(signal.SIGTERM)

    def interrupt(self, signals: Sequence[signal.Signals]) -> int:
        """Send these, one right after the other (Ctrl-C twice, for example), and return the exit code."""
        for number in signals[:-1]:
            self._running().send_signal(number)
        return self._end(signals[-1])

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Make it hang (SIGSTOP) until `resume`: its port takes connections, nobody answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._running().send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Make sure that it is over, whatever state it is in."""
        if self._process is not None:
            self.resume()
            self.terminate()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the process is not running")
        return self._process

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if process.poll() is not None:
                raise ProcessFailed(f"{self._command} ended with {process.returncode}:\n{self.output()}")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self._command} does not answer on {self.url}{self._path}:\n{self.output()}")
            time.sleep(_POLL)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(HOST, self.port, timeout=1.0)

    def _answers(self) -> bool:
        connection = self._connection()
        try:
            connection.request("GET", self._path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _end(self, number: signal.Signals) -> int:
        process = self._running()
        process.send_signal(number)
        try:
            code = process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ProcessFailed(f"{self._command} did not stop within {STOP_TIMEOUT} s:\n{self.output()}") from None
        finally:
            self._process = None
            if self._log is not None:
                self._earlier.append(self.output())
                self._log.close()
                self._log = None
        return code


def environment(prefix: str, settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with the variables that begin with `prefix` replaced: {"port": 1} → PREFIX_PORT=1."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefix)}
    return inherited | {f"{prefix}{name.upper()}": str(value) for name, value in settings.items()}


class RelayProcess(Process):
    """A relay with one app. `settings` are further ones by their names in relay.config, such as activity_timeout; with
    `config` the app is in that file."""

    # Digits: the SDK of PyPI takes no other app id.
    app_id = "4711"
    key = "interop-key"
    secret = "interop-app-secret"

    def __init__(self, **settings: object) -> None:
        port = free_port()
        app = (
            {"app_id": self.app_id, "app_key": self.key, "app_secret": self.secret} if "config" not in settings else {}
        )
        super().__init__(
            ["relay", "serve"], port, environment("RELAY_", {"host": HOST, "port": port, **app, **settings})
        )

    @property
    def client_port(self) -> int:
        """Where the next client is to connect; back ends ask `port`."""
        return self.port


@contextmanager
def running_relay(**settings: object) -> Iterator[RelayProcess]:
    """A relay that answers, stopped at the end whatever the test has done to it."""
    relay = RelayProcess(**settings)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()
