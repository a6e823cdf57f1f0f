"""Which database a URL names."""

from support_api.database.clock import Clock, utc_now
from support_api.database.engine import Database
from support_api.database.sqlite import SqliteDatabase

_POSTGRES = ("postgresql://", "postgres://")


def database_of(url: str, *, clock: Clock = utc_now) -> Database:
    """The database that a URL names, not yet open: an SQLite file or a PostgreSQL server's. Raises `DatabaseUnusable`."""
    if not url.startswith(_POSTGRES):
        return SqliteDatabase(url, clock=clock)
    # Here, since loading it takes time and memory that only those who use it should pay.
    from support_api.database.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(url, clock=clock)
