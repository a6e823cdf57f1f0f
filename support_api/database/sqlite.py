"""SQLite: one connection writes, a few read, in WAL mode, each in a thread of its own. Knows no table's meaning.

A work runs in one hop to its connection's thread (docs/decisions/0029-one-hop.md). Works that come while the writer is busy
share the next transaction: a SAVEPOINT each, so that what one raises undoes only its own, and one COMMIT, after which all get
their answers. A write begins with BEGIN IMMEDIATE, because a transaction that reads first and writes later fails at once when
another process was quicker, whatever the time-out says.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import aiosqlite
import structlog
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from support_api.database.clock import Clock, utc_now
from support_api.database.engine import Database, DatabaseUnusable, Migrated, T, Transaction, Work, unavailable
from support_api.database.migrations import WrongRevision, head, migrate, prepare, revision
from support_api.database.works import Job, Works, refuse, settle
from support_api.errors import StoreUnavailable

# Seconds that a transaction waits for another process's write; then the caller is asked to try again.
BUSY_TIMEOUT: Final = 5.0

# Seconds between two tries to open a file that another process is just bringing into shape.
OPEN_AGAIN: Final = 0.05

# Connections that read at the same time.
READERS: Final = 4

# Works that share one COMMIT at most: more make no disk quicker, and the first of them waits for the last.
WRITES_AT_ONCE: Final = 64

# Reads are answered one by one: none waits for another's.
READS_AT_ONCE: Final = 1

_log = structlog.get_logger("support_api.database")

# What comes from the driver itself, and what SQLAlchemy wraps.
_FAULTS: Final = (sqlite3.Error, DBAPIError)

_Batch = list[Job[Any]]
_Followers = dict[str, Job[Any]]
_Transact = Callable[[_Batch, "Session"], None]


class SqliteDatabase(Database):
    """A file. `where` is its path."""

    def __init__(self, url: str, *, clock: Clock = utc_now, busy_timeout: float = BUSY_TIMEOUT) -> None:
        """`url`: `sqlite:///relative/path` or `sqlite:////absolute/path`. Raises `DatabaseUnusable` for any other."""
        super().__init__(clock)
        self._url = sqlite_url(url)
        self._busy_timeout = busy_timeout
        # One engine: all connections share its statements that were compiled once.
        self._engine = _engine(self._url, busy_timeout)
        self._writes = Works(WRITES_AT_ONCE)
        self._reads = Works(READS_AT_ONCE)
        self._lanes: list[_Lane] = []
        # Who waits for news of a topic. The writer's thread takes them out.
        self._followers: _Followers = {}

    @property
    def where(self) -> str:
        return str(self._url.database)

    @property
    def dialect(self) -> str:
        return "sqlite"

    async def open(self) -> None:
        """Makes folder, file and tables where they are missing."""
        async with self._explained():
            writer = await self._when_free(self._add_writer)
            write = partial(_write_together, followers=self._followers)
            self._lanes.append(_Lane(writer, self._writes, write, self._spread))
            for _ in range(READERS):
                reader = await _connect(self._engine, self._clock, "PRAGMA query_only = ON")
                self._lanes.append(_Lane(reader, self._reads, _read_each, self._spread))

    async def migrate(self) -> Migrated:
        """Brings the file up to date in one transaction, after a copy of it was made beside it."""
        async with self._explained():
            return await self._when_free(self._migrate_now)

    @asynccontextmanager
    async def _explained(self) -> AsyncIterator[None]:
        """Makes the folder; says of all that goes wrong what it is. Raises `DatabaseUnusable`."""
        try:
            await asyncio.to_thread(Path(self.where).parent.mkdir, parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise DatabaseUnusable(self.where, f"its folder cannot be made ({error.strerror}).") from error
        except WrongRevision as error:
            raise DatabaseUnusable(self.where, str(error)) from error
        except _FAULTS as error:
            raise DatabaseUnusable(self.where, _explain(_said(error))) from error

    async def close(self) -> None:
        for works in (self._writes, self._reads):
            works.close()
        while self._lanes:
            await self._lanes.pop().close()
        for works in (self._writes, self._reads):
            works.refuse_all()
        followers = [job for job in self._followers.values() if not job.is_over]
        if followers:
            refuse(followers, "the database was closed", is_busy=True)

    async def reading(self, work: Work[T]) -> T:
        return await self._reads.run(work)

    async def writing(self, work: Work[T]) -> T:
        return await self._writes.run(work)

    async def assigning(self, work: Work[T]) -> T:
        """The same as `writing`: there is one writer."""
        return await self._writes.run(work)

    async def following(self, topic: str, work: Work[T]) -> T:
        """Runs in the hop of the transaction that brings the news, after its COMMIT (decision 0035)."""
        if self.news(topic).is_set():
            return await super().following(topic, work)
        follower = Job(work, asyncio.get_running_loop(), topic)
        self._followers[topic] = follower
        try:
            return await follower.wait()
        except asyncio.CancelledError:
            if follower.is_settled:
                self.news(topic).set()  # they came in the last moment, and nobody has seen them
            raise

    def _spread(self, topics: Iterable[str]) -> None:
        """Whoever began to follow while the transaction was being stored has not seen it yet."""
        for topic in topics:
            follower = self._followers.pop(topic, None)
            if follower is None or follower.is_over:
                super()._spread((topic,))
            else:
                self._read_later(follower)

    def _read_later(self, job: Job[Any]) -> None:
        try:
            self._reads.add(job)
        except StoreUnavailable as error:
            settle((job,), error)

    async def _when_free(self, work: Callable[[], Awaitable[T]]) -> T:
        """Two processes that open a new file at once wait for each other: SQLite itself does not, at a file's change to WAL
        mode, whatever the time-out says. Raises what the database said when that is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._busy_timeout
        while True:
            try:
                return await work()
            except _FAULTS as error:
                if not _is_locked(_said(error)) or loop.time() >= until:
                    raise
            await asyncio.sleep(OPEN_AGAIN)

    async def _add_writer(self) -> "_Connection":
        connection = await _connect(self._engine, self._clock)
        try:
            await connection.run(_prepare)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _migrate_now(self) -> Migrated:
        connection = await _connect(self._engine, self._clock, "PRAGMA foreign_keys = OFF")
        try:
            return await connection.run(_migrate)
        finally:
            await connection.close()


