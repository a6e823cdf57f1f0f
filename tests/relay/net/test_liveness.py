from hypothesis import given
from hypothesis import strategies as st

from relay.net.liveness import Wheel


class Watched:
    """Notes when it was looked at; answers with the deadlines given, then with None."""

    def __init__(self, *following: float) -> None:
        self.wheel_slot = 0
        self.seen: list[float] = []
        self._following = list(following)

    def on_deadline(self, now: float) -> float | None:
        self.seen.append(now)
        return self._following.pop(0) if self._following else None


def test_nothing_is_looked_at_before_its_deadline_and_all_within_a_second_after() -> None:
    wheel, watched = Wheel(100.5), Watched()
    wheel.watch(watched, 103.2)
    for now in (101.0, 102.0, 103.1, 103.9):
        wheel.tick(now)
    assert watched.seen == []
    wheel.tick(104.1)
    assert watched.seen == [104.1]
    assert len(wheel) == 0


def test_a_following_deadline_is_kept() -> None:
    wheel, watched = Wheel(0.0), Watched(7.0, 9.0)
    wheel.watch(watched, 1.0)
    for now in range(20):
        wheel.tick(float(now))
    assert watched.seen == [2.0, 8.0, 10.0]


def test_a_new_deadline_replaces_the_old_one() -> None:
    wheel, watched = Wheel(0.0), Watched()
    wheel.watch(watched, 1.0)
    wheel.watch(watched, 5.0)
    wheel.tick(4.0)
    assert (watched.seen, len(wheel)) == ([], 1)
    wheel.tick(6.0)
    assert watched.seen == [6.0]


def test_what_is_watched_can_be_gone_through() -> None:
    wheel, near, far, gone = Wheel(0.0), Watched(), Watched(), Watched()
    for watched, deadline in ((near, 1.0), (far, 50.0), (gone, 1.0)):
        wheel.watch(watched, deadline)
    wheel.forget(gone)
    assert set(wheel) == {near, far}


def test_what_is_forgotten_is_not_looked_at() -> None:
    wheel, watched, other = Wheel(0.0), Watched(), Watched()
    wheel.watch(watched, 1.0)
    wheel.watch(other, 1.0)
    wheel.forget(watched)
    wheel.forget(watched)
    wheel.tick(5.0)
    assert (watched.seen, other.seen, len(wheel)) == ([], [5.0], 0)


def test_a_deadline_in_the_past_comes_with_the_next_second() -> None:
    wheel, watched = Wheel(100.0), Watched()
    wheel.watch(watched, 3.0)
    wheel.tick(100.9)
    assert watched.seen == []
    wheel.tick(101.0)
    assert watched.seen == [101.0]


def test_a_late_tick_makes_up_for_those_that_were_missed() -> None:
    wheel, first, second = Wheel(0.0), Watched(), Watched()
    wheel.watch(first, 1.0)
    wheel.watch(second, 500.0)
    wheel.tick(1_000.0)
    assert (first.seen, second.seen) == ([1_000.0], [1_000.0])


def test_a_following_deadline_that_is_over_comes_with_the_next_second() -> None:
    wheel, watched = Wheel(0.0), Watched(3.0)
    wheel.watch(watched, 1.0)
    wheel.tick(10.0)
    wheel.tick(11.0)
    assert watched.seen == [10.0, 11.0]


def test_a_clock_that_stands_still_or_goes_back_repeats_nothing() -> None:
    wheel, watched = Wheel(10.0), Watched(10.0)
    wheel.watch(watched, 10.0)
    for now in (12.0, 12.0, 11.0, 12.9):
        wheel.tick(now)
    assert watched.seen == [12.0]
    assert len(wheel) == 1


def test_one_that_forgets_another_of_the_same_second_stops_it_from_being_looked_at() -> None:
    wheel = Wheel(0.0)
    seen: list[str] = []

    class Rival:
        def __init__(self, name: str) -> None:
            self.wheel_slot = 0
            self.name = name
            self.other: Rival | None = None

        def on_deadline(self, now: float) -> None:
            seen.append(self.name)
            assert self.other is not None
            wheel.forget(self.other)

    first, second = Rival("first"), Rival("second")
    first.other, second.other = second, first
    wheel.watch(first, 1.0)
    wheel.watch(second, 1.0)
    wheel.tick(2.0)
    assert len(seen) == 1
    assert len(wheel) == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 30)), max_size=20))
def test_each_of_many_is_looked_at_once_and_in_time(steps: list[tuple[int, float]]) -> None:
    wheel, watched = Wheel(0.0), [Watched() for _ in range(5)]
    deadlines: dict[int, float] = {}
    for which, deadline in steps:
        wheel.watch(watched[which], deadline)
        deadlines[which] = deadline
    assert len(wheel) == len(deadlines)
    for now in range(40):
        wheel.tick(float(now))
    for which, one in enumerate(watched):
        assert len(one.seen) == (which in deadlines)
        for seen in one.seen:
            assert deadlines[which] < seen <= deadlines[which] + 1.0
