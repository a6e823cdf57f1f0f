"""The front door: who is handed where, and who is sent away."""

import asyncio
import re
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushdesk.deadlines import KEEPALIVE, REQUEST_TIMEOUT
from relay.transports import reading
from relay.transports.exchange import Exchange
from relay.transports.reading import MAX_HEAD
from relay.wire.bodies import ChunkedBody
from relay.wire.http import PlainRequest, parse_plain
from tests.helpers.door import HANDSHAKE, MAX_BODY, Door, answers, api
from tests.helpers.relay import until


@pytest.fixture
async def door() -> Door:
    return Door(asyncio.get_running_loop().time())


class TestAlone:
    async def test_a_head_that_does_not_come_gets_408_in_time(
        self, door: Door, logged: list[MutableMapping[str, Any]]
    ) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(HANDSHAKE[:-1])
        door.wheel.tick(now + REQUEST_TIMEOUT - 1)
        assert not door.transport.closed
        door.wheel.tick(now + REQUEST_TIMEOUT + 1.1)
        assert door.transport.written.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert door.transport.closed
        assert len(door.wheel) == 0
        assert [(line["event"], line["status"], line["reason"]) for line in logged] == [
            ("request_refused", 408, "The request took more than 10 s")
        ]

    async def test_bytes_that_trickle_in_do_not_put_the_deadline_off(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        for second in range(12):
            if not door.transport.closed:
                door.protocol.data_received(b"a")
            door.wheel.tick(now + second)
        assert door.transport.closed

    async def test_empty_lines_alone_are_no_request_and_do_not_put_the_deadline_off(self, door: Door) -> None:
        door.protocol.data_received(b"\r\n\r\n\r\n\n")
        assert door.transport.protocol is None
        door.wheel.tick(asyncio.get_running_loop().time() + 12)
        assert door.transport.closed

    async def test_an_upgrade_goes_to_a_websocket_with_what_followed_its_head(self, door: Door) -> None:
        door.protocol.data_received(HANDSHAKE + b"frame")
        assert door.transport.protocol is door.websocket
        assert door.websocket.upgrade is not None
        assert door.websocket.upgrade.app_key == "key-3"
        assert door.websocket.received == b"frame"
        assert len(door.wheel) == 0

    async def test_a_client_that_went_is_watched_no_more(self, door: Door) -> None:
        assert len(door.wheel) == 1
        door.protocol.connection_lost(None)
        assert len(door.wheel) == 0


class TestPlainRequests:
    async def test_a_request_is_answered_on_the_spot_and_the_connection_kept(self, door: Door) -> None:
        door.protocol.data_received(api(b"{}"))
        assert door.asked == [("POST", "/apps/3/events", b"{}")]
        assert door.transport.written.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        assert b"\r\nDate: " in door.transport.written
        assert (answers(door), door.transport.closed) == ([b"1"], False)

    async def test_a_body_may_come_byte_by_byte(self, door: Door) -> None:
        for octet in api(b'{"a":1}'):
            assert door.asked == []
            door.protocol.data_received(bytes((octet,)))
        assert door.asked == [("POST", "/apps/3/events", b'{"a":1}')]

    async def test_a_body_that_comes_drop_by_drop_is_not_looked_at_for_each_drop(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks = []

        def look(data: bytes) -> PlainRequest | None:
            looks.append(len(data))
            return parse_plain(data)

        monkeypatch.setattr(reading, "parse_plain", look)
        body = bytes(range(250)) * 4
        request = api(body, b"X: y")
        for at in range(0, len(request), 5):
            door.protocol.data_received(request[at : at + 5])
        assert [asked for _, _, asked in door.asked] == [body]
        assert len(looks) == 1

    async def test_requests_in_one_packet_are_answered_in_their_order(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + api(b"") + api(b"c", method=b"GET") + api(b"d")[:-1])
        assert [body for _, _, body in door.asked] == [b"a", b"", b"c"]
        door.protocol.data_received(b"d")
        assert [method for method, _, _ in door.asked] == ["POST", "POST", "GET", "POST"]
        assert answers(door) == [b"1", b"2", b"3", b"4"]

    @pytest.mark.parametrize("gap", [b"\r\n", b"\n\r\n\r\n"])
    @pytest.mark.parametrize("at_once", [True, False])
    async def test_empty_lines_after_a_body_are_no_request(self, door: Door, gap: bytes, at_once: bool) -> None:
        pieces = [api(b"a") + gap + api(b"b")] if at_once else [api(b"a"), gap, api(b"b")]
        for piece in pieces:
            door.protocol.data_received(piece)
        assert [body for _, _, body in door.asked] == [b"a", b"b"]
        assert door.transport.protocol is None

    async def test_the_last_request_ends_the_connection_and_what_follows_is_not_read(self, door: Door) -> None:
        door.protocol.data_received(api(b"a", b"Connection: close") + api(b"b"))
        assert [body for _, _, body in door.asked] == [b"a"]
        assert b"\r\nConnection: close\r\n" in door.transport.written
        assert door.transport.closed
        assert len(door.wheel) == 0

    async def test_an_upgrade_after_requests_is_followed(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.protocol.data_received(api(b"b") + HANDSHAKE + b"frame")
        assert answers(door) == [b"1", b"2"]
        assert (door.transport.protocol, door.websocket.received) == (door.websocket, b"frame")

    @pytest.mark.parametrize("switches", [True, False])
    async def test_what_follows_more_requests_than_a_turn_answers_goes_whole_where_it_belongs(
        self, door: Door, switches: bool
    ) -> None:
        other = HANDSHAKE if switches else b"POST /xhr HTTP/1.1\r\nHost: x\r\n\r\n"
        following = b"body" * 30_000 if switches else api(b"z") * 500
        door.protocol.data_received(api(b"a") * 500 + other + following)
        assert len(door.asked) < 100
        await until(lambda: door.transport.protocol is not None or bool(door.exchanges))
        assert len(door.asked) == 500
        if switches:
            assert (door.websocket.received, door.transport.reads) == (following, True)
            return
        assert not door.transport.reads
        door.held.set()
        await until(lambda: len(door.asked) == 1_000 and door.transport.reads)
        assert [body for _, _, body in door.asked[500:]] == [b"z"] * 500

    async def test_a_client_that_went_is_not_answered_further(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") * 500)
        answered = len(door.asked)
        door.protocol.connection_lost(None)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(door.asked) == answered

    async def test_a_body_of_the_limit_is_taken(self, door: Door) -> None:
        door.protocol.data_received(api(b"x" * MAX_BODY))
        assert len(door.asked[0][2]) == MAX_BODY


POLL = b"POST /app/key-3/1/abc/xhr HTTP/1.1\r\nHost: x\r\nOrigin: y\r\nContent-Length: 2\r\n\r\n{}"

# What no request that is only plain has, each time a whole request for /apps/3/events or /up.
STRANGE = [
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\nA: b\r\n\r\n",
    b"POST http://x/apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{}",
    b"PUT /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"OPTIONS /apps/3/events HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
]


class TestRequestByRequest:
    """Whatever a request was, the next one on its connection may be any other."""

    @pytest.mark.parametrize("strange", STRANGE)
    @pytest.mark.parametrize("at_once", [True, False])
    async def test_a_request_of_any_kind_is_answered_and_the_connection_kept(
        self, door: Door, strange: bytes, at_once: bool
    ) -> None:
        data = api(b"a") + strange + HANDSHAKE + b"frame"
        for piece in [data] if at_once else [bytes((octet,)) for octet in data[:-5]] + [b"frame"]:
            if door.transport.protocol is None:
                door.protocol.data_received(piece)
            else:
                door.websocket.data_received(piece)
        assert [(target, body) for _, target, body in door.asked] == [
            ("/apps/3/events", b"a"),
            ("/apps/3/events", b"{}"),
        ]
        assert (door.transport.protocol, door.websocket.received) == (door.websocket, b"frame")

    async def test_the_answer_to_a_head_has_no_body(self, door: Door) -> None:
        door.protocol.data_received(b"HEAD /up HTTP/1.1\r\nHost: x\r\n\r\n" + api(b"a"))
        first, second = door.transport.written.split(b"HTTP/1.1 200 OK\r\n")[1:]
        assert b"Content-Length: 1\r\n" in first
        assert first.endswith(b"\r\n\r\n")
        assert second.endswith(b"\r\n\r\n2")

    async def test_http_1_0_is_answered_and_closed(self, door: Door) -> None:
        door.protocol.data_received(b"GET /up HTTP/1.0\r\n\r\n" + api(b"a"))
        assert [target for _, target, _ in door.asked] == ["/up"]
        assert b"\r\nConnection: close\r\n" in door.transport.written
        assert door.transport.closed

    async def test_a_request_behind_one_that_is_held_waits_for_its_turn(self, door: Door) -> None:
        door.protocol.data_received(api(b"a") + POLL + api(b"b") + HANDSHAKE)
        await asyncio.sleep(0)
        (exchange,) = door.exchanges
        assert (exchange.head.target, exchange.body) == ("/app/key-3/1/abc/xhr", b"{}")
        assert exchange.head.headers[b"origin"] == b"y"
        assert ([body for _, _, body in door.asked], door.transport.high) == ([b"a"], 1)
        door.held.set()
        await door.doors.finish(1)
        assert [body for _, _, body in door.asked] == [b"a", b"b"]
        assert answers(door) == [b"1", b"h", b"2"]
        assert (door.transport.protocol, door.transport.high) == (door.websocket, None)

    async def test_no_more_is_read_behind_a_request_that_is_held_than_one_head(self, door: Door) -> None:
        door.protocol.data_received(POLL)
        door.protocol.data_received(b"x" * MAX_HEAD)
        assert door.transport.reads
        door.protocol.data_received(b"x")
        assert not door.transport.reads
        door.held.set()
        await door.doors.finish(1)
        assert door.transport.reads
        assert b" 431 " in door.transport.written

    async def test_a_client_that_goes_while_its_request_is_held_ends_it(self, door: Door) -> None:
        door.protocol.data_received(POLL)
        await asyncio.sleep(0)
        door.protocol.connection_lost(None)
        await door.doors.finish(1)
        assert (door.transport.written, door.transport.aborted) == (b"", True)

    async def test_a_held_request_is_the_last_one_when_the_relay_stops(self, door: Door) -> None:
        door.protocol.data_received(POLL + api(b"a"))
        door.doors.close()
        door.held.set()
        await door.doors.finish(1)
        assert (answers(door), door.transport.closed) == ([b"h"], True)

    async def test_a_held_request_that_does_not_end_is_ended_when_the_relay_stops(self, door: Door) -> None:
        door.protocol.data_received(POLL)
        door.doors.close()
        await door.doors.finish(0)
        assert door.transport.aborted

    async def test_a_bug_in_a_held_request_is_logged_and_ends_the_connection(
        self, door: Door, logged: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(_: Exchange) -> None:
            raise KeyError("detail")

        door.doors.fallback = fail
        door.protocol.data_received(POLL)
        await door.doors.finish(1)
        assert door.transport.aborted
        assert [(line["event"], line["log_level"]) for line in logged] == [("request_failed", "error")]
        logged.clear()


class TestExpectations:
    AWAITED = b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

    async def test_a_client_that_waits_for_a_100_gets_it_at_once(self, door: Door) -> None:
        door.protocol.data_received(self.AWAITED)
        assert door.transport.written == self.CONTINUE
        door.protocol.data_received(b"{}")
        assert door.asked == [("POST", "/apps/3/events", b"{}")]

    async def test_a_client_that_does_not_wait_gets_none(self, door: Door) -> None:
        door.protocol.data_received(self.AWAITED + b"{")
        assert door.transport.written == b""

    async def test_a_request_without_a_body_gets_its_answer(self, door: Door) -> None:
        door.protocol.data_received(self.AWAITED.replace(b"Length: 2", b"Length: 0"))
        assert door.transport.written.startswith(b"HTTP/1.1 200 OK")

    async def test_a_body_over_the_limit_is_refused_before_it_is_sent(self, door: Door) -> None:
        door.protocol.data_received(self.AWAITED.replace(b"Length: 2", b"Length: 1001"))
        assert door.transport.written.startswith(b"HTTP/1.1 413 ")

    async def test_another_expectation_gets_417(self, door: Door) -> None:
        door.protocol.data_received(self.AWAITED.replace(b"100-Continue", b"200-ok"))
        assert door.transport.written.startswith(b"HTTP/1.1 417 ")
        assert door.transport.closed


class TestBodiesOverTheLimit:
    CHUNKED = b"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    @pytest.mark.parametrize(
        "pieces", [[api(b"x" * (MAX_BODY + 1))], [CHUNKED, b"1f4\r\n" + b"x" * 500 + b"\r\n", b"1f5\r\n"]]
    )
    async def test_they_are_refused_and_what_is_still_sent_is_forgotten(self, door: Door, pieces: list[bytes]) -> None:
        now = asyncio.get_running_loop().time()
        for piece in pieces:
            door.protocol.data_received(piece)
        assert (door.asked, door.transport.ended, door.transport.closed) == ([], True, False)
        written = door.transport.written
        assert written.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in written
        door.protocol.data_received(api(b"a"))
        assert (door.asked, door.transport.written) == ([], written)
        door.wheel.tick(now + REQUEST_TIMEOUT + 1.1)
        assert door.transport.aborted

    async def test_of_a_body_in_chunks_a_turn_reads_one_portion(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        feed = ChunkedBody.feed

        def look(body: ChunkedBody, data: bytes) -> bytes | None:
            sizes.append(len(data))
            return feed(body, data)

        monkeypatch.setattr(ChunkedBody, "feed", look)
        chunks = (b"1;" + b"x" * 200 + b"\r\na\r\n") * MAX_BODY + b"0\r\n\r\n"
        door.protocol.data_received(self.CHUNKED + chunks)
        turns = 0
        while not door.asked:
            turns += 1
            await asyncio.sleep(0)
            assert len(sizes) <= turns + 1
        assert (max(sizes), door.asked[0][2]) == (reading.PORTION, b"a" * MAX_BODY)

    async def test_chunks_that_are_none_get_400(self, door: Door) -> None:
        door.protocol.data_received(self.CHUNKED + b"x\r\n")
        assert door.transport.written.startswith(b"HTTP/1.1 400 ")
        assert door.transport.closed


class TestPatience:
    async def test_a_body_that_does_not_come_gets_408(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(api(b"{}")[:-1])
        door.wheel.tick(now + REQUEST_TIMEOUT + 1.1)
        assert door.transport.written.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nConnection: close\r\n" in door.transport.written
        assert door.asked == []
        assert door.transport.closed

    async def test_an_idle_connection_is_kept_for_the_next_request_and_then_ended_without_a_word(
        self, door: Door
    ) -> None:
        now = asyncio.get_running_loop().time()
        door.protocol.data_received(api(b"a"))
        for second in range(1, int(KEEPALIVE)):
            door.wheel.tick(now + second)
        assert not door.transport.closed
        for second in range(int(KEEPALIVE), int(KEEPALIVE) + 12):
            door.wheel.tick(now + second)
        assert door.transport.closed
        assert answers(door) == [b"1"]

    async def test_a_request_that_begins_on_an_idle_connection_has_its_own_time(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        door.protocol.data_received(api(b"a"))
        monkeypatch.setattr(loop, "time", lambda: now + 50)
        door.protocol.data_received(api(b"b")[:-1])
        for second in range(1, 60):
            door.wheel.tick(now + second)
        assert not door.transport.closed
        for second in range(60, 75):
            door.wheel.tick(now + second)
        assert b"408 Request Timeout" in door.transport.written

    async def test_a_client_that_always_has_the_next_request_half_sent_is_served_on(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        request = api(b"a")
        door.protocol.data_received(request[:9])
        for second in range(1, 60):
            monkeypatch.setattr(loop, "time", lambda second=second: now + second)
            door.protocol.data_received(request[9:] + request[:9])
            door.wheel.tick(now + second)
        assert not door.transport.closed
        assert len(door.asked) == 59

    async def test_empty_lines_do_not_keep_a_connection(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for second in range(1, 14):
            monkeypatch.setattr(loop, "time", lambda second=second: now + second)
            if not door.transport.closed:
                door.protocol.data_received(b"\r\n")
            door.wheel.tick(now + second)
        assert door.transport.closed


class TestClientsThatDoNotRead:
    async def test_no_more_of_their_requests_are_answered_until_they_read(self, door: Door) -> None:
        door.transport.pause_after = (1, door.protocol)
        door.protocol.data_received(api(b"a") + api(b"b") + api(b"c"))
        assert (answers(door), door.transport.reads) == ([b"1"], False)
        door.protocol.resume_writing()
        assert (answers(door), door.transport.reads) == ([b"1", b"2", b"3"], True)

    async def test_of_more_requests_than_a_turn_answers_none_is_answered_until_they_read(self, door: Door) -> None:
        door.transport.pause_after = (3, door.protocol)
        door.protocol.data_received(api(b"a" * 900) * 400)
        await until(lambda: len(answers(door)) == 3)
        for _ in range(5):
            await asyncio.sleep(0)
        assert (len(answers(door)), door.transport.reads) == (3, False)
        door.transport.pause_after = (0, None)
        door.protocol.resume_writing()
        assert (len(answers(door)) < 100, door.transport.reads) == (True, False)
        await until(lambda: door.transport.reads)
        assert (len(answers(door)), len(door.asked)) == (400, 400)

    async def test_one_that_reads_slowly_is_waited_for(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.transport.pause_after = (1, door.protocol)
        door.transport.unsent = 100_000
        door.protocol.data_received(api(b"a"))
        for second in range(1, 100):
            door.transport.unsent -= 1_000
            door.wheel.tick(now + second)
        assert not door.transport.closed

    async def test_one_that_never_reads_is_dropped_with_all_that_waits_for_it(self, door: Door) -> None:
        now = asyncio.get_running_loop().time()
        door.transport.pause_after = (1, door.protocol)
        door.protocol.data_received(api(b"a"))
        door.transport.unsent = 100_000
        seconds = iter(range(1, 100))
        while not door.transport.closed:
            door.wheel.tick(now + next(seconds))
        assert not door.transport.aborted
        for second in seconds:
            door.wheel.tick(now + second)
        assert door.transport.aborted

    async def test_a_stop_ends_the_connections_that_wait(self, door: Door) -> None:
        door.protocol.data_received(api(b"a"))
        door.doors.close()
        assert door.transport.closed
        assert len(door.wheel) == 0


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"GET /app/", b"\r\n\r\n", HANDSHAKE, HANDSHAKE[:-2]]), max_size=6
    )
)
def test_whatever_bytes_come_they_are_answered_handed_on_once_or_refused(pieces: list[bytes]) -> None:
    async def receive() -> Door:
        door = Door(asyncio.get_running_loop().time())
        for piece in pieces:
            if door.transport.protocol is None and not door.transport.closed:
                door.protocol.data_received(piece)
        return door

    door = asyncio.run(receive())
    if door.transport.closed:
        statuses = re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", door.transport.written)
        assert set(statuses[:-1]) <= {b"200"}
        assert statuses[-1] in {b"400", b"426", b"501"}
        assert door.transport.protocol is None
    assert len(door.wheel) == (door.transport.protocol is None and not door.transport.closed)
