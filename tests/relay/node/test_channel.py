from collections.abc import Callable

import pytest

from relay.node.channel import JOINED_FRAMES, REST, WIDE, Channel
from relay.node.hub import Hub
from relay.protocol.channels import rules_for
from relay.wire.frames import text_frame
from tests.relay.node.test_hub import Client, hub_of

ONE, TWO, THREE, FOUR = (text_frame(b'{"event":"%d"}' % number) for number in range(1, 5))


def channel_of(*clients: Client) -> Channel:
    channel, _ = hub_of().open(rules_for("a"))
    for client in clients:
        channel.add(client.connection)
    return channel


def test_a_frame_goes_to_every_subscriber_as_the_same_bytes() -> None:
    clients = [Client(f"1.{at}") for at in range(3)]
    channel = channel_of(*clients)
    channel.send(ONE)
    assert len(channel) == 3
    channel.flush()
    assert all(client.transport.frames[0] is ONE for client in clients)


@pytest.mark.parametrize(("exclude", "reached"), [("1.1", [0, 2]), ("9.9", [0, 1, 2]), (None, [0, 1, 2])])
def test_one_connection_may_be_left_out(exclude: str | None, reached: list[int]) -> None:
    clients = [Client(f"1.{at}") for at in range(3)]
    channel = channel_of(*clients)
    channel.send(ONE, exclude)
    channel.flush()
    assert [at for at, client in enumerate(clients) if client.transport.frames] == reached


def test_frames_of_one_turn_are_written_once_when_it_ends() -> None:
    calls: list[Callable[[], None]] = []
    hub, client = Hub(calls.append), Client("1.1")
    channel, _ = hub.open(rules_for("a"))
    channel.add(client.connection)
    channel.send(ONE)
    channel.send(TWO, "9.9")
    assert client.transport.frames == []
    (end_of_turn,) = calls
    end_of_turn()
    assert client.transport.frames == [ONE + TWO]
    assert (hub.stats.messages_sent["event"], hub.stats.bytes_sent["event"]) == (2, len(ONE + TWO))
    channel.send(THREE)
    assert len(calls) == 2


def test_frames_of_several_channels_go_out_in_the_order_in_which_they_were_sent() -> None:
    hub, client = hub_of(), Client("1.1")
    for name in ("a", "b"):
        hub.open(rules_for(name))[0].add(client.connection)
    for name, frame in (("a", ONE), ("a", TWO), ("b", THREE), ("a", FOUR)):
        hub.open(rules_for(name))[0].send(frame)
    assert client.transport.frames == [ONE + TWO, THREE]
    hub.batch.flush()
    assert client.transport.frames == [ONE + TWO, THREE, FOUR]


def test_frames_that_leave_out_different_connections_are_not_joined() -> None:
    one, two = Client("1.1"), Client("1.2")
    channel = channel_of(one, two)
    for frame, exclude in ((ONE, None), (TWO, "1.1"), (THREE, "1.1"), (FOUR, "1.2")):
        channel.send(frame, exclude)
    channel.flush()
    assert (one.transport.frames, two.transport.frames) == ([ONE, FOUR], [ONE, TWO + THREE])


def test_who_subscribes_within_a_turn_gets_what_is_sent_after_that() -> None:
    early, late, last = Client("1.1"), Client("1.2"), Client("1.3")
    channel = channel_of(early)
    channel.send(ONE)
    channel.add(late.connection)
    channel.send(TWO)
    channel.send(THREE)
    channel.add(last.connection)
    channel.flush()
    assert [client.transport.frames for client in (early, late, last)] == [[ONE + TWO + THREE], [TWO + THREE], []]
    channel.send(FOUR)
    channel.flush()
    assert [client.transport.frames[-1] for client in (early, late, last)] == [FOUR] * 3


def test_each_frame_is_counted_once_for_each_subscriber_who_got_it_late_or_not() -> None:
    hub = hub_of()
    channel, _ = hub.open(rules_for("a"))
    for number, frame in enumerate((ONE, TWO, THREE)):
        channel.add(Client(f"1.{number}").connection)
        channel.send(frame)
    channel.flush()
    assert hub.stats.messages_sent["event"] == 1 + 2 + 3
    assert hub.stats.bytes_sent["event"] == len(ONE) + 2 * len(TWO) + 3 * len(THREE)


def test_who_leaves_within_a_turn_gets_nothing_more() -> None:
    stays, leaves, late = Client("1.1"), Client("1.2"), Client("1.3")
    channel = channel_of(stays, leaves)
    channel.send(ONE)
    channel.add(late.connection)
    channel.send(TWO)
    for client in (leaves, late):
        channel.remove(client.connection)
    channel.flush()
    assert [client.transport.frames for client in (stays, leaves, late)] == [[ONE + TWO], [], []]


