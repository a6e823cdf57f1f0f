"""Counting how often somebody does something."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushdesk.ratelimit import SlidingWindow, TokenBucket


def test_a_fresh_bucket_allows_as_many_at_once_as_a_second_holds() -> None:
    bucket = TokenBucket(3, now=100.0)
    assert [bucket.take(100.0) for _ in range(5)] == [True, True, True, False, False]


def test_tokens_come_back_at_the_rate() -> None:
    bucket = TokenBucket(10, now=0.0)
    while bucket.take(0.0):
        pass
    assert not bucket.take(0.05)
    assert bucket.take(0.1)
    assert not bucket.take(0.1)


def test_a_long_pause_saves_no_more_than_a_second_of_tokens() -> None:
    bucket = TokenBucket(2, now=0.0)
    assert [bucket.take(1_000.0) for _ in range(3)] == [True, True, False]


def test_refused_attempts_do_not_put_off_the_next_token() -> None:
    bucket = TokenBucket(1, now=0.0)
    assert bucket.take(0.0)
    assert [bucket.take(at / 8) for at in range(1, 8)] == [False] * 7
    assert bucket.take(1.0)


@settings(deadline=None)
@given(rate=st.integers(1, 20), steps=st.lists(st.integers(0, 300), max_size=100))
def test_no_more_than_the_rate_and_one_burst_pass(rate: int, steps: list[int]) -> None:
    bucket, now, passed = TokenBucket(rate, 0.0), 0.0, 0
    for step in steps:
        now += step / 1000
        passed += bucket.take(now)
    assert passed <= rate + rate * now + 1e-6


def test_up_to_the_limit_is_free_and_the_next_one_waits() -> None:
    window = SlidingWindow(2, 60.0)
    assert [window.count("a", now) for now in (0.0, 10.0)] == [0.0, 0.0]
    assert window.count("a", 20.0) == pytest.approx(40.0)


def test_a_refused_try_counts_nothing() -> None:
    window = SlidingWindow(1, 60.0)
    window.count("a", 0.0)
    window.count("a", 59.0)
    assert window.count("a", 60.0) == 0.0


def test_each_key_counts_on_its_own() -> None:
    window = SlidingWindow(1, 60.0)
    assert window.count("a", 0.0) == window.count("b", 0.0) == 0.0


def test_what_is_given_back_may_be_taken_again() -> None:
    window = SlidingWindow(1, 60.0)
    window.count("a", 0.0)
    window.give_back("a")
    window.give_back("nobody")
    assert window.count("a", 1.0) == 0.0


def test_a_limit_of_zero_is_no_limit() -> None:
    window = SlidingWindow(0, 60.0)
    assert {window.count("a", 0.0) for _ in range(1000)} == {0.0}


def test_the_caller_not_seen_for_longest_is_forgotten_when_there_are_too_many() -> None:
    window = SlidingWindow(1, 60.0, max_keys=2)
    for key in ("a", "b", "c"):
        window.count(key, 0.0)
    assert window.count("a", 1.0) == 0.0
    assert window.count("c", 1.0) > 0.0


@settings(deadline=None)
@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5))
def test_no_window_ever_holds_more_than_the_limit(pauses: list[float], limit: int) -> None:
    window, now, taken = SlidingWindow(limit, 10.0), 0.0, []
    for pause in pauses:
        now += pause
        if not window.count("a", now):
            taken.append(now)
    for start in taken:
        assert sum(start <= moment < start + 10.0 for moment in taken) <= limit
