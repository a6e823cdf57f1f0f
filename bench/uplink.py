"""The wire between one node and Redis, which a scenario can cut and mend: a process of its own that passes bytes on.

The kernel moves the bytes (splice), so that what a node reads after a cut is hardly slower than without this in between.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Final

_HOST: Final = "127.0.0.1"

# What is moved at once, in bytes: as much as a pipe holds.
_PIECE: Final = 65_536


class Uplink:
    """The side of the scenario: sends commands, and is told of connections. `port` is where the node connects to."""

    def __init__(self, port: int, commands: IO[str], reports: IO[str]) -> None:
        self.port = port
        self._commands = commands
        self._reports = reports

    def cut(self) -> None:
        """End all connections, and refuse new ones until `mend`."""
        self._say("cut")

    def mend(self) -> None:
        """Let the node connect again."""
        self._say("mend")

    def opened_at(self) -> float:
        """When the first connection since `mend` came, by `time.perf_counter`. Waits for it."""
        word, _, moment = self._reports.readline().partition(" ")
        if word != "open":
            raise OSError("the uplink is gone")
        return float(moment)

    def _say(self, command: str) -> None:
        self._commands.write(f"{command}\n")
        self._commands.flush()
        while (line := self._reports.readline().strip()) != command:
            if not line:
                raise OSError("the uplink is gone")


@contextmanager
def running(port: int, redis_port: int, pin: Sequence[str] = ()) -> Iterator[Uplink]:
    """An uplink from `port` to Redis while the context lasts; `pin` are words to start it with."""
    command = [*pin, sys.executable, "-m", "bench.uplink", str(port), str(redis_port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        uplink = Uplink(port, process.stdin, process.stdout)
        try:
            uplink.mend()
            yield uplink
        finally:
            process.kill()


class _Wire:
    """The side of the process."""

    def __init__(self, port: int, redis_port: int) -> None:
        self._listener = socket.create_server((_HOST, port))
        self._redis = (_HOST, redis_port)
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_cut = False
        self._is_first = False

    def obey(self, commands: IO[str]) -> None:
        """Do what the scenario says until it ends."""
        threading.Thread(target=self._accept, daemon=True).start()
        for line in commands:
            with self._lock:
                self._is_cut = line.strip() == "cut"
                self._is_first = not self._is_cut
                if self._is_cut:
                    self._end_all()
            print(line.strip(), flush=True)

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            moment = time.perf_counter()
            with self._lock:
                if self._is_cut:
                    sock.close()
                    continue
                if self._is_first:
                    self._is_first = False
                    print(f"open {moment}", flush=True)
                self._join(sock, socket.create_connection(self._redis))

    def _join(self, sock: socket.socket, redis: socket.socket) -> None:
        self._ends += [sock, redis]
        for source, sink in ((sock, redis), (redis, sock)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_move, args=(source, sink), daemon=True).start()

    def _end_all(self) -> None:
        for end in self._ends:
            with suppress(OSError):  # ended by its peer
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()


def _move(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what `source` sends until it ends; both are of no use then."""
    out, into = os.pipe()
    try:
        while size := os.splice(source.fileno(), into, _PIECE):
            while size:
                size -= os.splice(out, sink.fileno(), size)
    except OSError:  # cut
        pass
    finally:
        os.close(out)
        os.close(into)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    _Wire(int(sys.argv[1]), int(sys.argv[2])).obey(sys.stdin)
