"""How much of what a peer sends is handled at once: counted, on a loop that a test turns by hand; and by real sockets."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from relay.protocol.limits import Limits
from relay.transports.intake import LARGE_READ, MESSAGES, Intake
from relay.transports.websocket import CLOSE_TIMEOUT
from tests.helpers.clients import APP, app_with, message
from tests.helpers.frames import client_frame
from tests.helpers.loop import FakeLoop
from tests.helpers.relay import RunningRelay, WebSocketClient, running_relay, until

A_TURN = MESSAGES
LIMITED = Limits(messages_per_second=90, client_events_per_second=10, subscriptions=50)


class Peer(Intake[bytes]):
    """Handles pieces by keeping them."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.loop = FakeLoop()
        self._loop = self.loop  # type: ignore[assignment] # all that an intake uses of one
        self.limits = limits
        self.handled: list[bytes] = []
        self.reads = True
        self.hits = 0
        self._start()

    def take(self, *pieces: bytes) -> None:
        self._take(iter(pieces), sum(map(len, pieces)))

    def count(self) -> int:
        """How many were handled since the last time."""
        count = len(self.handled)
        self.handled.clear()
        return count

    def turn(self, seconds: float = 0.0) -> int:
        """How many are handled in the loop's next turn."""
        self.loop.now += seconds
        self.loop.turn()
        return self.count()

    def change(self, limits: Limits | None) -> None:
        self.limits = limits
        self._renew()

    def end(self) -> None:
        self._forget_held()

    def _handle(self, pieces: Iterator[bytes], most: int) -> None:
        count = 0
        for count, piece in enumerate(pieces, 1):
            self.handled.append(piece)
            if count >= most:
                break
        self._spend(count, most, pieces)

    def _limits(self) -> Limits | None:
        return self.limits

    def _count_hit(self) -> None:
        self.hits += 1

    def _pause(self) -> None:
        self.reads = False

    def _resume(self) -> None:
        self.reads = True


class TestATurn:
    def test_few_messages_are_handled_at_once_and_reading_goes_on(self) -> None:
        peer = Peer()
        peer.take(*[b""] * (A_TURN - 1))
        assert (peer.count(), peer.reads, peer.loop.soon) == (A_TURN - 1, True, [])

    def test_of_many_a_bounded_number_is_handled_in_each_turn_and_nothing_is_read_meanwhile(self) -> None:
        peer = Peer()
        peer.take(*[b""] * (2 * A_TURN + 5))
        assert (peer.count(), peer.reads) == (A_TURN, False)
        assert (peer.turn(), peer.reads) == (A_TURN, False)
        assert (peer.turn(), peer.reads) == (5, True)
        assert (peer.turn(), peer.loop.soon) == (0, [])

    def test_a_large_read_is_the_last_one_of_its_turn_even_if_no_message_is_whole(self) -> None:
        peer = Peer()
        peer._take(iter(()), LARGE_READ)
        assert not peer.reads
        assert (peer.turn(), peer.reads) == (0, True)

    def test_of_a_large_read_one_message_is_handled_at_once_and_the_others_later(self) -> None:
        peer = Peer()
        peer.take(*[b"x" * 10_000] * 14)
        assert (peer.count(), peer.reads) == (1, False)
        assert (peer.turn(), peer.reads) == (13, True)

    def test_what_comes_all_the_same_is_handled_after_what_waits(self) -> None:
        peer = Peer()
        pieces = [b"%d" % number for number in range(3 * A_TURN)]
        peer.take(*pieces[: A_TURN + 1])
        peer.take(*pieces[A_TURN + 1 : 2 * A_TURN])
        peer.take(*pieces[2 * A_TURN :])
        while not peer.reads:
            peer.loop.turn()
        assert peer.handled == pieces

    def test_nothing_is_handled_of_one_that_is_gone(self) -> None:
        peer = Peer()
        peer.take(*[b""] * (A_TURN + 5))
        peer.count()
        peer.end()
        assert peer.turn() == 0

    @given(st.lists(st.lists(st.binary(max_size=5_000), max_size=80), max_size=6), st.lists(st.booleans(), max_size=30))
    def test_all_is_handled_in_its_order_and_never_more_than_a_turn_at_once(
        self, reads: list[list[bytes]], turns: list[bool]
    ) -> None:
        peer, handled = Peer(), []
        for pieces, does_turn in zip(reads, [*turns, *[True] * len(reads)], strict=False):
            peer.take(*pieces)
            handled += peer.handled
            peer.count()
            if does_turn:
                peer.loop.turn()
        while not peer.reads:
            assert len(peer.handled) <= A_TURN
            handled += peer.handled
            peer.count()
            peer.loop.turn()
        assert handled + peer.handled == [piece for pieces in reads for piece in pieces]


