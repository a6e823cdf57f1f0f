"""PostgreSQL: a pool of connections, READ COMMITTED, and one lock for all that assigns. Knows no table's meaning.

Why it is so: docs/decisions/0030-postgresql.md. Each statement of a write sees what was committed before it, so "lock first,
then read" is enough and nothing is ever tried again. A work that has begun is not cancelled along with its caller.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Generic
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
from sqlalchemy import Connection, bindparam, func, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from support_api.database.clock import Clock, utc_now
from support_api.database.engine import (
    MAX_WAITING,
    PATIENCE,
    Database,
    DatabaseUnusable,
    Migrated,
    T,
    Transaction,
    Work,
    unavailable,
)
from support_api.database.listening import CHANNEL, LOST, Listener
from support_api.database.migrations import WrongRevision, migrate, prepare

# Connections for works; one more listens.
CONNECTIONS: Final = 10

# Milliseconds that a statement waits for a lock; then the caller is asked to try again.
LOCK_TIMEOUT: Final = 5_000

# Seconds that a new connection may take.
CONNECT_WITHIN: Final = 10.0

# Seconds that the change of all tables may take: the longest is an index over all messages.
ARRANGE_WITHIN: Final = 600.0

# PostgreSQL 13 and what came before it are no longer maintained by its makers.
OLDEST_VERSION: Final = 13

# What all works that assign lock, and what makes or changes tables; any number will do that no other program takes.
ASSIGNING: Final = 0x7075_7368_0001
TABLES: Final = 0x7075_7368_0002

# The one option of a URL that is not libpq's: with 0 nothing is prepared that a pooler would lose.
OWN_OPTION: Final = "statement_cache_size"

# SQLSTATEs after which the same, tried again, may well succeed; nothing was stored: serialization failure, deadlock, lock not
# available in time, cancelled, shut down by an administrator, crashed, starting up, too many connections.
BUSY: Final = frozenset({"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300"})

# And classes of those after which an administrator has to do something: connection, resources (a full disk), a standby that
# only reads, the system's own errors.
BROKEN: Final = ("08", "53", "25006", "58")

_REMEDIES: Final = {
    "28P01": "it refuses the user or the password in SUPPORT_DATABASE_URL.",
    "28000": "it refuses the user or the password in SUPPORT_DATABASE_URL.",
    "3D000": "there is no such database; make it with createdb.",
    "42501": "its user may not make tables there; grant it with: GRANT ALL ON SCHEMA public TO user.",
    "57P03": "it is starting up or shutting down; try again in a moment.",
}

_LOCK: Final = select(func.pg_advisory_xact_lock(bindparam("key")))
_NOTIFY: Final = select(func.pg_notify(CHANNEL, bindparam("topic")))
_LIMIT: Final = text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT}")


class PostgresDatabase(Database):
    """A database of a PostgreSQL server. `where` is its address without user and password."""

    def __init__(self, url: str, *, clock: Clock = utc_now, connections: int = CONNECTIONS) -> None:
        """`url`: as libpq takes it, with `?sslmode=verify-full` for example. `statement_cache_size=0`: behind PgBouncer.

        Raises `DatabaseUnusable` for what is not such a URL.
        """
        super().__init__(clock)
        self._dsn, self._options = _parse(url)
        self._where = _place(self._dsn)
        self._engine = self._make_engine(connections)
        self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._running: set[asyncio.Task[Any]] = set()
        self._is_closed = False
        self._listener = Listener(self._connect, lambda topic: self._spread((topic,)), self._spread_all)
        self._listening: asyncio.Task[None] | None = None

    @property
    def where(self) -> str:
        return self._where

    @property
    def dialect(self) -> str:
        return "postgresql"

    async def open(self) -> None:
        """Makes the tables of a database that has none. Raises `DatabaseUnusable`."""
        await self._arrange(prepare)
        self._listening = asyncio.create_task(self._listener.run(), name="database-news")

    async def migrate(self) -> Migrated:
        """Changes all tables in one transaction: either all is as it was, or up to date."""
        before, now = await self._arrange(migrate)
        return Migrated(before, now)

    async def _arrange(self, work: Callable[[Connection], T]) -> T:
        """Does something to the tables; never two processes at once. Raises `DatabaseUnusable`."""
        try:
            async with asyncio.timeout(ARRANGE_WITHIN), self._engine.begin() as conn:
                return await conn.run_sync(self._under_lock, work)
        except WrongRevision as error:
            raise DatabaseUnusable(self.where, str(error)) from error
        except (DBAPIError, PoolTimeout, *LOST) as error:
            raise DatabaseUnusable(self.where, _explain(error)) from error
        finally:
            # Whoever cannot open it need not close it.
            await self._engine.dispose()

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._listening is not None:
            self._listener.end()
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None
        await self._engine.dispose()

    async def reading(self, work: Work[T]) -> T:
        return await self._run(self._reader, work)

    async def writing(self, work: Work[T]) -> T:
        return await self._run(self._engine, work)

    async def assigning(self, work: Work[T]) -> T:
        return await self._run(self._engine, work, ASSIGNING)

    @property
    def _is_pooled(self) -> bool:
        """Whether a PgBouncer stands between, which keeps neither prepared statements nor settings of a connection."""
        return self._options.get(OWN_OPTION) == 0

    async def _run(self, engine: AsyncEngine, work: Work[T], lock: int | None = None) -> T:
        """Has a work done by a task of its own, so that its caller's end is not its own once it has begun."""
        once = _Once(engine, self._clock, work, lock, is_pooled=self._is_pooled)
        if self._is_closed or len(self._running) >= MAX_WAITING:
            reason = "the database was closed" if self._is_closed else "the queue for a connection is too long"
            raise unavailable(reason, is_busy=True)
        task = asyncio.create_task(once.run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _task: self._tell(once.topics))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not once.has_begun:
                task.cancel()
            raise

    def _tell(self, topics: set[str]) -> None:
        """These were woken by what was stored just now. While somebody listens, PostgreSQL says so, also to this process."""
        if not self._listener.is_up:
            self._spread(topics)

    def _spread_all(self) -> None:
        self._spread(list(self._news))

    def _make_engine(self, connections: int) -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            creator=self._connect_for_sqlalchemy,
            isolation_level="READ COMMITTED",
            pool_size=connections,
            max_overflow=0,
            pool_timeout=PATIENCE,
            # What people write is not for logs, and an error that is one has its statement with it.
            hide_parameters=True,
        )

    def _connect_for_sqlalchemy(self) -> Any:
        """Not by SQLAlchemy's own reading of URLs: so all that libpq's have is understood, TLS and sockets above all."""
        driver: Any = self._engine.dialect.dbapi
        cached = 0 if self._is_pooled else 100
        return driver.connect(async_creator_fn=self._connect, prepared_statement_cache_size=cached)

    async def _connect(self) -> Any:
        settings = {} if self._is_pooled else {"lock_timeout": str(LOCK_TIMEOUT), "jit": "off"}
        named = {"application_name": "pushdesk-desk"} | settings
        return await asyncpg.connect(self._dsn, timeout=CONNECT_WITHIN, server_settings=named, **self._options)

    def _under_lock(self, conn: Connection, work: Callable[[Connection], T]) -> T:
        version = conn.exec_driver_sql("SHOW server_version_num").scalar_one()
        if int(version) < OLDEST_VERSION * 10_000:
            raise DatabaseUnusable(
                self.where, f"it is PostgreSQL {int(version) // 10_000}, {OLDEST_VERSION} is needed."
            )
        conn.execute(_LOCK, {"key": TABLES})
        return work(conn)


