"""An uplink passes bytes on, ends what it is told to cut, and says when it was used again."""

import socket
import time
from collections.abc import Iterator

import pytest

from bench import servers, uplink
from bench.uplink import Uplink


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


@pytest.fixture
def wire(listener: socket.socket) -> Iterator[Uplink]:
    with uplink.running(servers.free_port(), listener.getsockname()[1]) as started:
        yield started


def connect(wire: Uplink) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), timeout=5)


def test_bytes_pass_in_both_directions(listener: socket.socket, wire: Uplink) -> None:
    with connect(wire) as client, listener.accept()[0] as server:
        client.sendall(b"to Redis")
        assert server.recv(100) == b"to Redis"
        server.sendall(b"to the node")
        assert client.recv(100) == b"to the node"


def test_a_cut_ends_both_sides_and_refuses_until_it_is_mended(listener: socket.socket, wire: Uplink) -> None:
    with connect(wire) as client, listener.accept()[0] as server:
        wire.cut()
        assert client.recv(100) == b""
        assert server.recv(100) == b""
    with connect(wire) as refused:
        assert refused.recv(100) == b""
    wire.mend()
    with connect(wire), listener.accept()[0]:
        pass


def test_it_says_when_the_first_connection_since_the_mending_came(listener: socket.socket, wire: Uplink) -> None:
    wire.cut()
    wire.mend()
    before = time.perf_counter()
    with connect(wire), listener.accept()[0], connect(wire), listener.accept()[0]:
        assert before <= wire.opened_at() <= time.perf_counter()
    wire.cut()


def test_a_node_that_closes_ends_the_side_of_redis(listener: socket.socket, wire: Uplink) -> None:
    with connect(wire) as client, listener.accept()[0] as server:
        client.close()
        assert server.recv(100) == b""