class TestMessagesASecond:
    def test_a_burst_passes_and_then_as_many_as_the_seconds_hold(self) -> None:
        peer = Peer(LIMITED)
        assert LIMITED.message_burst == 200
        peer.take(*[b""] * 1_000)
        handled = peer.count()
        while (more := peer.turn()) > 0:
            handled += more
        assert 200 <= handled < 200 + A_TURN
        assert (peer.reads, peer.hits) == (False, 1)
        for _ in range(20):
            handled += peer.turn(seconds=0.1)
        assert 400 <= handled < 400 + A_TURN

    def test_in_the_end_nothing_is_lost(self) -> None:
        peer = Peer(LIMITED)
        pieces = [b"%d" % number for number in range(1_000)]
        peer.take(*pieces)
        for _ in range(100):
            peer.loop.now += 0.1
            peer.loop.turn()
        assert (peer.handled, peer.reads) == (pieces, True)

    def test_who_sends_no_more_than_the_rate_never_waits(self) -> None:
        peer = Peer(LIMITED)
        for _ in range(1_000):
            peer.take(*[b""] * 10)
            while not peer.reads:
                peer.loop.turn()
            assert peer.count() == 10
            peer.loop.now += 0.1
        assert (peer.hits, peer.loop.later) == (0, [])

    def test_a_long_silence_saves_no_more_than_a_burst(self) -> None:
        peer = Peer(LIMITED)
        peer.take(*[b""] * 60)
        peer.loop.now += 3_600.0
        peer.take(*[b""] * 1_000)
        handled = peer.count()
        while (more := peer.turn()) > 0:
            handled += more
        assert handled < 60 + 2 * 200 + A_TURN

    def test_a_changed_rate_counts_at_once_for_one_that_waits(self) -> None:
        peer = Peer(Limits(messages_per_second=1, client_events_per_second=1, subscriptions=1))
        peer.take(*[b""] * 500)
        peer.count()
        assert peer.turn() == 0
        peer.change(Limits(messages_per_second=0))
        assert peer.turn() == A_TURN
        while not peer.reads:
            peer.loop.turn()
        peer.take(*[b""] * 10)
        assert peer.reads


PING = client_frame(message("pusher:ping"))


async def pongs(client: WebSocketClient, count: int) -> None:
    for _ in range(count):
        assert (await client.receive())["event"] == "pusher:pong"


