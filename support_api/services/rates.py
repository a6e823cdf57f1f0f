"""How often callers may do something: counted in this process, or where there may be several of them in the database."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from pushdesk.ratelimit import SlidingWindow
from support_api.database.engine import Database, Transaction
from support_api.store import rates

# Makes of a caller what may be stored of them.
Hide = Callable[[str], str]

_SEVERAL: Final = "postgresql"


class Rate(Protocol):
    """At most so many times within so many seconds, for each key on its own."""

    async def count(self, key: Hashable) -> float:
        """Count one more time and return 0; or count nothing and return the seconds to wait. Raises `StoreUnavailable`."""

    async def give_back(self, key: Hashable) -> None:
        """Take the newest count of a key back. Raises `StoreUnavailable`."""


class Rates:
    """Makes rates over one database. `hide`: callers are stored as it says; it must be the same in all processes."""

    def __init__(self, database: Database, hide: Hide) -> None:
        self._database = database
        self._hide = hide
        self._is_shared = database.dialect == _SEVERAL

    def rate(self, name: str, limit: int, seconds: float) -> Rate:
        """At most `limit` times within any `seconds`. A limit of 0 means no limit."""
        if self._is_shared and limit:
            return _SharedRate(self._database, lambda key: self._hide(f"{name} {key!r}"), limit, seconds)
        return own_rate(limit, seconds)

    async def forget_old(self) -> None:
        """Remove what counts for nothing any more. Raises `StoreUnavailable`."""
        if self._is_shared:
            await self._database.writing(rates.forget_old)


def own_rate(limit: int, seconds: float) -> Rate:
    """At most `limit` times within any `seconds`, counted in this process alone. A limit of 0 means no limit."""
    return _OwnRate(SlidingWindow(limit, seconds))


class _OwnRate:
    """Counted in this process."""

    def __init__(self, window: SlidingWindow) -> None:
        self._window = window

    async def count(self, key: Hashable) -> float:
        return self._window.count(key, asyncio.get_running_loop().time())

    async def give_back(self, key: Hashable) -> None:
        self._window.give_back(key)


class _SharedRate:
    """Counted in the database, for all processes."""

    def __init__(self, database: Database, name_of: Callable[[Hashable], str], limit: int, seconds: float) -> None:
        self._database = database
        self._name_of = name_of
        self._limit = limit
        self._seconds = seconds

    async def count(self, key: Hashable) -> float:
        name = self._name_of(key)

        def count(tx: Transaction) -> float:
            return rates.count(tx, name, self._limit, self._seconds)

        return await self._database.writing(count)

    async def give_back(self, key: Hashable) -> None:
        name = self._name_of(key)
        await self._database.writing(lambda tx: rates.give_back(tx, name))