class Session:
    """A connection as its own thread sees it, for as long as it is open. Everything here blocks.

    SQLAlchemy holds the connection all the time and believes it to be in one transaction; where transactions begin and end is
    said to the driver, since SQLAlchemy's own way to say it costs a quarter of a short transaction (decision 0029).
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.conn = engine.connect()
        self.driver = cast(sqlite3.Connection, self.conn.connection.driver_connection)
        self._clock = clock

    def run(self, job: Job[Any]) -> None:
        """Run the work of a job in the transaction that has begun. Raises what it raises."""
        job.run(Transaction(self.conn, self._clock()))

    def transaction(self, begin: str) -> "_Whole":
        """One transaction for the block: stored at its end, undone on any exception."""
        return _Whole(self.driver, begin)


class _Whole:
    """A transaction as a context manager; a class, because a generator costs as much as a statement."""

    __slots__ = ("_begin", "_driver")

    def __init__(self, driver: sqlite3.Connection, begin: str) -> None:
        self._driver = driver
        self._begin = begin

    def __enter__(self) -> None:
        self._driver.execute(self._begin)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None:
            try:
                self._driver.execute("COMMIT")
            except BaseException:
                self._undo()
                raise
        else:
            self._undo()

    def _undo(self) -> None:
        # After some errors, a full disk for example, SQLite has done it by itself.
        if self._driver.in_transaction:
            self._driver.execute("ROLLBACK")


def _prepare(session: Session) -> None:
    with session.transaction("BEGIN IMMEDIATE"):
        prepare(session.conn)


def _migrate(session: Session) -> Migrated:
    with session.transaction("BEGIN IMMEDIATE"):
        found = revision(session.conn)
        copy = None if found in (None, head()) else _copy_aside(session, str(found))
        before, now = migrate(session.conn)
        ensure_whole(session.driver)
        return Migrated(before, now, copy)


def _copy_aside(session: Session, found: str) -> str:
    """Keeps the file as it was, beside it. Returns where."""
    where = session.driver.execute("PRAGMA database_list").fetchone()[2]
    copy = f"{where}.before-{head()}-was-{found}"
    with closing(sqlite3.connect(where)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def ensure_whole(driver: sqlite3.Connection) -> None:
    """Raises `sqlite3.IntegrityError` where a row refers to one that is not there, or the file is damaged."""
    broken = driver.execute("PRAGMA foreign_key_check").fetchone()
    said = driver.execute("PRAGMA integrity_check").fetchone()[0]
    if broken is not None or said != "ok":
        raise sqlite3.IntegrityError(f"it is damaged: {said if broken is None else f'rows of {broken[0]} are orphans'}")


def _write_together(jobs: _Batch, session: Session, followers: _Followers) -> None:
    """All these in one transaction. Raises what nobody's own fault is: then nothing of any of them is stored.

    Who follows a topic that they woke is run afterwards, and added to the batch.
    """
    with session.transaction("BEGIN IMMEDIATE"):
        for job in jobs:
            if not job.is_over:
                _write_one(session, job)
    for topic in {topic for job in jobs for topic in job.topics}:
        follower = followers.pop(topic, None)
        if follower is not None and not follower.is_over:
            _read_each([follower], session)
            jobs.append(follower)


def _write_one(session: Session, job: Job[Any]) -> None:
    session.driver.execute("SAVEPOINT work")
    try:
        session.run(job)
    except BaseException as error:  # nothing that a work raises may end the thread
        if not session.driver.in_transaction:
            raise
        job.error = error
        session.driver.execute("ROLLBACK TO work")
    session.driver.execute("RELEASE work")


def _read_each(jobs: _Batch, session: Session) -> None:
    """Each of these in a transaction of its own."""
    for job in jobs:
        if job.is_over:
            continue
        try:
            with session.transaction("BEGIN"):
                session.run(job)
        except BaseException as error:  # nothing that a work raises may end the thread
            job.error = error


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection and its thread. SQLAlchemy opens and closes what it is connected to."""

    def __init__(self, engine: Engine, clock: Clock, *pragmas: str) -> None:
        def connect() -> sqlite3.Connection:
            self.session = Session(engine, clock)
            for pragma in pragmas:
                self.session.driver.execute(pragma)
            return self.session.driver

        super().__init__(connect, iter_chunk_size=0)
        self.stopped: asyncio.Future[Any] | None = None

    async def run(self, function: Callable[[Session], T]) -> T:
        """Run a function in the connection's thread, and wait for what it returns or raises."""
        # aiosqlite leads every call of its own by this; it has no public way to run a function of ours.
        answer = await self._execute(function, self.session)  # type: ignore[no-untyped-call]
        return cast(T, answer)

    def stop(self) -> asyncio.Future[Any] | None:
        """Aiosqlite's own; what it returns is done when the thread says nothing to the event loop any more."""
        self.stopped = super().stop()
        return self.stopped

    async def close(self) -> None:
        """Close it and end its thread."""
        try:
            await self.run(lambda session: session.conn.close())
        finally:
            await super().close()


