"""Healing without a Redis: a log is a list of ids."""

from collections.abc import Sequence

import pytest

from relay.cluster.redis.heal import LEAST_PAGE, PAGE, TOPICS, Heal


def ids(*numbers: int) -> list[bytes]:
    return [b"%d-0" % number for number in numbers]


def page_of(log: Sequence[bytes], heal: Heal, size: int = PAGE) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """What XRANGE answers."""
    found = [entry for entry in log if int(entry[:-2]) >= int(heal.first[:-2])]
    return [(entry, (b"t", b"topic", b"m", b"message")) for entry in found[:size]]


def read(log: Sequence[bytes], heal: Heal) -> list[bytes]:
    """All that is new to the node."""
    found: list[bytes] = []
    while not heal.is_over:
        found += [entry for entry, _ in heal.take(page_of(log, heal))]
    return found


def test_a_node_that_has_just_started_reads_nothing() -> None:
    heal = Heal([], None, b"3-0")
    assert read(ids(1, 2, 3), heal) == []
    assert not heal.is_gap
    assert heal.first == b"3-0"


def test_it_reads_what_came_after_the_last_entry_that_it_saw() -> None:
    heal = Heal([], b"2-0", b"5-0")
    assert read(ids(1, 2, 3, 4, 5), heal) == ids(3, 4, 5)
    assert not heal.is_gap
    assert heal.replayed == 3
    assert heal.first == b"5-0"


def test_what_was_added_while_it_reads_is_read_as_well() -> None:
    log = ids(*range(1, PAGE + 1))
    heal = Heal([], b"1-0", b"1-0")
    first = heal.take(page_of(log, heal))
    assert not heal.is_over
    log += ids(PAGE + 1, PAGE + 2)
    assert [entry for entry, _ in first] + read(log, heal) == log[1:]
    assert not heal.is_gap


def test_pages_may_be_small() -> None:
    heal = Heal([], b"1-0", b"5-0", LEAST_PAGE)
    log, found = ids(*range(1, 6)), []
    while not heal.is_over:
        found += [entry for entry, _ in heal.take(page_of(log, heal, heal.page))]
    assert (found, heal.is_gap) == (log[1:], False)


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 1, 2 * PAGE, 3 * PAGE])
def test_pages_of_any_length_give_each_entry_once(count: int) -> None:
    log = ids(*range(count + 1))
    heal = Heal([], b"0-0", log[-1])
    assert read(log, heal) == log[1:]
    assert not heal.is_gap


def test_a_log_that_begins_after_the_last_entry_is_a_gap_and_is_read_all_the_same() -> None:
    heal = Heal([], b"2-0", b"9-0")
    assert read(ids(7, 8, 9), heal) == ids(7, 8, 9)
    assert heal.is_gap


def test_a_log_that_is_trimmed_between_two_pages_is_a_gap() -> None:
    log = ids(*range(1, PAGE + 10))
    heal = Heal([], b"1-0", log[-1])
    first = heal.take(page_of(log, heal))
    rest = read(log[PAGE + 5 :], heal)
    assert heal.is_gap
    assert [entry for entry, _ in first] + rest == log[1:PAGE] + log[PAGE + 5 :]


def test_a_redis_that_is_behind_what_was_seen_is_a_gap_and_read_from_its_own_top() -> None:
    heal = Heal([], b"9-0", b"4-0")
    assert heal.take(page_of(ids(3, 4, 5), heal)) == ()
    assert heal.is_gap
    assert not heal.is_over
    assert read(ids(3, 4, 5), heal) == ids(5)
    # What follows is behind the gap as a whole.
    assert not heal.is_gap
    assert heal.first == b"5-0"


def test_a_log_that_is_gone_is_a_gap_and_ends() -> None:
    heal = Heal([], b"4-0", b"4-0")
    assert read([], heal) == []
    assert heal.is_gap


def test_topics_are_subscribed_to_in_batches() -> None:
    topics = [b"%d" % number for number in range(2 * TOPICS + 1)]
    heal = Heal(topics, None, b"1-0")
    batches = []
    while batch := heal.next_topics():
        batches.append(batch)
    assert [len(batch) for batch in batches] == [TOPICS, TOPICS, 1]
    assert [topic for batch in batches for topic in batch] == topics
