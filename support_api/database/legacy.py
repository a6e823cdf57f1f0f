"""One database: its connections, its transactions and what can be wrong with it. Knows no table's meaning.

SQLite: one connection writes, a few read, in WAL mode. A write begins with BEGIN IMMEDIATE, because a transaction that
reads first and writes later fails at once when another writer was quicker, whatever the time-out says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlalchemy import URL, event, insert, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from support_api.database.clock import Clock, utc_now
from support_api.database.steps import steps_from
from support_api.database.tables import SCHEMA_VERSION, metadata, outbox
from support_api.errors import StoreUnavailable
from support_api.models.outbox import Event

BUSY_TIMEOUT = 5.0
"""Seconds that a transaction waits for another process's write; then the caller is asked to try again."""

OPEN_AGAIN = 0.05
"""Seconds between two tries to open a file that another process is just bringing into shape."""

READERS = 4
"""Connections that read at the same time."""

POOL_WAIT = 30.0
"""Seconds that a transaction waits for its connection; a writer's queue this long means that the disk stands still."""


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
class Writing:
    """One write transaction: its connection, its moment and the events to store with it."""

    conn: AsyncConnection
    now: datetime
    announced: bool = field(default=False)

    async def announce(self, events: Iterable[Event]) -> None:
        """Stores events, in this order, in this transaction."""
        rows = [_outbox_row(one, self.now) for one in events]
        if rows:
            await self.conn.execute(insert(outbox), rows)
            self.announced = True


class Database:
    """Opens, checks and closes one database, and hands out its transactions.

    `news` is set after each commit that stored events; whoever delivers them waits for it.
    """

    def __init__(self, url: str, *, clock: Clock = utc_now, busy_timeout: float = BUSY_TIMEOUT) -> None:
        """`url`: `sqlite:///relative/path` or `sqlite:////absolute/path`. Raises `DatabaseUnusable` for any other."""
        self._url = _sqlite_url(url)
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._writer = _engine(self._url, 1, busy_timeout, "BEGIN IMMEDIATE", read_only=False)
        self._reader = _engine(self._url, READERS, busy_timeout, "BEGIN", read_only=True)
        self.news = asyncio.Event()

    @property
    def where(self) -> str:
        """The file."""
        return str(self._url.database)

    async def open(self) -> None:
        """Makes folder, file and tables where they are missing, and brings those of an earlier version up to date.

        Raises `DatabaseUnusable`.
        """
        try:
            await asyncio.to_thread(Path(self.where).parent.mkdir, parents=True, exist_ok=True)
            await self._prepare_when_free()
        except OSError as error:
            raise DatabaseUnusable(self.where, f"its folder cannot be made ({error.strerror}).") from error
        except DBAPIError as error:
            raise DatabaseUnusable(self.where, _explain(error)) from error

    async def close(self) -> None:
        """Closes all connections."""
        await self._reader.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """One write transaction: all of it is stored, or on any exception none. Raises `StoreUnavailable`."""
        try:
            async with self._writer.begin() as conn:
                transaction = Writing(conn, self._clock())
                yield transaction
        except (OperationalError, PoolTimeout) as error:
            raise _unavailable(error) from error
        if transaction.announced:
            self.news.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One read transaction: all its queries see the same state. Raises `StoreUnavailable`."""
        try:
            async with self._reader.begin() as conn:
                yield conn
        except (OperationalError, PoolTimeout) as error:
            raise _unavailable(error) from error

    def now(self) -> datetime:
        """The moment by this database's clock."""
        return self._clock()

    async def ping(self) -> None:
        """Raises `StoreUnavailable` when the database does not answer."""
        async with self.reading() as conn:
            await conn.execute(select(1))

    async def _prepare_when_free(self) -> None:
        """Two processes that open a new file at once wait for each other: SQLite itself does not, at a file's change to WAL
        mode, whatever the time-out says. Raises `OperationalError` when that is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._busy_timeout
        while True:
            try:
                async with self._writer.begin() as conn:
                    return await self._prepare(conn)
            except OperationalError as error:
                if "locked" not in str(error.orig) or loop.time() >= until:
                    raise
            await asyncio.sleep(OPEN_AGAIN)

    async def _prepare(self, conn: AsyncConnection) -> None:
        version = (await conn.exec_driver_sql("PRAGMA user_version")).scalar_one()
        if version == SCHEMA_VERSION:
            return
        if version == 0:
            await conn.run_sync(metadata.create_all)
        else:
            await self._bring_up_to_date(conn, version)
        await conn.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    async def _bring_up_to_date(self, conn: AsyncConnection, version: int) -> None:
        if not 0 < version < SCHEMA_VERSION:
            reason = f"its tables are of version {version}, this program knows version {SCHEMA_VERSION}."
            raise DatabaseUnusable(self.where, reason)
        for statement in steps_from(version):
            await conn.exec_driver_sql(statement)
        _log.info("the tables were brought up to date", from_version=version, to_version=SCHEMA_VERSION)


def _unavailable(error: OperationalError | PoolTimeout) -> StoreUnavailable:
    """The answer for callers; what exactly is wrong is for the administrator's eyes."""
    reason = "the queue for a connection is too long" if isinstance(error, PoolTimeout) else str(error.orig)
    _log.warning("the database failed", reason=reason)
    return StoreUnavailable(is_busy=isinstance(error, PoolTimeout) or "locked" in reason)


def _sqlite_url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise DatabaseUnusable("URL", "expected sqlite:///path/to/file.") from error
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise DatabaseUnusable("URL", "expected sqlite:///path/to/file.")
    return URL.create("sqlite+aiosqlite", database=url.database)


def _engine(url: URL, size: int, busy_timeout: float, begin: str, *, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=size, max_overflow=0, pool_timeout=POOL_WAIT, connect_args={"timeout": busy_timeout}
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
        # Without this the driver begins transactions by itself, and only when the first write comes.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(conn: Any) -> None:
        conn.exec_driver_sql(begin)

    return engine


def _explain(error: DBAPIError) -> str:
    said = str(error.orig)
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


def _outbox_row(event_: Event, now: datetime) -> dict[str, object]:
    return {
        "channel": event_.channel,
        "event": event_.name,
        "payload": orjson.dumps(event_.payload).decode(),
        "exclude_socket": event_.exclude_socket,
        "created_at": now,
        "kind": event_.kind.value,
    }
