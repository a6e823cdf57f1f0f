from collections.abc import MutableMapping
from typing import Any, cast

import pytest

from relay.cluster import push
from relay.cluster.redis.partition import Partition, Topic
from relay.cluster.redis.pushes import Meanings
from relay.cluster.redis.roster.roster import RedisRoster
from tests.helpers.fake_node import Recorder


@pytest.fixture
def receiver() -> Recorder:
    return Recorder()


@pytest.fixture
def meanings(receiver: Recorder) -> Meanings:
    return Meanings(receiver, cast("RedisRoster", None))


def take(meanings: Meanings, message: bytes) -> None:
    partition = cast("Partition", None)
    meanings.take(partition, Topic(partition, "t", "3", "a"), b"1-0", message)


def test_kinds_of_later_versions_are_passed_over(meanings: Meanings, receiver: Recorder) -> None:
    take(meanings, b"?\0whatever")
    assert receiver.told == []


def test_a_control_message_of_a_later_version_is_passed_over(meanings: Meanings, receiver: Recorder) -> None:
    take(meanings, push.message_of(push.CONTROL, ["dance"]))
    assert receiver.told == []


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\xa1x"])
def test_what_cannot_be_understood_is_logged_and_the_next_message_is_taken(
    meanings: Meanings, receiver: Recorder, logged: list[MutableMapping[str, Any]], body: bytes
) -> None:
    take(meanings, push.message(push.COUNT, body))
    assert [entry["event"] for entry in logged] == ["redis_message_not_understood"]
    logged.clear()
    take(meanings, push.message_of(push.COUNT, 7))
    assert receiver.told == [("count_told", "a", 7)]
