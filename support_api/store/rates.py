"""The rows of the rates: how often callers did lately what is limited. Of PostgreSQL; elsewhere a process counts by itself.

The moments are the server's, which are the same for all processes.
"""

from typing import Final

from sqlalchemy import Double, Integer, String, bindparam, delete, func, text, update

from support_api.database.engine import Transaction
from support_api.database.tables import rates

# One statement, so that of many at once, in however many processes, no more pass than may. The row of a caller who may not
# is left as it is: a try that was refused counts nothing.
_COUNT: Final = text(
    """
    INSERT INTO support_rates AS rate (key, seen, expires_at)
    VALUES (:key, ARRAY[extract(epoch FROM clock_timestamp())::float8], clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (key) DO UPDATE SET
        seen = ARRAY(SELECT at FROM unnest(rate.seen) AS at WHERE at > excluded.seen[1] - :seconds) || excluded.seen,
        expires_at = excluded.expires_at
    WHERE (SELECT count(*) FROM unnest(rate.seen) AS at WHERE at > excluded.seen[1] - :seconds) < :most
    RETURNING key
    """
).bindparams(bindparam("key", type_=String), bindparam("seconds", type_=Double), bindparam("most", type_=Integer))

_WAIT: Final = text(
    """
    SELECT min(at) + :seconds - extract(epoch FROM clock_timestamp())::float8
    FROM support_rates, unnest(seen) AS at
    WHERE key = :key AND at > extract(epoch FROM clock_timestamp())::float8 - :seconds
    """
).bindparams(bindparam("key", type_=String), bindparam("seconds", type_=Double))

_GIVE_BACK: Final = update(rates).values(seen=text("seen[1:cardinality(seen) - 1]"))


def count(tx: Transaction, key: str, most: int, seconds: float) -> float:
    """Count one more time and return 0; or count nothing and return the seconds to wait."""
    if tx.conn.execute(_COUNT, {"key": key, "seconds": seconds, "most": most}).first() is not None:
        return 0.0
    wait = tx.conn.execute(_WAIT, {"key": key, "seconds": seconds}).scalar_one()
    # Meanwhile the oldest may have come of age: whoever asks again gets in.
    return max(float(wait or 0.0), 0.001)


def give_back(tx: Transaction, key: str) -> None:
    """Take the newest count of a key back."""
    tx.conn.execute(_GIVE_BACK.where(rates.c.key == key))


def forget_old(tx: Transaction) -> None:
    """Remove the rows that count for nothing any more."""
    tx.conn.execute(delete(rates).where(rates.c.expires_at < func.clock_timestamp()))
