"""The console over several nodes, which a test connects: what one shows the others get."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.cluster.bus import Accepted, Outcome
from relay.cluster.commands import Commands
from relay.console import abroad as abroads
from relay.console.abroad import ASK_INTERVAL, LEASE, STATE_INTERVAL, STATE_LIFE, Abroad
from relay.console.feed import Feeds, Viewer
from tests.helpers.clients import APP, app_with
from tests.helpers.node import Clock, Relay

OTHER = app_with(app_id="4")


class Between:
    """Carries orders to all nodes. See Commands, as far as the console needs it."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.observed = self.shown = 0

    def observe(self, app_id: str, viewer: str, seconds: float, done: Callable[[Outcome], None], /) -> None:
        self.observed += 1
        for node in self.nodes:
            node.abroad.observed(app_id, viewer, seconds)
        done(Accepted())

    def show(self, viewer: str, happening: bytes, /) -> None:
        self.shown += 1
        for node in self.nodes:
            node.abroad.shown(viewer, happening)

    def pass_seconds(self, seconds: float) -> None:
        """Let the time pass, second by second."""
        for _ in range(round(seconds)):
            for node in self.nodes:
                node.clock.now += 1
                node.abroad.tick(node.clock.now)
                node.feeds.tick(node.clock.now)


class Node:
    """A node with a console."""

    def __init__(self, between: Any, *apps: Any) -> None:
        self.relay = Relay(*apps)
        self.clock = Clock()
        commands: Commands = between
        self.abroad = Abroad(self.relay.node, commands, self.clock, self.clock)
        self.feeds = Feeds(self.relay.node, self.relay.node.observers, self.abroad, self.clock)
        between.nodes.append(self)

    @property
    def is_observed(self) -> bool:
        return bool(self.relay.node.observers)


@pytest.fixture
def between() -> Between:
    return Between()


@pytest.fixture
def nodes(between: Between) -> list[Node]:
    return [Node(between, APP, OTHER) for _ in range(3)]


def told(viewer: Viewer, kind: str) -> list[Any]:
    """What waits for a viewer, of one kind of message."""
    blocks = [block.split("\n") for block in viewer._take().decode().split("\n\n")[:-1]]
    return [json.loads(data.removeprefix("data: ")) for event, data in blocks if event == f"event: {kind}"]


def test_what_happens_on_other_nodes_is_told_and_what_happens_here_is_told_once(nodes: list[Node]) -> None:
    viewer = nodes[0].feeds.open(APP)
    sockets = [node.relay.client().socket_id for node in nodes]
    assert sorted(one["socket_id"] for one in told(viewer, "happened")) == sorted(sockets)


def test_other_apps_are_not_shown(nodes: list[Node]) -> None:
    viewer = nodes[0].feeds.open(APP)
    nodes[1].relay.client(OTHER)
    assert told(viewer, "happened") == []


def test_nothing_is_built_while_nobody_looks(nodes: list[Node], between: Between) -> None:
    nodes[1].relay.client()
    assert not any(node.is_observed for node in nodes)
    assert between.shown == 0


def test_a_node_that_is_not_asked_any_more_shows_nothing_after_a_while(nodes: list[Node], between: Between) -> None:
    viewer = nodes[0].feeds.open(APP)
    between.pass_seconds(3 * LEASE)
    assert between.observed > 3 * LEASE / ASK_INTERVAL - 2
    assert all(node.is_observed for node in nodes)
    nodes[0].feeds.close(viewer)
    between.pass_seconds(LEASE + 1)
    assert not any(node.is_observed for node in nodes)


def test_a_node_shows_to_each_that_looks_and_goes_on_when_one_stops(nodes: list[Node], between: Between) -> None:
    first, second = (node.feeds.open(APP) for node in nodes[:2])
    nodes[2].relay.client()
    assert (len(told(first, "happened")), len(told(second, "happened"))) == (1, 1)
    nodes[0].feeds.close(first)
    between.pass_seconds(LEASE + 1)
    nodes[2].relay.client()
    assert len(told(second, "happened")) == 1


def test_more_than_so_much_in_a_second_is_counted(
    nodes: list[Node], between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abroads, "MOST_SHOWN", 2)
    viewer = nodes[0].feeds.open(APP)
    for _ in range(5):
        nodes[1].relay.client()
    assert len(told(viewer, "happened")) == 2
    between.pass_seconds(1)
    assert told(viewer, "missed") == [{"count": 3}]
    nodes[1].relay.client()
    assert len(told(viewer, "happened")) == 1


def test_the_state_is_that_of_all_nodes(nodes: list[Node], between: Between) -> None:
    for node in nodes:
        node.relay.client().subscribe("a")
    viewer = nodes[0].feeds.open(APP)
    assert told(viewer, "state")[0]["connections"] == 1
    between.pass_seconds(STATE_INTERVAL)
    (state,) = told(viewer, "state")
    assert (state["connections"], state["channels"], state["subscriptions"]) == (3, 1, 3)
    assert state["occupied"] == [{"name": "a", "subscriptions": 3, "users": None}]


def test_a_state_that_does_not_change_is_shown_seldom(nodes: list[Node], between: Between) -> None:
    nodes[0].feeds.open(APP)
    between.pass_seconds(60)
    assert 2 * 60 / 7 <= between.shown <= 2 * (60 / 6 + 60 / ASK_INTERVAL + 2)


def test_the_state_of_a_node_that_is_gone_is_forgotten(nodes: list[Node], between: Between) -> None:
    nodes[1].relay.client()
    viewer = nodes[0].feeds.open(APP)
    between.pass_seconds(STATE_INTERVAL)
    assert told(viewer, "state")[-1]["connections"] == 1
    between.nodes.remove(nodes[1])
    between.pass_seconds(STATE_LIFE + 1)
    assert told(viewer, "state")[-1]["connections"] == 0


def test_an_app_that_is_removed_is_shown_no_more(nodes: list[Node], between: Between) -> None:
    from relay.apps import Apps

    nodes[0].feeds.open(APP)
    assert nodes[1].is_observed
    nodes[1].relay.node.reload(Apps([OTHER]))
    between.pass_seconds(1)
    assert not nodes[1].is_observed
    nodes[1].abroad.observed(APP.id, "viewer", LEASE)
    assert not nodes[1].is_observed


def test_only_so_many_nodes_are_shown_to(nodes: list[Node], between: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abroads, "MOST_VIEWERS", 2)
    for number in range(5):
        nodes[1].abroad.observed(APP.id, f"viewer-{number}", LEASE)
    nodes[1].relay.client()
    assert between.shown == 2


def test_what_is_shown_late_is_nobodys(nodes: list[Node]) -> None:
    viewer = nodes[0].feeds.open(APP)
    nodes[0].feeds.close(viewer)
    nodes[1].relay.client()
    assert told(viewer, "happened") == []
    assert list(nodes[0].abroad.states(APP.id)) == []
