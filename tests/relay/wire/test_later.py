import gc
import weakref
from collections.abc import Callable

import pytest

from relay.wire.later import Later, TooLate, after, asked, gathered


def numbers(values: list[int | Later[int]]) -> list[int | Later[int]]:
    """Tells mypy what they are."""
    return values


def fail(_: object) -> str:
    raise KeyError("ours")


class Watcher:
    """Makes something of a value, and holds what it makes, as the API does."""

    def __init__(self, source: Later[str]) -> None:
        self.made = source.through(self.take)

    def take(self, come: Later[str]) -> int:
        return 1


class TestLater:
    def test_the_one_who_watches_is_called_when_the_value_comes(self) -> None:
        later, called = Later[int](), list[int]()
        later.watch(lambda come: called.append(come.get()))
        assert (later.is_open, called) == (True, [])
        later.settle(7)
        assert (later.is_open, called) == (False, [7])

    def test_the_one_who_watches_what_has_come_is_called_at_once(self) -> None:
        later, called = Later[int](), list[int]()
        later.settle(7)
        later.watch(lambda come: called.append(come.get()))
        assert called == [7]

    def test_only_the_first_value_counts(self) -> None:
        later, called = Later[int](), list[int]()
        later.watch(lambda come: called.append(come.get()))
        later.settle(1)
        later.settle(2)
        later.fail(KeyError())
        later.give_up()
        assert (called, later.get()) == ([1], 1)

    def test_an_exception_may_come_in_the_place_of_the_value(self) -> None:
        later = Later[int]()
        later.fail(KeyError("x"))
        with pytest.raises(KeyError):
            later.get()

    def test_what_is_open_has_no_value(self) -> None:
        with pytest.raises(RuntimeError, match="nothing has come yet"):
            Later[int]().get()

    def test_nobody_is_called_who_has_left(self) -> None:
        later, called = Later[int](), list[int]()
        later.watch(lambda come: called.append(come.get()))
        later.forget()
        later.settle(1)
        assert called == []


class TestThen:
    def test_a_step_is_taken_when_the_value_has_come(self) -> None:
        later = Later[int]()
        text = later.then(str).then(lambda text: text * 2)
        assert text.is_open
        later.settle(7)
        assert text.get() == "77"

    def test_a_step_may_have_to_wait_in_its_turn(self) -> None:
        first, second = Later[int](), Later[str]()
        both: Later[str] = first.then(lambda number: second.then(lambda text: text * number))
        first.settle(2)
        assert both.is_open
        second.settle("a")
        assert both.get() == "aa"

    def test_an_exception_passes_all_further_steps(self) -> None:
        later, taken = Later[int](), list[str]()
        following = later.then(fail).then(taken.append)
        later.settle(1)
        with pytest.raises(KeyError, match="ours"):
            following.get()
        assert taken == []

    def test_an_exception_of_a_step_that_waits_is_passed_on(self) -> None:
        first, second = Later[int](), Later[str]()
        both: Later[str] = first.then(lambda _: second.then(fail))
        first.settle(1)
        second.settle("a")
        with pytest.raises(KeyError):
            both.get()

    @pytest.mark.parametrize("steps", [0, 1])
    def test_to_give_up_is_to_give_up_what_is_waited_for_now(self, steps: int) -> None:
        first, second = Later[int](), Later[str]()
        both: Later[str] = first.then(lambda _: second)
        if steps:
            first.settle(1)
        both.give_up()
        assert (first if steps == 0 else second).is_open is False
        with pytest.raises(TooLate):
            both.get()

    def test_what_comes_after_it_was_given_up_is_passed_over(self) -> None:
        later, taken = Later[int](), list[int]()
        later.then(taken.append).give_up()
        later.settle(1)
        assert taken == []


class TestThrough:
    def test_a_step_gets_the_value_that_has_come(self) -> None:
        later = Later[int]()
        text = later.then(str).through(lambda come: come.get() * 2)
        later.settle(7)
        assert text.get() == "77"

    def test_a_step_may_make_something_of_an_exception(self) -> None:
        def name_of(come: Later[str]) -> str:
            with pytest.raises(KeyError) as caught:
                come.get()
            return type(caught.value).__name__

        later = Later[int]()
        name = later.then(fail).through(name_of).then(str.upper)
        later.settle(1)
        assert name.get() == "KEYERROR"

    def test_a_step_on_what_has_come_is_taken_at_once(self) -> None:
        later = Later[int]()
        later.settle(7)
        assert later.then(str).through(Later.get).get() == "7"


class TestWhatIsKept:
    @pytest.mark.parametrize("settle", [lambda later: later.settle(1), lambda later: later.fail(KeyError())])
    def test_what_has_come_is_freed_without_the_collector(self, settle: Callable[[Later[int]], None]) -> None:
        first = Later[int]()
        watcher = Watcher(first.then(str))
        freed = weakref.ref(watcher)
        gc.disable()
        try:
            settle(first)
            del watcher
            assert freed() is None
        finally:
            gc.enable()

    def test_a_step_on_what_has_come_is_not_kept(self) -> None:
        later = Later[str]()
        later.settle("7")
        freed = weakref.ref(Watcher(later))
        assert freed() is None


class TestAsked:
    @pytest.mark.parametrize("value", [7, None])
    def test_an_answer_that_is_there_is_no_later(self, value: int | None) -> None:
        def answer(done: Callable[[int | None], None]) -> None:
            done(value)

        assert asked(answer) == value

    def test_an_answer_that_is_not_there_comes_later(self) -> None:
        waiting: list[Callable[[int], None]] = []
        answer = asked(waiting.append)
        assert isinstance(answer, Later)
        waiting[0](7)
        assert answer.get() == 7


class TestAfter:
    def test_a_step_on_a_value_is_taken_at_once(self) -> None:
        assert after(7, str) == "7"

    def test_a_step_on_what_is_open_is_taken_later(self) -> None:
        later = Later[int]()
        text = after(later, str)
        assert isinstance(text, Later)
        later.settle(7)
        assert text.get() == "7"


class TestGathered:
    def test_values_that_are_there_are_no_later(self) -> None:
        assert gathered([1, 2]) == [1, 2]
        assert gathered([]) == []

    def test_values_keep_their_order_whatever_the_order_in_which_they_come(self) -> None:
        first, third = Later[int](), Later[int]()
        values = gathered([first, 2, third])
        assert isinstance(values, Later)
        third.settle(3)
        assert values.is_open
        first.settle(1)
        assert values.get() == [1, 2, 3]

    def test_one_exception_is_that_of_all(self) -> None:
        first, second = Later[int](), Later[int]()
        values = gathered(numbers([first, second]))
        assert isinstance(values, Later)
        second.fail(KeyError())
        first.settle(1)
        with pytest.raises(KeyError):
            values.get()

    def test_what_has_come_by_then_counts(self) -> None:
        first, second = Later[int](), Later[int]()
        second.settle(2)
        values = gathered(numbers([first, second]))
        assert isinstance(values, Later)
        first.settle(1)
        assert values.get() == [1, 2]
