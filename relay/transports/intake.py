"""How much of what one peer has sent is handled at once: a bounded part in a turn of the event loop, and so many messages a
second. What is over that waits, in its order, and the peer is not read from meanwhile: nothing is refused or lost.

One greedy peer would starve all others without it: uvloop reads a socket up to 32 times in a turn, 256 kB each time, which
is 290,000 pings (decision 0011; bench/, scenario "flood"). Must not know what a message is, or how it is handled.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from relay.protocol.limits import Limits

# So many messages of one peer are handled in one turn: as many as a channel joins into one write.
MESSAGES: Final = 64

# A read of so many bytes is followed by the next one of the same socket in the same turn, unless reading stops.
LARGE_READ: Final = 65_536

# Before a peer has sent more than so many messages, nobody asks for its limits: most connect, subscribe to a few channels,
# and stay (bench/, scenario "connections"). They count all the same.
UNASKED: Final = 16

# The credit of a peer that has no limit of messages a second.
NO_LIMIT: Final = sys.maxsize

T = TypeVar("T")


class _Held(Generic[T]):
    """What is handled later: the rest of what was begun, what came after it, and what will go on with it."""

    __slots__ = ("handle", "later", "rest")

    def __init__(self, rest: Iterator[T], handle: asyncio.Handle | None) -> None:
        self.rest = rest
        self.handle = handle
        self.later: deque[Iterator[T]] = deque()


class Intake(Generic[T]):
    """Base of what handles what one peer sends, in pieces of the type T.

    A subclass passes what has come to `_take`, and handles it in `_handle`, which then calls `_spend`. It says in `_limits`
    which rate counts, and in `_pause` and `_resume` how reading stops and goes on.
    """

    # Nothing that can be asked for when a bound is passed is kept here: bench/, scenario "connections".
    __slots__ = ("_credit", "_credit_since", "_held", "_loop")

    _loop: asyncio.AbstractEventLoop

    def _start(self) -> None:
        """Nothing has come yet."""
        # None while nothing waits.
        self._held: _Held[T] | None = None
        # How many messages may be handled until it has to be asked for how many more the time has been enough. All time
        # before the first of them counts.
        self._credit: float = UNASKED
        self._credit_since = 0.0

    def _renew(self) -> None:
        """The limits have changed: count anew."""
        self._credit = UNASKED
        self._credit_since = 0.0
        self._hurry()

    def _take(self, pieces: Iterator[T], size: int) -> None:
        """Handle what has come, `size` bytes in all, after what came before it, as far as the bounds allow."""
        if self._held is None:
            self._handle(pieces, MESSAGES if size < LARGE_READ else 0)
        else:
            self._held.later.append(pieces)

    def _spend(self, count: int, most: int, rest: Iterator[T]) -> None:
        """`count` of at most so many messages were handled; `rest` is what was not."""
        self._credit -= count
        if count >= most or (self._credit < 0 and self._is_overdrawn()):
            self._hold(rest)

    def _hold(self, rest: Iterator[T]) -> None:
        """Handle the rest in a later turn."""
        seconds = self._wait()
        loop = self._loop
        self._held = _Held(rest, loop.call_later(seconds, self._go_on) if seconds else loop.call_soon(self._go_on))
        self._pause()

    def _wait(self) -> float:
        """For how many seconds the peer has sent too much."""
        limits = self._limits()
        if self._credit >= 0 or limits is None or not self._is_overdrawn():
            return 0.0
        self._count_hit()
        return -self._credit / limits.message_rate

    def _is_overdrawn(self) -> bool:
        """Whether the peer has sent too much, after the time that has passed."""
        limits = self._limits()
        if limits is None or not limits.message_rate:
            self._credit = NO_LIMIT
            return False
        now = self._loop.time()
        self._credit += min(limits.message_burst, (now - self._credit_since) * limits.message_rate)
        if not self._credit_since:
            self._credit -= UNASKED  # they were part of the burst
        self._credit_since = now
        return self._credit < 0

    def _go_on(self) -> None:
        """Handle more of what waits; read again when nothing does."""
        held, self._held = self._held, None
        if held is None:
            return
        self._handle(held.rest, MESSAGES)
        if self._held is None and held.later:
            self._hold(held.later.popleft())
        if self._held is None:
            self._resume()
        else:
            self._held.later.extend(held.later)

    def _park(self, rest: Iterator[T]) -> None:
        """Handle the rest when `_go_on` is called."""
        self._held = _Held(rest, None)

    def _hurry(self) -> None:
        """Handle what waits in the next turn: the reason for its waiting is gone."""
        held = self._held
        if held is not None and held.handle is not None:
            held.handle.cancel()
            held.handle = self._loop.call_soon(self._go_on)

    def _forget_held(self) -> None:
        """Handle nothing of what waits."""
        if self._held is not None and self._held.handle is not None:
            self._held.handle.cancel()
        self._held = None

    def _handle(self, pieces: Iterator[T], most: int) -> None:
        """Handle at most so many messages, but one at least; then call `_spend`, unless the peer is done with."""
        raise NotImplementedError

    def _limits(self) -> Limits | None:
        """The limits whose messages_per_second counts at the moment; None for none."""
        return None

    def _count_hit(self) -> None:
        """The peer has passed messages_per_second."""

    def _pause(self) -> None:
        """Read nothing more for now; may be called again."""
        raise NotImplementedError

    def _resume(self) -> None:
        """Read again."""
        raise NotImplementedError
