"""The growth model gives what its constants say, and grows with what it should grow with."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bench import model
from bench.model import Load

ONE_ROOM = Load("a room", nodes=2, publishes=1_000, subscribers=10)


def test_a_publish_costs_its_node_the_request_the_pushes_and_the_deliveries() -> None:
    whole = model.TRIGGER + 2 * model.PUSH + 10 * model.DELIVERY
    assert model.node_share(ONE_ROOM) == pytest.approx(1_000 * whole / 2 / 1e6)


def test_a_publish_costs_redis_the_log_and_a_push_to_each_node_that_listens() -> None:
    assert model.redis_share(ONE_ROOM) == pytest.approx(1_000 * (model.REDIS_PUBLISH + 2 * model.REDIS_PUSH) / 1e6)


def test_no_more_nodes_listen_than_there_are_subscribers() -> None:
    assert replace(ONE_ROOM, nodes=50).listening == 10
    assert replace(ONE_ROOM, nodes=3).listening == 3


def test_twice_the_nodes_halve_what_a_node_does_but_for_the_pushes() -> None:
    two, four = (model.node_share(replace(ONE_ROOM, nodes=nodes)) for nodes in (2, 4))
    assert 0.5 < four / two < 0.55


def test_redis_grows_with_publishes_and_not_with_subscribers_of_the_same_nodes() -> None:
    assert model.redis_share(replace(ONE_ROOM, subscribers=100_000)) == model.redis_share(ONE_ROOM)
    assert model.redis_share(replace(ONE_ROOM, publishes=2_000)) == pytest.approx(2 * model.redis_share(ONE_ROOM))


def test_a_primary_is_added_before_one_is_busier_than_it_should_be() -> None:
    busy = replace(ONE_ROOM, publishes=model.MOST_BUSY * 1e6 / (model.REDIS_PUBLISH + 2 * model.REDIS_PUSH))
    assert model.primaries(ONE_ROOM) == 1
    assert model.primaries(replace(busy, publishes=busy.publishes * 0.99)) == 1
    assert model.primaries(replace(busy, publishes=busy.publishes * 1.01)) == 2


def test_the_table_has_a_line_for_each_load() -> None:
    lines = model.table().splitlines()[2:]
    assert len(lines) == len(model.LOADS)
    assert all(load.words in line for load, line in zip(model.LOADS, lines, strict=True))


def test_the_document_shows_the_table_as_it_is_computed() -> None:
    text = (Path(__file__).parents[2] / "docs/performance.md").read_text("utf-8")
    assert model.table() in text


def test_nodes_without_clients_cost_redis_what_they_say_in_each_partition_and_a_bounded_number_of_looks() -> None:
    few, many = model.upkeep_share(10, 64), model.upkeep_share(300, 64)
    assert many < 30 * few
    per_node = (model.upkeep_share(301, 64) - many) * 1e6
    assert per_node == pytest.approx(64 * (model.REDIS_BEAT / 2 + model.REDIS_LEAD / 3))


def test_the_document_says_what_upkeep_is_as_it_is_computed() -> None:
    text = (Path(__file__).parents[2] / "docs/performance.md").read_text("utf-8")
    assert f"100 nodes with 64 partitions: {model.upkeep_share(100, 64):.1%} of a core" in text
    assert f"300 nodes: {model.upkeep_share(300, 64):.1%}" in text
