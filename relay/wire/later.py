"""An answer that may come later, without a task or a future.

The nodes of a relay answer each other by callbacks, so that a reply is handled before what comes after it; where one node is
alone, it answers before the call returns. `asked` gives the answer as it is then: only what is still open is a Later, and
`after` goes on with either. Must not know what is asked, or of whom.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

from msgspec import Struct

# How long an answer of other nodes is waited for, in seconds. Within 2 s they say that there is none: this is for a bug.
PATIENCE: Final = 5.0

T = TypeVar("T")
U = TypeVar("U")


class TooLate(Exception):
    """Nobody has answered in time: whatever was asked for may have been done."""


class _Failed(Struct, frozen=True):
    error: Exception


_OPEN: Final = object()


class Later(Struct, Generic[T], eq=False):
    """A value of the type T, or an exception, that comes once. What comes after it was given up is passed over.

    A Struct, as making one costs a third of what a plain object does (bench/, scenario "triggers").
    """

    _source: "Later[Any] | None" = None
    """What it is made of, as long as it is open: that is given up in its place."""
    _outcome: Any = _OPEN
    _call: "Callable[[Later[T]], None] | None" = None

    @property
    def is_open(self) -> bool:
        """Whether it has not come yet."""
        return self._outcome is _OPEN

    def settle(self, value: T) -> None:
        """This is it."""
        if self._outcome is _OPEN:
            # Who watches holds what is made of this, and that holds this: kept, only the collector would find them again
            # (bench/, scenario "triggers" over several nodes).
            call, self._outcome, self._source, self._call = self._call, value, None, None
            if call is not None:
                call(self)

    def fail(self, error: Exception) -> None:
        """There will be none."""
        self.settle(cast(T, _Failed(error)))

    def give_up(self) -> None:
        """Wait no longer: TooLate is what came. What it was made of may still make something else of that."""
        if self._source is None:
            self.fail(TooLate())
        else:
            self._source.give_up()

    def get(self) -> T:
        """The value that has come. Raises the exception that came in its place, and RuntimeError as long as it is open."""
        outcome = self._outcome
        if isinstance(outcome, _Failed):
            raise outcome.error
        if outcome is _OPEN:
            raise RuntimeError("nothing has come yet")
        value: T = outcome
        return value

    def watch(self, call: "Callable[[Later[T]], None]") -> None:
        """Call when it has come, at once if it has. There is one who watches: a further one takes the place."""
        if self._outcome is _OPEN:
            self._call = call
        else:
            call(self)

    def forget(self) -> None:
        """Call nobody."""
        self._call = None

    def then(self, step: "Callable[[T], U | Later[U]]") -> "Later[U]":
        """What `step` makes of the value. An exception, or one of the step's own, is passed on."""
        following: Later[U] = Later(self)
        self.watch(partial(_go_on, step, following))
        return following


def _go_on(step: "Callable[[T], U | Later[U]]", following: Later[U], come: Later[T]) -> None:
    try:
        made = step(come.get())
    except Exception as error:
        following.fail(error)
        return
    if isinstance(made, Later):
        following._source = made
        made.watch(partial(_pass_on, following))
    else:
        following.settle(made)


def _pass_on(following: Later[U], come: Later[U]) -> None:
    _go_on(_as_it_is, following, come)


def _as_it_is(value: T) -> T:
    return value


class _Gathering(Generic[T]):
    """Values of which some have not come yet."""

    __slots__ = ("_all", "_count", "_values")

    def __init__(self, values: "Sequence[T | Later[T]]") -> None:
        self._values = list(values)
        self._count = 0
        self._all: Later[list[T]] = Later()

    def begin(self) -> "Later[list[T]]":
        for at, value in enumerate(self._values):
            if isinstance(value, Later):
                self._count += 1
                value.watch(partial(self._come, at))
        return self._all

    def _come(self, at: int, come: Later[T]) -> None:
        try:
            self._values[at] = come.get()
        except Exception as error:
            self._all.fail(error)
            return
        self._count -= 1
        if not self._count:
            self._all.settle(cast(list[T], self._values))


def asked(ask: Callable[[Callable[[T], None]], None]) -> T | Later[T]:
    """The answer to a question: `ask` is given whom to call with it."""
    answer: Later[T] = Later()
    ask(answer.settle)
    outcome = answer._outcome
    return answer if outcome is _OPEN else outcome


def after(value: T | Later[T], step: Callable[[T], U | Later[U]]) -> U | Later[U]:
    """What `step` makes of the value: now, if it is there."""
    return value.then(step) if isinstance(value, Later) else step(value)


def gathered(values: Sequence[T | Later[T]]) -> list[T] | Later[list[T]]:
    """All the values, in their order, when they are there. The first exception counts for all."""
    if any(isinstance(value, Later) for value in values):
        return _Gathering(values).begin()
    return cast(list[T], list(values))
