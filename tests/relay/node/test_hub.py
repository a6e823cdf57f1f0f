from relay.node.connection import Connection
from relay.node.hub import Hub
from relay.protocol.channels import rules_for
from relay.protocol.session import Session
from tests.helpers.clients import APP
from tests.helpers.transport import RecordingTransport


class Client:
    def __init__(self, socket_id: str) -> None:
        self.transport = RecordingTransport()
        self.connection = Connection(APP, Session(APP, socket_id), self.transport, 1)


def hub_of() -> Hub:
    """A hub whose turns end when the test flushes a channel."""
    return Hub(lambda _call: None)


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
