"""Copies of an SQLite file, made and brought back while it may be open elsewhere. Everything here blocks.

Both go through SQLite's own backup: a copy is one moment of the database, however much is written meanwhile, and what is
brought back replaces all or, whatever happens on the way, nothing.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from support_api.database.migrations import known, revision


class BackupFailed(Exception):
    """Nothing was copied or brought back; the text is one line for a person."""


def back_up(database: Path, copy: Path) -> str:
    """Copy the database to a new file, and look whether the copy is whole. Returns its revision. Raises `BackupFailed`."""
    if copy.exists():
        raise BackupFailed(f"{copy} exists already; name a new file.")
    if not database.exists():
        raise BackupFailed(f"There is no database {database}.")
    part = copy.with_name(f"{copy.name}.part")
    try:
        with _in_words(f"{database} cannot be copied to {copy}"):
            _copy(database, part)
            found = verify(part)
            part.rename(copy)
    finally:
        part.unlink(missing_ok=True)
    return found


def restore(copy: Path, database: Path, has_ended: Callable[[str], bool]) -> Path | None:
    """Bring a copy back in the place of the database. Returns where what was there before is. Raises `BackupFailed`.

    No desk may use it: what it has read would be of another past. `has_ended`: whether a holder of a lease is known to be no
    more.
    """
    verify(copy)
    if not all(has_ended(one) for one in _holders(database)):
        raise BackupFailed(f"A desk uses {database}: end it first, or wait ten seconds if it was killed.")
    with _in_words(f"{copy} cannot be brought back as {database}"):
        database.parent.mkdir(parents=True, exist_ok=True)
        kept = _keep(database)
        with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(database)) as target:
            source.backup(target)
    return kept


def verify(file: Path) -> str:
    """Look whether a copy is whole and this program knows its tables. Returns their revision. Raises `BackupFailed`."""
    if not file.is_file():
        raise BackupFailed(f"There is no file {file}.")
    with _in_words(f"{file} is not a copy that can be used"):
        found = _revision_of(file)
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if said != "ok" or orphan is not None:
        raise BackupFailed(f"{file} is damaged: {said if orphan is None else f'rows of {orphan[0]} are orphans'}.")
    if found is None or found not in known():
        raise BackupFailed(f"{file} has tables of revision {found or 0}, which this program does not know.")
    return found


def _holders(database: Path) -> list[str]:
    """The processes that use the database, by their leases that have not run out."""
    if not database.exists():
        return []
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute("SELECT DISTINCT holder FROM support_leases WHERE expires_at > ?", (now,))
            return [str(holder) for (holder,) in rows]
    except sqlite3.DatabaseError:
        # Damaged, or from before there were leases: no desk of this version runs on it.
        return []


def _copy(source: Path, target: Path) -> None:
    # Nobody else may read it from the first byte on.
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        # In one step, while which others may write: in several, it would begin anew with each of their commits.
        reader.backup(writer)
        # One file, without those that WAL mode keeps beside it.
        writer.execute("PRAGMA journal_mode = DELETE")


def _keep(database: Path) -> Path | None:
    if not database.exists():
        return None
    kept = database.with_name(f"{database.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    _copy(database, kept)
    return kept


def _revision_of(file: Path) -> str | None:
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.connect() as conn:
        return revision(conn)


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """Says of what the system or the database refuses what could not be done. Raises `BackupFailed`."""
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{what}: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise BackupFailed(f"{what}: {error}.") from error
    except DBAPIError as error:
        raise BackupFailed(f"{what}: {error.orig}.") from error
