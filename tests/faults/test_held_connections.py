"""Connections that are opened and held: the desk serves those who ask, and its files do not run out."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.helpers.processes import HOST, free_port
from tests.helpers.product import SupportProcess

FILES = 256
HELD = 280
SECONDS = 10.0
HALF_HEAD = b"POST /create_ticket HTTP/1.1\r\nHost: "
HALF_BODY = HALF_HEAD + b"x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupportProcess]:
    """A desk that may have 256 open files, and no relay."""
    process = SupportProcess(tmp_path_factory.mktemp("desk") / "desk.sqlite3", f"http://{HOST}:{free_port()}")
    process.limit_files(FILES)
    process.start()
    yield process
    process.stop()


def is_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def answers(process: SupportProcess) -> bool:
    connection = HTTPConnection(HOST, process.port, timeout=SECONDS)
    try:
        connection.request("GET", "/up")
        return connection.getresponse().status == HTTPStatus.OK
    finally:
        connection.close()


def open_files(process: SupportProcess) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


@pytest.mark.parametrize("begun", [b"", HALF_HEAD, HALF_BODY])
def test_the_desk_answers_while_more_connections_are_held_than_it_may_have_files(
    desk: SupportProcess, begun: bytes
) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection((HOST, desk.port))) for _ in range(HELD)]
        for connection in held:
            connection.sendall(begun)
        for _ in range(20):
            assert answers(desk)
        assert open_files(desk) < FILES
        assert sum(is_ended(connection) for connection in held) >= HELD - FILES // 2
    assert "Traceback" not in desk.output()
