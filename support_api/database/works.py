"""Works that wait for a connection, and what became of them. Knows no database.

The queue is bounded in length and in time; its jobs are made and settled in the event loop, and run wherever it pleases
whoever takes them.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Generic

from support_api.database.engine import MAX_WAITING, PATIENCE, T, Transaction, Work, unavailable
from support_api.errors import StoreUnavailable

_QUEUE_FULL: Final = "the queue for a connection is too long"
_CLOSED: Final = "the database was closed"


class Job(Generic[T]):
    """One work, who waits for it, and its outcome: an answer with topics, or an error. `follows`: the topic whose news it
    waits for."""

    __slots__ = ("_answer", "_future", "error", "follows", "since", "topics", "work")

    def __init__(self, work: Work[T], loop: asyncio.AbstractEventLoop, follows: str | None = None) -> None:
        self.work = work
        self.follows = follows
        self.since = loop.time()
        self.error: BaseException | None = None
        self.topics: set[str] = set()
        self._answer: T
        self._future: asyncio.Future[T] = loop.create_future()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more. May be asked in any thread."""
        return self._future.done()

    @property
    def is_settled(self) -> bool:
        """Whether it is over with an outcome, and not because nobody waits for it."""
        return self._future.done() and not self._future.cancelled()

    async def wait(self) -> T:
        """The answer, once it was settled. Cancelling this withdraws a work that has not begun."""
        return await self._future

    def run(self, transaction: Transaction) -> None:
        """Run the work, and remember its answer. Raises what the work raises."""
        self._answer = self.work(transaction)
        self.topics = transaction.topics

    def settle(self) -> None:
        """Let who waits go on."""
        if self._future.done():
            return
        if self.error is None:
            self._future.set_result(self._answer)
        elif isinstance(self.error, StopIteration):
            # No future takes this one: to who waits it would mean something else.
            self._future.set_exception(RuntimeError("a work raised StopIteration"))
        else:
            self._future.set_exception(self.error)


class Works:
    """Jobs in the order in which they came, for one or more takers; the taker who was idle last is the first to be woken,
    so that under a light load one connection, whose pages and statements are at hand, does it all."""

    def __init__(self, at_once: int, *, limit: int = MAX_WAITING, patience: float = PATIENCE) -> None:
        """`at_once`: jobs that a taker gets at most. `limit`: jobs that wait. `patience`: seconds that they do."""
        self._at_once = at_once
        self._limit = limit
        self._patience = patience
        self._jobs: deque[Job[Any]] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def run(self, work: Work[T]) -> T:
        """Have the work done. Raises what it raises, and `StoreUnavailable`."""
        job = Job(work, asyncio.get_running_loop())
        self.add(job)
        return await job.wait()

    def add(self, job: Job[Any]) -> None:
        """Have a job done, which somebody waits for. Raises `StoreUnavailable`."""
        if self._is_closed or len(self._jobs) >= self._limit:
            raise unavailable(_CLOSED if self._is_closed else _QUEUE_FULL, is_busy=True)
        self._jobs.append(job)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._refuse_old)
        self._wake_one()

    async def take(self) -> list[Job[Any]]:
        """The next jobs, once there are some; none: there will be none any more."""
        while not self._jobs and not self._is_closed:
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle
        count = min(self._at_once, len(self._jobs))
        return [self._jobs.popleft() for _ in range(count)]

    def close(self) -> None:
        """Take no more; what waits is still done."""
        self._is_closed = True
        while self._idle:
            self._wake_one()
        if self._timer is not None:
            self._timer.cancel()

    def refuse_all(self) -> None:
        """Refuse what waits: nobody is left to do it."""
        self._refuse(len(self._jobs), _CLOSED)

    def _wake_one(self) -> None:
        if self._idle:
            idle = self._idle.pop()
            if not idle.done():
                idle.set_result(None)

    def _refuse_old(self) -> None:
        """The one timer of the queue: set by the first job that comes while there is none."""
        loop = asyncio.get_running_loop()
        before = loop.time() - self._patience
        self._refuse(sum(job.since <= before for job in self._jobs), _QUEUE_FULL)
        self._timer = None
        if self._jobs:
            self._timer = loop.call_at(self._jobs[0].since + self._patience, self._refuse_old)

    def _refuse(self, count: int, reason: str) -> None:
        if count:
            refuse([self._jobs.popleft() for _ in range(count)], reason, is_busy=True)


def settle(jobs: Iterable[Job[Any]], error: BaseException) -> None:
    """Let all who wait for these go on with this error, whatever became of the work itself."""
    for job in jobs:
        job.error = error
        job.settle()


def refuse(jobs: Iterable[Job[Any]], reason: str, *, is_busy: bool) -> None:
    """Nothing of these was stored, for one reason, which is logged once."""
    unavailable(reason, is_busy=is_busy)
    for job in jobs:
        settle((job,), StoreUnavailable(is_busy=is_busy))
