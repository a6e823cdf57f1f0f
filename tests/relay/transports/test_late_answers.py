"""The front door while it is not known yet what to answer: other nodes have to say so first."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from pushdesk.deadlines import KEEPALIVE
from relay.transports.reading import MAX_HEAD
from relay.wire.http import LongResponse, text_response
from relay.wire.later import PATIENCE, Later
from tests.helpers.door import HANDSHAKE, Door, answers, api
from tests.helpers.relay import until


@pytest.fixture
async def door() -> Door:
    """Every answer of it comes later."""
    door = Door(asyncio.get_running_loop().time())
    door.is_late = True
    return door


def asked(door: Door) -> list[bytes]:
    return [body for _, _, body in door.asked]


class TestOrder:
    async def test_a_request_behind_one_whose_answer_is_not_known_yet_waits_for_its_turn(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"b") + api(b"c"))
        door.protocol.data_received(api(b"d"))
        assert (asked(door), door.transport.written) == ([b"a"], b"")
        door.settle(0, b"1")
        assert (asked(door), answers(door)) == ([b"a", b"b"], [b"1"])
        for at, body in enumerate([b"2", b"3", b"4"], 1):
            door.settle(at, body)
        assert (asked(door), answers(door)) == ([b"a", b"b", b"c", b"d"], [b"1", b"2", b"3", b"4"])

    @pytest.mark.parametrize("at_once", [True, False])
    async def test_what_follows_may_be_of_any_kind(self, door: Door, at_once: bool) -> None:
        data = api(b"a") + HANDSHAKE + b"frame"
        for piece in [data] if at_once else [bytes((octet,)) for octet in data]:
            door.protocol.data_received(piece)
        before = door.transport.protocol
        door.settle(0, b"1")
        assert (answers(door), before, door.transport.protocol) == ([b"1"], None, door.websocket)
        assert (door.websocket.received, len(door.wheel)) == (b"frame", 0)

    async def test_an_answer_that_is_known_follows_one_that_was_not(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"b"))
        door.is_late = False
        door.settle(0, b"1")
        assert answers(door) == [b"1", b"2"]

    async def test_a_request_of_any_kind_may_be_answered_late(self, door: Door) -> None:
        chunked = b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
        door.protocol.data_received(chunked + b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n" + api(b"c"))
        for at, body in enumerate([b"1", b"2", b"3"]):
            door.settle(at, body)
        assert [method for method, _, _ in door.asked] == ["PUT", "HEAD", "POST"]
        assert answers(door) == [b"1", b"H", b"3"]

    async def test_the_last_answer_ends_the_connection_and_what_follows_is_not_read(self, door: Door) -> None:
        door.protocol.data_received(api(b"a", b"Connection: close") + api(b"b"))
        assert not door.transport.closed
        door.settle(0, b"1")
        assert (asked(door), answers(door), door.transport.closed) == ([b"a"], [b"1"], True)
        assert b"\r\nConnection: close\r\n" in door.transport.written
        assert len(door.wheel) == 0

    async def test_no_more_is_read_behind_a_request_that_waits_than_one_head(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.protocol.data_received(b"x" * MAX_HEAD)
        assert door.transport.reads
        door.protocol.data_received(b"x")
        assert not door.transport.reads
        door.settle(0, b"1")
        assert door.transport.reads
        assert b" 431 " in door.transport.written

    async def test_more_requests_than_a_turn_answers_keep_their_order_around_late_ones(self, door: Door) -> None:
        door.is_late = False
        door.protocol.data_received(api(b"a") * 500)
        assert len(asked(door)) < 100
        door.is_late = True
        door.protocol.data_received(api(b"z"))  # as it may come through TLS, although nothing is read
        await until(lambda: bool(door.late))
        door.is_late = False
        door.settle(0, b"1")
        await until(lambda: len(asked(door)) == 501)
        assert asked(door) == [b"a"] * 500 + [b"z"]

    async def test_a_list_that_takes_long_may_come_late(self, door: Door) -> None:
        part = Later[bytes]()
        parts: Iterator[bytes | Later[bytes]] = iter([b"x", part, b"z"])
        door.protocol.data_received(api(b"a") + api(b"b"))
        door.late[0].settle(LongResponse(parts, lambda error: text_response(500, str(error))))
        await asyncio.sleep(0)
        assert answers(door) == []
        part.settle(b"y")
        await until(lambda: len(door.late) == 2)
        door.settle(1, b"2")
        assert door.transport.written.count(b"\r\n\r\nxyz") == 1
        assert door.transport.written.endswith(b"\r\n\r\n2")

    async def test_a_list_of_which_a_part_cannot_be_made_is_refused(self, door: Door) -> None:
        part = Later[bytes]()
        parts: Iterator[bytes | Later[bytes]] = iter([b"x", part])
        door.protocol.data_received(api(b"a"))
        door.late[0].settle(LongResponse(parts, lambda error: text_response(503, repr(error))))
        await asyncio.sleep(0)
        part.fail(KeyError("gone"))
        await door.doors.finish(1)
        assert door.transport.written.startswith(b"HTTP/1.1 503 ")
        assert door.transport.written.endswith(b"KeyError('gone')")


class TestTime:
    async def test_an_answer_that_does_not_come_is_given_up_in_time(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(api(b"a") + api(b"b"))
        door.wheel.tick(now + PATIENCE - 1)
        assert answers(door) == []
        door.wheel.tick(now + PATIENCE + 1.1)
        assert door.transport.written.startswith(b"HTTP/1.1 503 ")
        assert (asked(door), door.transport.closed) == ([b"a", b"b"], False)
        door.settle(1, b"2")
        door.settle(0, b"1")
        assert (answers(door), len(door.wheel)) == ([b"?", b"2"], 1)

    async def test_it_is_given_up_as_soon_on_a_connection_that_waited_for_long(self, door: Door) -> None:
        start = asyncio.get_running_loop().time()
        door.protocol.data_received(api(b"a"))
        door.settle(0, b"1")
        for second in range(8):
            door.wheel.tick(start + second)
        door.protocol._since = start + 7.5
        door.protocol.data_received(api(b"b"))
        door.protocol._since = start + 7.5  # when it came, by a clock that no test moves
        for second in range(8, 14):
            door.wheel.tick(start + second + 0.6)
        assert answers(door) == [b"1", b"?"]

    async def test_one_that_ends_with_the_answer_is_watched_no_more(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(api(b"a", b"Connection: close"))
        door.wheel.tick(now + PATIENCE + 1.1)
        assert (answers(door), door.transport.closed, len(door.wheel)) == ([b"?"], True, 0)

    async def test_one_that_becomes_a_websocket_is_watched_no_more(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(api(b"a") + HANDSHAKE)
        door.wheel.tick(now + PATIENCE + 1.1)
        assert (answers(door), door.transport.protocol, len(door.wheel)) == ([b"?"], door.websocket, 0)

    async def test_an_idle_connection_is_kept_as_long_as_ever(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(api(b"a"))
        door.settle(0, b"1")
        for second in range(int(KEEPALIVE) - 1):
            door.wheel.tick(now + second)
        assert not door.transport.closed
        door.wheel.tick(now + KEEPALIVE + 2)
        assert door.transport.closed


class TestEnds:
    async def test_nobody_is_answered_who_went_while_waiting(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"b"))
        door.protocol.connection_lost(None)
        door.settle(0, b"1")
        assert (door.transport.written, asked(door), len(door.wheel)) == (b"", [b"a"], 0)
        await door.doors.finish(1)

    async def test_nothing_is_written_to_a_connection_that_is_just_ending(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.transport.closed = True
        door.settle(0, b"1")
        assert door.transport.written == b""

    async def test_a_client_that_sends_no_more_gets_what_it_has_asked_for(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"b"))
        assert door.protocol.eof_received()
        door.settle(0, b"1")
        assert not door.transport.closed
        door.settle(1, b"2")
        assert (answers(door), door.transport.closed) == ([b"1", b"2"], True)

    async def test_a_client_that_sends_no_more_and_waits_for_nothing_is_let_go(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.settle(0, b"1")
        assert not door.protocol.eof_received()

    async def test_tls_does_not_know_half_a_connection(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(door.transport, "_extra", {"sslcontext": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)})
        door.protocol.data_received(api(b"a"))
        assert not door.protocol.eof_received()

    async def test_a_client_that_does_not_read_gets_no_further_answer(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"b"))
        door.protocol.pause_writing()
        door.settle(0, b"1")
        assert (asked(door), answers(door)) == ([b"a"], [b"1"])
        door.protocol.resume_writing()
        assert asked(door) == [b"a", b"b"]

    async def test_a_client_that_reads_again_before_its_answer_is_known_gets_it(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"b"))
        door.protocol.pause_writing()
        door.protocol.resume_writing()
        assert asked(door) == [b"a"]
        door.settle(0, b"1")
        assert (asked(door), answers(door)) == ([b"a", b"b"], [b"1"])


class TestStop:
    async def test_a_stop_waits_for_the_answer_and_no_further_request_is_looked_at(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"b"))
        door.doors.close()
        finishing = asyncio.ensure_future(door.doors.finish(60))
        await asyncio.sleep(0)
        assert (finishing.done(), door.transport.closed) == (False, False)
        door.settle(0, b"1")
        await finishing
        assert (asked(door), answers(door), door.transport.closed) == ([b"a"], [b"1"], True)
        assert b"\r\nConnection: close\r\n" in door.transport.written

    async def test_a_stop_does_not_wait_for_who_has_gone(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.doors.close()
        finishing = asyncio.ensure_future(door.doors.finish(60))
        await asyncio.sleep(0)
        door.protocol.connection_lost(None)
        await finishing

    async def test_an_answer_that_does_not_come_before_the_end_is_given_up(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.doors.close()
        await door.doors.finish(0)
        assert (answers(door), door.transport.closed) == ([b"?"], True)

    async def test_connections_that_wait_for_a_request_end_at_once(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.settle(0, b"1")
        door.doors.close()
        assert door.transport.closed
