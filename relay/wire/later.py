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

# What is made of a value; or, when the second is True, of whatever has come, which it gets from the Later itself.
_Step = tuple[Callable[[Any], Any], bool]
_NO_STEPS: Final[tuple[_Step, ...]] = ()


class Later(Struct, Generic[T], eq=False):
    """A value of the type T, or an exception, that comes once. What comes after it was given up is passed over.

    All steps from the answer of a node to that of a request are taken by one of them (bench/, scenario "triggers" over
    several nodes). It holds nothing of how it came when it has come: only the collector would find that again.
    """

    _steps: tuple[_Step, ...] = _NO_STEPS
    _source: "Later[Any] | None" = None
    """What the present step waits for: that is given up in its place."""
    _is_settled: bool = False
    """The first value has come; a step may wait all the same."""
    _outcome: Any = _OPEN
    _call: "Callable[[Later[T]], None] | None" = None

    @property
    def is_open(self) -> bool:
        """Whether it has not come yet."""
        return self._outcome is _OPEN

    def settle(self, value: T) -> None:
        """This is it; or what the first step is taken on, where there are steps."""
        if not self._is_settled:
            self._is_settled = True
            if self._steps or self._call is not None:
                self._go_on(value)
            else:
                # Where a node is alone it is settled before anybody waits: a call less for each trigger.
                self._outcome = value

    def fail(self, error: Exception) -> None:
        """There will be none."""
        self.settle(cast(T, _Failed(error)))

    def give_up(self) -> None:
        """Wait no longer: TooLate is what came. A step may still make something else of that."""
        if self._source is None:
            self.fail(TooLate())
        else:
            self._source.give_up()

    def get(self) -> T:
        """The value that has come. Raises the exception that came in its place, and RuntimeError as long as it is open."""
        outcome = self._outcome
        if type(outcome) is _Failed:
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
        """What `step` makes of the value: this one, from now on. An exception, or one of the step's own, is passed on."""
        return self._add((step, False))

    def through(self, step: "Callable[[Later[T]], U]") -> "Later[U]":
        """Likewise what `step` makes of whatever has come, an exception too."""
        return self._add((step, True))

    def _add(self, step: _Step) -> "Later[Any]":
        self._steps += (step,)
        if self._outcome is not _OPEN:
            outcome, self._outcome = self._outcome, _OPEN
            self._go_on(outcome)
        return self

    def _go_on(self, outcome: Any) -> None:
        """Take the steps that are left, until one has to wait."""
        steps, self._steps = self._steps, _NO_STEPS
        for at, (step, takes_all) in enumerate(steps, 1):
            if type(outcome) is _Failed and not takes_all:
                continue
            try:
                if takes_all:
                    self._outcome = outcome
                    made = step(self)
                else:
                    made = step(outcome)
            except Exception as error:
                made = _Failed(error)
            if isinstance(made, Later):
                self._steps, self._source, self._outcome = steps[at:], made, _OPEN
                made.watch(self._take_source)
                return
            outcome = made
        call, self._outcome, self._call = self._call, outcome, None
        if call is not None:
            call(self)

    def _take_source(self, come: "Later[Any]") -> None:
        self._source = None
        self._go_on(come._outcome)


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
