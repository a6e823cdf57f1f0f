"""The contract of a database: what a transaction is and how one is run. Knows no table and no database in particular.

A **work** is a plain function that takes a `Transaction` and returns an answer. It runs as a whole, in one transaction,
without ever waiting for anything but the database:

- Atomicity. All that a work wrote is stored when its caller gets the answer. If it raises, nothing of it is stored, and the
  exception is the caller's, but for what the database could not do: that is `StoreUnavailable`, and nothing was stored.
- Isolation. `reading` sees one state of the database, from its first query to its last, and writes nothing. Works given
  to `assigning` see everything that earlier ones of `assigning`, in any process, have done, and run one after the other.
  On SQLite that holds for `writing` too.
- Cancellation. Who waits for a work may be cancelled. A work that has not begun then never does; one that has begun is
  finished and stored, or undone, as a whole.
- Waiting. A database refuses with `StoreUnavailable(is_busy=True)` instead of letting works wait without bound.

A work must keep to its `Transaction`: it neither commits nor rolls back (a SAVEPOINT by `conn.begin_nested()` is its own
affair), changes no options of the connection, returns values and no results that are still to be fetched, and does nothing
to the world outside the database that could not be done for nothing: it may run in another thread, and what it wrote may be
undone after it has returned.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection, select

from support_api.database.clock import Clock
from support_api.errors import StoreUnavailable

T = TypeVar("T")

# Seconds that a work waits for its turn: a queue of this age means that the database stands still.
PATIENCE: Final = 30.0

# Works that wait for their turn in one process; one more is refused at once. About two seconds of full speed.
MAX_WAITING: Final = 2_000

_log = structlog.get_logger("support_api.database")


class DatabaseUnusable(Exception):
    """The database cannot be opened. `reason` is one line for a person."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(where, reason)

    def __str__(self) -> str:
        return f"The database {self.where} cannot be used: {self.reason}"


@dataclass(slots=True)
class Transaction:
    """What a work is given: the connection, the moment that everything in it happens at, and whom it concerns."""

    conn: Connection
    now: datetime
    topics: set[str] = field(default_factory=set)

    def wake(self, topic: str) -> None:
        """Have whoever waits for this topic, in any process, look at once when this is stored."""
        self.topics.add(topic)


@dataclass(frozen=True, slots=True)
class Migrated:
    """Revisions of the tables before (None: there were none) and now, and where what was there before was kept."""

    before: str | None
    now: str
    copy: str | None = None


Work = Callable[[Transaction], T]


class Database(ABC):
    """One database, opened by one process. All methods that run works raise `StoreUnavailable`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._news: dict[str, asyncio.Event] = {}

    @property
    @abstractmethod
    def where(self) -> str:
        """The place as a person knows it, without secrets."""

    @property
    @abstractmethod
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""

    @abstractmethod
    async def open(self) -> None:
        """Make ready for works. Raises `DatabaseUnusable`; then `close` may be called and is not needed."""

    @abstractmethod
    async def migrate(self) -> "Migrated":
        """Bring the tables up to date, or make them. Only while it is not open. Raises `DatabaseUnusable`."""

    @abstractmethod
    async def close(self) -> None:
        """Take no more works, finish those that were taken, close all connections. May be called twice."""

    @abstractmethod
    async def reading(self, work: Work[T]) -> T:
        """Run a work that only reads."""

    @abstractmethod
    async def writing(self, work: Work[T]) -> T:
        """Run a work that writes."""

    @abstractmethod
    async def assigning(self, work: Work[T]) -> T:
        """Run a work that says, or on which it depends, who gets which ticket: never two of them at once."""

    async def following(self, topic: str, work: Work[T]) -> T:
        """Wait until a transaction that woke the topic is stored, unless there are news of one already, and run a work that
        only reads. It takes the news; one at a time may follow a topic."""
        news = self.news(topic)
        await news.wait()
        news.clear()
        try:
            return await self.reading(work)
        except BaseException:
            news.set()  # nobody has seen them
            raise

    async def ping(self) -> None:
        """Raises `StoreUnavailable` when the database does not answer."""
        await self.reading(_look)

    def now(self) -> datetime:
        """The moment by this database's clock."""
        return self._clock()

    def news(self, topic: str) -> asyncio.Event:
        """Set whenever a transaction that woke this topic is stored. One waits for it, and clears it before they look.

        What another process stored may come late or not at all: who waits looks now and then without news as well.
        """
        return self._news.setdefault(topic, asyncio.Event())

    def _spread(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self.news(topic).set()


def _look(tx: Transaction) -> None:
    tx.conn.execute(select(1)).one()


def unavailable(reason: str, *, is_busy: bool) -> StoreUnavailable:
    """The answer for callers; what exactly is wrong is for the administrator's eyes."""
    _log.warning("database_failed", reason=reason)
    return StoreUnavailable(is_busy=is_busy)