class _Once(Generic[T]):
    """One work on its way through one transaction."""

    def __init__(self, engine: AsyncEngine, clock: Clock, work: Work[T], lock: int | None, *, is_pooled: bool) -> None:
        self._engine = engine
        self._clock = clock
        self._work = work
        self._lock = lock
        self._is_pooled = is_pooled
        self.has_begun = False
        self.topics: set[str] = set()

    async def run(self) -> T:
        """Raises what the work raises, and `StoreUnavailable`."""
        try:
            async with self._engine.connect() as conn:
                self.has_begun = True
                return await conn.run_sync(self._transact)
        except PoolTimeout as error:
            raise unavailable("the queue for a connection is too long", is_busy=True) from error
        except DBAPIError as error:
            _raise_unavailable(error)
            raise
        except LOST as error:
            raise unavailable(str(error) or type(error).__name__, is_busy=False) from error

    def _transact(self, conn: Connection) -> T:
        with conn.begin():
            if self._is_pooled:
                conn.execute(_LIMIT)
            if self._lock is not None:
                conn.execute(_LOCK, {"key": self._lock})
            transaction = Transaction(conn, self._clock())
            answer = self._work(transaction)
            for topic in transaction.topics:
                conn.execute(_NOTIFY, {"topic": topic})
        self.topics = transaction.topics
        return answer


def _raise_unavailable(error: DBAPIError) -> None:
    """Where it is the database that failed, and not the work, raises the answer for callers."""
    state = _state_of(error)
    if state in BUSY:
        raise unavailable(_said(error), is_busy=True) from error
    # "Nothing was stored" would be saying too much of a connection that was lost: perhaps during the COMMIT.
    if error.connection_invalidated or isinstance(error, InterfaceError) or state.startswith(BROKEN):
        raise unavailable(_said(error), is_busy=False) from error


def _state_of(error: BaseException) -> str:
    """The SQLSTATE, where PostgreSQL gave one."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(origin, "sqlstate", None) or "")


def _said(error: BaseException) -> str:
    """What PostgreSQL says, in one line and without the statement and its values."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    lines = str(origin).splitlines() or [type(origin).__name__]
    return re.sub(r"^<class '[^']*'>: ", "", lines[0])


def _explain(error: BaseException) -> str:
    """One line for who set it up: what is wrong and what to do."""
    known = _REMEDIES.get(_state_of(error))
    if known is not None:
        return known
    if isinstance(error, socket.gaierror):
        return "its host is not known; check SUPPORT_DATABASE_URL."
    if isinstance(error, TimeoutError | PoolTimeout):
        return "it does not answer in time; check SUPPORT_DATABASE_URL and the way there."
    if isinstance(error, OSError):
        return f"nobody answers there ({error.strerror or error}); does PostgreSQL run, is SUPPORT_DATABASE_URL right?"
    return f"{_said(error)}."


def _parse(url: str) -> tuple[str, dict[str, int]]:
    """The URL for asyncpg, and what of it is asyncpg's own. Raises `DatabaseUnusable`."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        options = {OWN_OPTION: int(query.pop(OWN_OPTION))} if OWN_OPTION in query else {}
        _ = parts.port
    except ValueError as error:
        raise DatabaseUnusable("URL", "expected postgresql://user:password@host:5432/name.") from error
    return urlunsplit(parts._replace(query=urlencode(query))), options


def _place(dsn: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(("postgresql", parts.netloc.rpartition("@")[2], parts.path, "", "")) or "postgresql://"
