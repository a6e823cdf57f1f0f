import json
from collections.abc import Callable

import msgspec
import pytest

from relay.apps import ChannelHistory
from relay.node.recall import SPREAD, STEP, Recall, concerned
from relay.protocol.errors import CloseCode
from tests.helpers.clients import APP, message
from tests.helpers.node import Client, Relay

RECALLED = (CloseCode.RECONNECT, "messages may have been missed")


class Timers:
    """Calls later, when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == STEP
        self.waiting.append(call)

    def fire(self) -> None:
        self.waiting.pop()()


@pytest.fixture
def timers() -> Timers:
    return Timers()


def closed(clients: list[Client]) -> int:
    return sum(client.transport.closed == RECALLED for client in clients)


def test_concerned_is_who_is_subscribed_or_signed_in_as_the_user_whose_channel_it_is() -> None:
    relay = Relay()
    one, user, other = relay.client(), relay.client(), relay.client()
    one.subscribe("a")
    user.sign_in(json.dumps({"id": "ann"}))
    other.subscribe("b")
    connections = relay.node.namespaces["3"].hub.connections.values()
    assert concerned(connections, {"a", "#server-to-user-ann", "c"}) == [one.connection, user.connection]


def test_a_few_clients_come_back_one_after_another(timers: Timers) -> None:
    relay = Relay()
    clients = [relay.client() for _ in range(3)]
    Recall(timers.later).begin([client.connection for client in clients])
    assert closed(clients) == 1
    timers.fire()
    assert closed(clients) == 2
    timers.fire()
    assert closed(clients) == 3
    assert timers.waiting == []


def test_many_clients_come_back_within_the_time(timers: Timers) -> None:
    relay = Relay()
    clients = [relay.client() for _ in range(450)]
    Recall(timers.later).begin([client.connection for client in clients])
    steps = 1
    while timers.waiting:
        timers.fire()
        steps += 1
    assert closed(clients) == 450
    assert SPREAD / 2 <= steps * STEP <= SPREAD


def test_a_second_gap_adds_to_those_that_wait_still(timers: Timers) -> None:
    relay = Relay()
    clients = [relay.client() for _ in range(4)]
    recall = Recall(timers.later)
    recall.begin([client.connection for client in clients[:2]])
    recall.begin([client.connection for client in clients[1:]])
    assert len(timers.waiting) == 1
    while timers.waiting:
        timers.fire()
    assert closed(clients) == 4


def test_a_gap_without_anybody_starts_nothing(timers: Timers) -> None:
    Recall(timers.later).begin([])
    assert timers.waiting == []


def test_the_node_names_who_missed_something(logged: list[dict[str, object]]) -> None:
    relay = Relay()
    one, other = relay.client(), relay.client()
    one.subscribe("a")
    other.subscribe("b")
    told: list[object] = []
    relay.node.arrivals.on_gap = told.append
    relay.node.arrivals.missed([("3", "a"), ("gone", "a")])
    assert told == [[one.connection]]
    assert [(entry["event"], entry["channels"]) for entry in logged] == [("messages_missed", 1)]
    logged.clear()


def test_clients_that_can_resume_come_back_at_once_before_they_hear_what_is_behind_the_gap(
    logged: list[dict[str, object]],
) -> None:
    app = msgspec.structs.replace(APP, history=(ChannelHistory("a"),))
    relay = Relay(app)
    resuming, stock, elsewhere = (relay.client(app) for _ in range(3))
    for client, data in (
        (resuming, {"channel": "a", "since": ""}),
        (stock, {"channel": "a"}),
        (elsewhere, {"channel": "b"}),
    ):
        client.send(message("pusher:subscribe", data))
    told: list[object] = []
    relay.node.arrivals.on_gap = told.append
    relay.node.arrivals.missed([("3", "a")])
    relay.publish("behind", "1", "a", app=app)
    assert resuming.transport.closed == RECALLED
    assert [event["event"] for event in stock.told()] == ["behind"]
    assert stock.transport.closed is elsewhere.transport.closed is None
    assert told == [[stock.connection]]
    logged.clear()


def test_client_that_can_resume_stays_where_what_was_missed_has_no_history(logged: list[dict[str, object]]) -> None:
    app = msgspec.structs.replace(APP, history=(ChannelHistory("a"),))
    relay = Relay(app)
    client = relay.client(app)
    for channel in ("a", "b"):
        client.send(message("pusher:subscribe", {"channel": channel, "since": ""}))
    relay.node.arrivals.missed([("3", "b")])
    assert client.transport.closed is None
    logged.clear()
