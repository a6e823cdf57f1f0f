"""An event loop that a test turns by hand: its clock, and what it was asked to call."""

from collections.abc import Callable


class Call:
    """See asyncio.Handle. Two are the same when they call the same."""

    def __init__(self, callback: Callable[[], None], due: float) -> None:
        self.callback = callback
        self.due = due
        self.is_cancelled = False

    def __call__(self) -> None:
        if not self.is_cancelled:
            self.callback()

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeLoop:
    """What is asked for is kept in `soon` and `later`, until `turn`."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.soon: list[Call] = []
        self.later: list[Call] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], None]) -> Call:
        self.soon.append(Call(callback, self.now))
        return self.soon[-1]

    def call_later(self, delay: float, callback: Callable[[], None]) -> Call:
        self.later.append(Call(callback, self.now + delay))
        return self.later[-1]

    def turn(self) -> None:
        """Call what is due, but not what that asks for."""
        due = [call for call in self.later if call.due <= self.now]
        self.later = [call for call in self.later if call.due > self.now]
        calls, self.soon = self.soon + due, []
        for call in calls:
            call()
