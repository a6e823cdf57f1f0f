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

# What may be handled of one peer in one turn, in bytes; each message counts as MESSAGE_COST bytes more, so that 64 of the
# smallest ones are handled: as many as a channel joins into one write.
TURN: Final = 65_536
MESSAGE_COST: Final = 1_024

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

    A subclass passes what has come to `_take`, and handles it in `_handle`, where it takes the costs from TURN and then calls
    `_spend`. It says in `_limits` which rate counts, and in `_pause` and `_resume` how reading stops and goes on.
    """

    # Nothing that can be asked for when a bound is passed is kept here: bench/, scenario "connections".
    __slots__ = ("_credit", "_credit_since", "_held", "_loop")

    _loop: asyncio.AbstractEventLoop

    def _start_counting(self, limits: Limits | None, now: float) -> None:
        """Start to count messages under `limits` at `now` (seconds, monotonic); without, none are counted."""
        # None while nothing waits.
        self._held: _Held[T] | None = None
        self._renew(limits, now)

    def _renew(self, limits: Limits | None, now: float) -> None:
        """Count under other limits from now on."""
        # How many messages may be handled until it has to be asked for how many more the time has been enough.
        self._credit: float = NO_LIMIT if limits is None or not limits.message_rate else limits.message_burst
        self._credit_since = now
        self._hurry()

    def _take(self, pieces: Iterator[T], size: int) -> None:
        """Handle what has come, `size` bytes in all, after what came before it, as far as the bounds allow."""
        if self._held is None:
            # So large a read is followed by the next one in the same turn, unless reading stops.
            self._handle(pieces, TURN if size < TURN else 0)
        else:
            self._held.later.append(pieces)

    def _spend(self, count: int, left: int, rest: Iterator[T]) -> None:
        """`count` messages were handled, with `left` of TURN to spare; `rest` is what was not."""
        self._credit -= count
        if left <= 0 or self._credit < 0:
            self._hold(rest)

    def _hold(self, rest: Iterator[T]) -> None:
        """Handle the rest in a later turn."""
        seconds = self._wait()
        loop = self._loop
        self._held = _Held(rest, loop.call_later(seconds, self._go_on) if seconds else loop.call_soon(self._go_on))
        self._pause()

    def _wait(self) -> float:
        """For how many seconds the peer has sent too much."""
        if self._credit >= 0:
            return 0.0
        limits = self._limits()
        if limits is None or not limits.message_rate:
            self._credit = NO_LIMIT
            return 0.0
        now = self._loop.time()
        self._credit += min(limits.message_burst, (now - self._credit_since) * limits.message_rate)
        self._credit_since = now
        if self._credit >= 0:
            return 0.0
        self._count_hit()
        return -self._credit / limits.message_rate

    def _go_on(self) -> None:
        """Handle more of what waits; read again when nothing does."""
        held, self._held = self._held, None
        if held is None:
            return
        self._handle(held.rest, TURN)
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

    def _handle(self, pieces: Iterator[T], left: int) -> None:
        """Handle `pieces` while `left` is more than 0, one at least; then call `_spend`, unless the peer is done with."""
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
