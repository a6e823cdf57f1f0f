"""A request whose answer takes time: what is written, and how long a client may take to take it."""

import asyncio

import pytest

from relay.transports import exchange
from relay.transports.exchange import Exchange
from relay.wire.http import Head, Response


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `unsent` bytes of it the client has not taken."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.aborted = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted.set()


def exchange_of(transport: FakeTransport, *, method: str = "POST", is_old: bool = False) -> Exchange:
    head = Head(method, "/", {}, is_old=is_old)
    return Exchange(transport, head, b"", "192.0.2.1", lambda: "now", is_last=is_old)


@pytest.fixture
async def transport() -> FakeTransport:
    return FakeTransport()


async def test_a_stream_comes_in_chunks_and_ends_with_an_empty_one(transport: FakeTransport) -> None:
    one = exchange_of(transport)
    one.start({"A": "b"})
    await one.write(b"hello")
    await one.end()
    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert body == b"5\r\nhello\r\n0\r\n\r\n"


async def test_to_http_1_0_it_is_the_rest_of_the_connection(transport: FakeTransport) -> None:
    one = exchange_of(transport, is_old=True)
    one.start({})
    await one.write(b"hello")
    await one.end()
    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert head.endswith(b"\r\nConnection: close")
    assert body == b"hello"


async def test_the_answer_to_a_head_has_no_body(transport: FakeTransport) -> None:
    await exchange_of(transport, method="HEAD").send(Response(405, b"no"))
    assert transport.written.endswith(b"\r\n\r\n")


async def test_a_write_waits_until_all_of_it_is_taken(transport: FakeTransport) -> None:
    one = exchange_of(transport)
    one.pause()
    sending = asyncio.create_task(one.send(Response(200, b"")))
    await asyncio.sleep(0)
    assert not sending.done()
    one.resume()
    await sending


async def test_a_client_that_takes_nothing_for_so_long_loses_the_connection(
    transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "WRITE_TIMEOUT", 0.0)
    one = exchange_of(transport)
    one.pause()
    transport.unsent = 10
    with pytest.raises(ConnectionAbortedError):
        await one.send(Response(200, b""))
    assert transport.aborted.is_set()


async def test_a_client_that_takes_little_by_little_is_waited_for(
    transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "WRITE_TIMEOUT", 0.0)
    looks = iter([30, 20, 20, 10, 10, 5])

    def look() -> int:
        left = next(looks)
        if left == 5:
            one.resume()
        return left

    monkeypatch.setattr(transport, "get_write_buffer_size", look)
    one = exchange_of(transport)
    one.pause()
    await one.send(Response(200, b""))
    assert not transport.aborted.is_set()


async def test_the_earliest_deadline_for_all_of_it_holds(transport: FakeTransport) -> None:
    one = exchange_of(transport)
    one.expire(3_600.0)
    one.expire(0.0)
    one.expire(3_600.0)
    await asyncio.wait_for(transport.aborted.wait(), 10)


async def test_what_has_ended_in_time_has_no_deadline_any_more(transport: FakeTransport) -> None:
    one = exchange_of(transport)
    one.expire(0.0)
    one.close()
    await asyncio.sleep(0.01)
    assert not transport.aborted.is_set()
