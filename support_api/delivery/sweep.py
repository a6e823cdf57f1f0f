"""What has to be looked after again and again, though nobody asks for it. Must not know HTTP or the relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from support_api.delivery.background import in_background
from support_api.errors import StoreUnavailable
from support_api.store import Store

_log = structlog.get_logger("support_api")


@asynccontextmanager
async def sweeping(store: Store, interval: float, silence: timedelta) -> AsyncIterator[None]:
    """Every `interval` seconds gives away tickets that wait although somebody is free, takes those of operators who were
    silent for longer than `silence`, and ends sessions that are over."""
    async with in_background(_sweep(Round(store, silence, interval), interval), "sweep"):
        yield


class Round:
    """One look of the sweep, again and again.

    Silence counts only while the desk could have heard: after its start, and after a time in which it could store nothing
    or the machine slept, operators first get the whole `silence` to send a heartbeat.
    """

    def __init__(self, store: Store, silence: timedelta, interval: float = 0.0) -> None:
        self._store = store
        self._silence = silence
        self._longest_pause = silence + timedelta(seconds=interval)
        self._listens_since = self._looked_at = store.database.now()

    async def go(self) -> None:
        """Looks once; what goes wrong is logged."""
        now, before = self._store.database.now(), self._looked_at
        self._looked_at = now
        if now - before > self._longest_pause:
            self._listens_since = now
        try:
            await self._work(now)
        except StoreUnavailable as error:
            self._listens_since = now
            _log.warning("the sweep was put off", reason=str(error))
        except Exception:
            _log.exception("the sweep has a bug")

    async def _work(self, now: datetime) -> None:
        await self._store.operators.end_expired_sessions()
        if now - self._listens_since > self._silence:
            released = await self._store.operators.release_silent(self._silence)
            if released:
                _log.info("tickets of operators who vanished went back to the queue", count=released)
        assigned = await self._store.tickets.sweep()
        if assigned:
            _log.info("the sweep assigned tickets", count=assigned)


async def _sweep(round_: Round, interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        await round_.go()
