from collections.abc import Callable

import pytest

from relay.node.channel import JOINED_FRAMES, Channel
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