def test_a_late_subscriber_that_is_left_out_gets_nothing() -> None:
    early, late = Client("1.1"), Client("1.2")
    channel = channel_of(early)
    channel.send(ONE)
    channel.add(late.connection)
    channel.send(TWO, "1.2")
    channel.flush()
    assert (early.transport.frames, late.transport.frames) == ([ONE, TWO], [])


def test_a_long_turn_does_not_join_without_end() -> None:
    client = Client("1.1")
    channel = channel_of(client)
    for _ in range(JOINED_FRAMES + 1):
        channel.send(ONE)
    assert client.transport.frames == [ONE * JOINED_FRAMES]
    channel.flush()
    assert client.transport.frames[1:] == [ONE]


def test_who_is_not_subscribed_cannot_be_removed() -> None:
    channel, _ = hub_of().open(rules_for("a"))
    with pytest.raises(KeyError):
        channel.remove(Client("1.1").connection)


class Turns:
    """A hub of a node among others: what it defers to the end of a turn, and its timers, are run by the test."""

    def __init__(self) -> None:
        self.deferred: list[Callable[[], None]] = []
        self.timers: list[Callable[[], None]] = []
        self.hub = Hub(self.deferred.append, self._later)

    def channel(self, name: str, subscribers: int) -> tuple[Channel, list[list[bytes]]]:
        """A channel, and what its subscribers got in each write."""
        clients = [Client(f"{name}.{at}") for at in range(subscribers)]
        channel, _ = self.hub.open(rules_for(name))
        for client in clients:
            channel.add(client.connection)
        return channel, [client.transport.frames for client in clients]

    def end(self) -> None:
        """End the turn."""
        deferred, self.deferred[:] = self.deferred[:], []
        for call in deferred:
            call()

    def rest(self) -> None:
        """Let REST pass."""
        timers, self.timers[:] = self.timers[:], []
        for call in timers:
            call()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == REST
        self.timers.append(call)


class TestRest:
    def test_a_wide_channel_that_has_written_joins_what_comes_in_the_turns_of_its_rest(self) -> None:
        turns = Turns()
        channel, got = turns.channel("a", WIDE)
        channel.send(ONE)
        turns.end()
        for frame in (TWO, THREE):
            channel.send(frame)
            turns.end()
        assert got == [[ONE]] * WIDE
        turns.rest()
        assert got == [[ONE, TWO + THREE]] * WIDE

    def test_it_rests_again_while_events_come_and_is_prompt_when_none_came(self) -> None:
        turns = Turns()
        channel, (got, *_) = turns.channel("a", WIDE)
        for frame in (ONE, TWO):
            channel.send(frame)
            turns.end()
        turns.rest()
        assert (len(turns.timers), got) == (1, [ONE, TWO])
        turns.rest()
        assert turns.timers == []
        channel.send(THREE)
        turns.end()
        assert got == [ONE, TWO, THREE]

    def test_a_channel_with_fewer_subscribers_never_rests(self) -> None:
        turns = Turns()
        channel, (got, *_) = turns.channel("a", WIDE - 1)
        for frame in (ONE, TWO):
            channel.send(frame)
            turns.end()
        assert (turns.timers, got) == ([], [ONE, TWO])

    def test_other_channels_do_not_rest_with_it_and_the_order_is_kept(self) -> None:
        turns = Turns()
        wide, (got, *_) = turns.channel("a", WIDE)
        narrow, (also,) = turns.channel("b", 1)
        wide.send(ONE)
        turns.end()
        wide.send(TWO)
        turns.end()
        narrow.send(THREE)
        assert (got, also) == ([ONE, TWO], [])
        turns.end()
        assert also == [THREE]
        wide.send(FOUR)
        turns.end()
        assert got == [ONE, TWO]
        turns.rest()
        assert got == [ONE, TWO, FOUR]

    def test_a_rest_does_not_join_without_end(self) -> None:
        turns = Turns()
        channel, (got, *_) = turns.channel("a", WIDE)
        channel.send(ONE)
        turns.end()
        for _ in range(JOINED_FRAMES + 1):
            channel.send(TWO)
            turns.end()
        assert got == [ONE, TWO * JOINED_FRAMES]

    def test_what_is_sent_first_of_all_can_be_sent_during_a_rest(self) -> None:
        turns = Turns()
        channel, (got, *_) = turns.channel("a", WIDE)
        turns.hub.batch.flush_resting()
        channel.send(ONE)
        turns.hub.batch.flush_resting()
        assert got == []
        turns.end()
        channel.send(TWO)
        turns.end()
        turns.hub.batch.flush_resting()
        assert got == [ONE, TWO]

    def test_nobody_waits_where_a_node_is_alone(self) -> None:
        deferred: list[Callable[[], None]] = []
        hub = Hub(deferred.append)
        channel, _ = hub.open(rules_for("a"))
        clients = [Client(f"1.{at}") for at in range(WIDE)]
        for client in clients:
            channel.add(client.connection)
        for at, frame in enumerate((ONE, TWO)):
            channel.send(frame)
            deferred[at]()
        assert clients[0].transport.frames == [ONE, TWO]