async def _connect(engine: Engine, clock: Clock, *pragmas: str) -> _Connection:
    """A connection that is open. Raises `DBAPIError`."""
    connection = _Connection(engine, clock, *pragmas)
    try:
        await connection
    except BaseException:
        # Aiosqlite has told the thread to end and does not wait for it.
        if connection.stopped is not None:
            await connection.stopped
        raise
    return connection


class _Lane:
    """A connection, and the task that hands it one batch of jobs after the other until there are none any more."""

    def __init__(
        self, connection: _Connection, works: Works, transact: _Transact, spread: Callable[[set[str]], None]
    ) -> None:
        self._connection = connection
        self._works = works
        self._transact = transact
        self._spread = spread
        self._task = asyncio.create_task(self._serve(), name="database")

    async def close(self) -> None:
        """Wait for the jobs of the closed queue, then close the connection."""
        await self._task
        await self._connection.close()

    async def _serve(self) -> None:
        while jobs := await self._works.take():
            try:
                await self._connection.run(partial(self._transact, jobs))
            except _FAULTS as error:
                refuse(jobs, _said(error), is_busy=_is_locked(_said(error)))
            except BaseException as error:
                # Ours or, at the end of the event loop, a cancellation; whatever it is, nobody is left waiting.
                settle(jobs, error)
                if not isinstance(error, Exception):
                    raise
                _log.exception("database_has_a_bug")
            else:
                self._finish(jobs)

    def _finish(self, jobs: _Batch) -> None:
        seen = {job.follows for job in jobs if job.follows and not job.is_over}
        for job in jobs:
            if isinstance(job.error, OperationalError):
                job.error = unavailable(_said(job.error), is_busy=_is_locked(_said(job.error)))
            self._spread(job.topics - seen)
            job.settle()


def _said(error: sqlite3.Error | DBAPIError) -> str:
    """What SQLite says, by whichever way it came."""
    return str(error.orig if isinstance(error, DBAPIError) else error)


def _is_locked(said: str) -> bool:
    """Whether it is only that another process was writing for too long."""
    return "locked" in said


def sqlite_url(text: str) -> URL:
    """The URL of a file, as SQLAlchemy takes it. Raises `DatabaseUnusable`."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise DatabaseUnusable("URL", "expected sqlite:///path/to/file.") from error
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise DatabaseUnusable("URL", "expected sqlite:///path/to/file.")
    return URL.create("sqlite", database=url.database)


def _engine(url: URL, busy_timeout: float) -> Engine:
    # What people write is not for logs, and an error that is one has its statement with it.
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": busy_timeout})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # Without this the driver begins transactions by itself, and only when the first write comes.
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _explain(said: str) -> str:
    match said:
        case "unable to open database file":
            return "the file cannot be opened; check the path and who may write there."
        case "attempt to write a readonly database":
            return "the file may not be written."
        case "database is locked":
            return "another process holds it locked."
        case "file is not a database":
            return "the file is not an SQLite database."
    return f"{said}."