class TestOnTheWire:
    @pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
    def test_a_flood_is_answered_whole_and_in_order_and_its_end_is_noticed(
        self, new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def scenario() -> None:
            async with running_relay(app_with(messages_per_second=0)) as relay:
                wire = await relay.wire()
                await wire.send(
                    b"GET /app/key-3 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                )
                await wire.head()
                echoes = [b"%d" % number for number in range(20_000)]
                wire.writer.write(b"".join(client_frame(echo, opcode=0x9) for echo in echoes))
                wire.writer.write_eof()
                answer = await wire.rest()
                assert b"".join(bytes((0x8A, len(echo))) + echo for echo in echoes) in answer
                await until(lambda: not len(relay.node.namespaces[relay.app.id].hub.connections))

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(asyncio.wait_for(scenario(), 60))

    @pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
    def test_pipelined_requests_are_all_answered_and_an_upgrade_after_them_too(
        self, new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def scenario() -> None:
            async with running_relay() as relay:
                wire = await relay.wire()
                up = b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n"
                upgrade = (
                    b"GET /app/key-3 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                )
                sending = asyncio.create_task(wire.send(up * 9_000 + upgrade + PING * 500))
                for _ in range(9_000):
                    assert await wire.answer() == (200, b'{"ok":true}')
                assert b" 101 " in await wire.head()
                await sending
                wire.writer.write_eof()
                assert (await wire.rest()).count(b"pusher:pong") == 500

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(asyncio.wait_for(scenario(), 60))

    async def test_another_clients_ping_overtakes_what_a_flood_has_sent_before_it(self) -> None:
        async with running_relay(app_with(messages_per_second=0)) as relay:
            greedy, other = await relay.connect(max_queue=None), await relay.connect()
            stats = relay.node.namespaces[relay.app.id].stats
            transport = greedy.websocket.transport
            transport.write(PING * 8_000)
            await until(lambda: stats.messages_received["ping"] > 0)
            before = stats.messages_received["ping"]
            await other.told()
            # A few turns at most: of the test's loop, which is the relay's as well.
            assert stats.messages_received["ping"] - before < 30 * A_TURN
            await pongs(greedy, 8_000)

    async def test_over_the_rate_a_client_is_answered_later_and_the_metric_says_so(self) -> None:
        app = app_with(messages_per_second=500, client_events_per_second=1, subscriptions=1)
        async with running_relay(app) as relay:
            greedy = await relay.connect(max_queue=None)
            greedy.websocket.transport.write(PING * 800)
            await pongs(greedy, 800)
            assert relay.node.namespaces[relay.app.id].stats.limits_hit["messages_per_second"] > 0
            assert len(relay.node.namespaces[relay.app.id].hub.connections) == 1

    async def test_fragments_without_a_message_count_too(self) -> None:
        app = app_with(messages_per_second=1, client_events_per_second=1, subscriptions=1)
        async with running_relay(app) as relay:
            greedy = await relay.connect()
            stats = relay.node.namespaces[app.id].stats
            greedy.websocket.transport.write(
                client_frame(b"", fin=False) + client_frame(b"", opcode=0x0, fin=False) * 10_000
            )
            await until(lambda: stats.limits_hit["messages_per_second"] > 0)
            assert sum(stats.messages_received.values()) == 0

    async def test_a_client_that_is_closed_while_it_waits_is_told_so_at_once(self) -> None:
        app = app_with(messages_per_second=1, client_events_per_second=1, subscriptions=1)
        async with running_relay(app) as relay:
            greedy = await relay.connect(max_queue=None)
            greedy.websocket.transport.write(PING * 1_000)
            await until(lambda: relay.node.namespaces[app.id].stats.limits_hit["messages_per_second"] > 0)
            closed_at = asyncio.get_running_loop().time()
            relay.reload([replace(app, enabled=False)])
            assert (await greedy.closed())[0] == 4003
            # Its own close was read: else it would have been dropped after CLOSE_TIMEOUT.
            assert asyncio.get_running_loop().time() - closed_at < CLOSE_TIMEOUT

    async def test_one_that_resets_while_it_waits_is_forgotten(self) -> None:
        app = app_with(messages_per_second=50, client_events_per_second=1, subscriptions=1)
        async with running_relay(app) as relay:
            greedy = await relay.connect(max_queue=None)
            greedy.websocket.transport.write(PING * 250)
            await until(lambda: relay.node.namespaces[app.id].stats.limits_hit["messages_per_second"] > 0)
            linger = greedy.websocket.transport.get_extra_info("socket")
            linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            greedy.websocket.transport.abort()
            await until(lambda: not len(relay.node.namespaces[relay.app.id].hub.connections))
            assert (await relay.request("GET", "/up")).status == 200


async def test_a_body_of_many_messages_by_polling_is_handled_in_parts_and_answered_when_it_is_done(
    relay: RunningRelay,
) -> None:
    session = "/app/key-3/1/abc"
    assert (await relay.request("POST", f"{session}/xhr?protocol=7")).text.startswith("o\n")
    body = json.dumps([message("pusher:ping").decode()] * (A_TURN * 3)).encode()
    stats = relay.node.namespaces[APP.id].stats
    sending = asyncio.create_task(relay.request("POST", f"{session}/xhr_send", body))
    seen = set()
    while not sending.done():
        seen.add(stats.messages_received["ping"])
        await asyncio.sleep(0)
    assert (await sending).status == 204
    assert max(later - earlier for earlier, later in zip(sorted(seen), sorted(seen)[1:], strict=False)) <= A_TURN
    assert stats.messages_received["ping"] == A_TURN * 3
    answer = (await relay.request("POST", f"{session}/xhr?protocol=7")).text
    assert answer.count("pusher:pong") == A_TURN * 3
