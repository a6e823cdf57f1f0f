"""Counting per caller."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_api.ratelimit import Window


def test_up_to_the_limit_is_free_and_the_next_one_waits() -> None:
    window = Window(2, 60.0)
    assert [window.take("a", now) for now in (0.0, 10.0)] == [0.0, 0.0]
    assert window.take("a", 20.0) == pytest.approx(40.0)


def test_a_refused_try_counts_nothing() -> None:
    window = Window(1, 60.0)
    window.take("a", 0.0)
    window.take("a", 59.0)
    assert window.take("a", 60.0) == 0.0


def test_each_key_counts_on_its_own() -> None:
    window = Window(1, 60.0)
    assert window.take("a", 0.0) == window.take("b", 0.0) == 0.0


def test_what_is_given_back_may_be_taken_again() -> None:
    window = Window(1, 60.0)
    window.take("a", 0.0)
    window.give_back("a")
    window.give_back("nobody")
    assert window.take("a", 1.0) == 0.0


def test_a_limit_of_zero_is_no_limit() -> None:
    window = Window(0, 60.0)
    assert {window.take("a", 0.0) for _ in range(1000)} == {0.0}


def test_the_caller_not_seen_for_longest_is_forgotten_when_there_are_too_many() -> None:
    window = Window(1, 60.0, max_keys=2)
    for key in ("a", "b", "c"):
        window.take(key, 0.0)
    assert window.take("a", 1.0) == 0.0
    assert window.take("c", 1.0) > 0.0


@settings(deadline=None)
@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5))
def test_no_window_ever_holds_more_than_the_limit(pauses: list[float], limit: int) -> None:
    window, now, taken = Window(limit, 10.0), 0.0, []
    for pause in pauses:
        now += pause
        if not window.take("a", now):
            taken.append(now)
    for start in taken:
        assert sum(start <= moment < start + 10.0 for moment in taken) <= limit
