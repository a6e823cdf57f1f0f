import pytest

from relay.connection import Connection
from relay.hub import Hub
from relay.protocol.channels import rules_for
from relay.protocol.session import Session
from tests.helpers.clients import APP
from tests.helpers.transport import RecordingTransport


class Client:
    def __init__(self, socket_id: str) -> None:
        self.transport = RecordingTransport()
        self.connection = Connection(APP, Session(APP, socket_id), self.transport)


def hub_of() -> Hub:
    return Hub(max_cached=10)


def test_a_channel_exists_from_its_first_to_its_last_subscriber() -> None:
    hub, client = hub_of(), Client("1.1")
    assert hub.get("a") is None
    channel, was_empty = hub.open(rules_for("a"))
    assert was_empty
    channel.add(client.connection)
    assert hub.open(rules_for("a")) == (channel, False)
    assert (hub.get("a"), list(hub)) == (channel, [channel])
    assert not hub.close_if_empty(channel)
    channel.remove(client.connection)
    assert hub.close_if_empty(channel)
    assert (hub.get("a"), list(hub)) == (None, [])


def test_only_a_presence_channel_has_members() -> None:
    hub = hub_of()
    assert hub.open(rules_for("private-a"))[0].presence is None
    presence = hub.open(rules_for("presence-a"))[0].presence
    assert presence is not None
    assert len(presence) == 0


def test_a_frame_goes_to_every_subscriber_as_the_same_bytes() -> None:
    channel, _ = hub_of().open(rules_for("a"))
    clients = [Client(f"1.{at}") for at in range(3)]
    for client in clients:
        channel.add(client.connection)
    frame = b"\x81\x01x"
    channel.send(frame)
    assert len(channel) == 3
    assert all(client.transport.frames[0] is frame for client in clients)


@pytest.mark.parametrize(("exclude", "reached"), [("1.1", [0, 2]), ("9.9", [0, 1, 2]), (None, [0, 1, 2])])
def test_one_connection_may_be_left_out(exclude: str | None, reached: list[int]) -> None:
    channel, _ = hub_of().open(rules_for("a"))
    clients = [Client(f"1.{at}") for at in range(3)]
    for client in clients:
        channel.add(client.connection)
    channel.send(b"x", exclude)
    assert [at for at, client in enumerate(clients) if client.transport.frames] == reached


def test_who_is_not_subscribed_cannot_be_removed() -> None:
    channel, _ = hub_of().open(rules_for("a"))
    with pytest.raises(KeyError):
        channel.remove(Client("1.1").connection)
