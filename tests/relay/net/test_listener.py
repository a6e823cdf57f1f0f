import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import structlog

from relay.net import listener
from relay.net.listener import Listener, listen
from tests.helpers.relay import until

HOST = "127.0.0.1"

Connect = Callable[[int, int], None]


class Accepted(asyncio.Protocol):
    """A connection that was accepted, ended at once; and how many there were."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Accepted.count += 1
        transport.close()


@pytest.fixture(autouse=True)
def _none_yet() -> None:
    Accepted.count = 0


@pytest.fixture
async def opened() -> AsyncIterator[list[Listener]]:
    """What is put here is closed at the end."""
    listeners: list[Listener] = []
    yield listeners
    for one in listeners:
        one.close()


@pytest.fixture
def clients() -> Iterator[Connect]:
    """Connects so many clients to a port; the system takes them, whatever the listener does."""
    sockets: list[socket.socket] = []

    def connect(port: int, count: int) -> None:
        sockets.extend(socket.create_connection((HOST, port)) for _ in range(count))

    yield connect
    for one in sockets:
        one.close()


async def test_without_a_limit_all_are_accepted(opened: list[Listener], clients: Connect) -> None:
    opened.append(await listen(Accepted, HOST, 0, None))
    clients(opened[0].port, 50)
    await until(lambda: Accepted.count == 50)
    assert opened[0].is_accepting


async def test_over_the_rate_nothing_is_accepted_for_a_while_and_the_log_says_so_once(
    opened: list[Listener], clients: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PAUSE", 3_600.0)
    opened.append(await listen(Accepted, HOST, 0, None, backlog=20, rate=10))
    with structlog.testing.capture_logs() as lines:
        clients(opened[0].port, 15)
        await until(lambda: not opened[0].is_accepting)
    # As many as the rate, and what was accepted before the pause could begin.
    assert Accepted.count > 10
    assert [line["event"] for line in lines] == ["accept_rate_reached"]
    before = Accepted.count
    clients(opened[0].port, 5)
    for _ in range(20):
        await asyncio.sleep(0)
    assert Accepted.count == before


async def test_those_who_waited_are_accepted_later(
    opened: list[Listener], clients: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PAUSE", 0.001)
    opened.append(await listen(Accepted, HOST, 0, None, backlog=200, rate=100))
    clients(opened[0].port, 120)
    await until(lambda: Accepted.count == 120)


@pytest.mark.parametrize("rate", [0, 10])
async def test_a_closed_listener_refuses_clients_also_in_a_pause(
    clients: Connect, monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    monkeypatch.setattr(listener, "PAUSE", 3_600.0)
    opened = await listen(Accepted, HOST, 0, None, rate=rate)
    clients(opened.port, 15)
    await until(lambda: Accepted.count > 10)
    opened.close()
    await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        clients(opened.port, 1)


async def test_sockets_that_are_given_are_listened_on(opened: list[Listener], clients: Connect) -> None:
    given = [socket.create_server((HOST, 0)) for _ in range(2)]
    opened.append(await listen(Accepted, "unused", 0, None, sockets=given))
    for one in given:
        clients(one.getsockname()[1], 3)
    await until(lambda: Accepted.count == 6)
    assert opened[0].port == given[0].getsockname()[1]
