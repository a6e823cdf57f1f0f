"""A node whose link to Redis is lost, and clients that join there meanwhile (docs/decisions/0031)."""

import random

from relay.apps import App
from relay.protocol.channels import rules_for
from relay.protocol.requests import Publish
from tests.helpers.clients import app_with
from tests.helpers.fake_cluster import FakeCluster
from tests.helpers.fake_redis import FakeRedis
from tests.helpers.node import Client, ignore

CHANCE = random.Random(0)  # noqa: S311 - a test's
APP: App = app_with()


def publish(cluster: FakeCluster, at: int, data: str) -> None:
    namespace = cluster.nodes[at].node.namespaces[APP.id]
    namespace.publish(Publish("x", data, (rules_for("a"),), None, frozenset()), ignore)
    cluster.settle(CHANCE)


def events(client: Client) -> list[object]:
    return [one["data"] if one["event"] == "x" else one["event"] for one in client.told()]


def test_a_channel_that_is_heard_already_is_confirmed_at_once_and_nothing_published_from_then_on_is_missed() -> None:
    cluster = FakeCluster(APP, 2, FakeRedis())
    here = cluster.nodes[0]
    first, second = Client(here.node, APP), Client(here.node, APP)
    first.subscribe("a")
    cluster.settle(CHANCE)
    first.told()
    second.told()
    cluster.is_away = True
    here.cut()
    assert [one["event"] for one in second.subscribe("a")] == ["pusher_internal:subscription_succeeded"]
    publish(cluster, 1, "1")
    publish(cluster, 1, "2")
    assert (events(first), events(second)) == ([], [])
    cluster.is_away = False
    cluster.settle(CHANCE)
    assert (events(first), events(second)) == (["1", "2"], ["1", "2"])


def test_a_channel_that_nobody_hears_here_is_confirmed_when_the_link_is_back() -> None:
    cluster = FakeCluster(APP, 2, FakeRedis())
    here = cluster.nodes[0]
    client = Client(here.node, APP)
    client.told()
    cluster.is_away = True
    here.cut()
    assert client.subscribe("a") == []
    publish(cluster, 1, "before")
    assert events(client) == []
    cluster.is_away = False
    cluster.settle(CHANCE)
    assert events(client) == ["pusher_internal:subscription_succeeded"]
    publish(cluster, 1, "after")
    assert events(client) == ["after"]
