from hypothesis import given
from hypothesis import strategies as st

from relay.protocol.ratelimit import TokenBucket


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


@given(rate=st.integers(1, 20), steps=st.lists(st.integers(0, 300), max_size=100))
def test_no_more_than_the_rate_and_one_burst_pass(rate: int, steps: list[int]) -> None:
    bucket, now, passed = TokenBucket(rate, 0.0), 0.0, 0
    for step in steps:
        now += step / 1000
        passed += bucket.take(now)
    assert passed <= rate + rate * now + 1e-6
