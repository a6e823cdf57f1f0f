"""Partitions, their tags, and the names of keys."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cluster.keys import PARTITIONS_IN_CLUSTER, SLOTS, Keys, slot_of, tags_of

APP_IDS = st.text("abcXYZ019_.-", min_size=1, max_size=20)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)


def test_slots_are_those_of_redis() -> None:
    # The examples of Redis' Cluster specification, and what CLUSTER KEYSLOT says.
    assert slot_of("123456789") == 0x31C3
    assert (slot_of("0"), slot_of("foo"), slot_of("somekey")) == (13_907, 12_182, 11_058)


@given(st.integers(1, 1_024))
def test_the_tag_of_a_partition_is_the_smallest_number_in_its_range_of_slots(partitions: int) -> None:
    tags = tags_of(partitions)
    assert len(tags) == partitions
    for index in {0, partitions // 2, partitions - 1}:
        low, high = index * SLOTS / partitions, (index + 1) * SLOTS / partitions
        assert low <= slot_of(tags[index]) < high
        assert not any(low <= slot_of(str(number)) < high for number in range(int(tags[index])))


def test_the_tag_0_is_there_whatever_the_number_of_partitions() -> None:
    for partitions in (1, 2, 7, 64, 1_024):
        keys = Keys(partitions=partitions)
        assert keys.tags[keys.control_partition] == "0"


@pytest.mark.parametrize("partitions", [0, -1, 1_025])
def test_a_number_of_partitions_that_cannot_be_is_refused(partitions: int) -> None:
    with pytest.raises(ValueError, match="partitions"):
        tags_of(partitions)


@pytest.mark.parametrize("primaries", [3, 5, 9])
def test_partitions_are_spread_over_primaries_as_evenly_as_slots(primaries: int) -> None:
    spread = Counter(slot_of(tag) * primaries // SLOTS for tag in tags_of(PARTITIONS_IN_CLUSTER))
    assert max(spread.values()) - min(spread.values()) <= 1


def test_channels_are_spread_over_partitions() -> None:
    keys = Keys(partitions=64)
    spread = Counter(keys.partition_of("1", f"private-room-{number}") for number in range(64_000))
    assert min(spread.values()) > 850
    assert max(spread.values()) < 1_150


def test_app_and_channel_are_not_confused_where_they_meet() -> None:
    keys = Keys(partitions=1_024)
    assert keys.partition_of("a", "bc") != keys.partition_of("ab", "c")


@given(APP_IDS, NAMES)
def test_everything_of_a_partition_lies_in_one_slot(app_id: str, channel: str) -> None:
    keys = Keys(partitions=64)
    partition = keys.partition_of(app_id, channel)
    tag = f"{{{keys.tags[partition]}}}"
    for name in (keys.key(partition, "log"), keys.key(partition, "mem", app_id, channel), keys.key(partition, "")):
        # Redis takes what stands between the first { and the first } after it.
        assert name[name.index("{") : name.index("}") + 1] == tag


def test_names_are_as_documented() -> None:
    keys = Keys()
    assert keys.control_topic == b"pd:{0}:k"
    assert keys.key(0, "log") == "pd:{0}:log"
    assert keys.key(0, "chan", "1", "chat") == "pd:{0}:chan:1:chat"


@pytest.mark.parametrize("prefix", ["", "a{b", "a*", "a?", "[a]", "a}", "a\\b"])
def test_a_prefix_that_would_move_the_tag_or_read_as_a_pattern_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Keys(prefix)
