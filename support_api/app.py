"""The composition root: the only place where the parts of the desk meet, with their ordered start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from aiohttp import web

from pushdesk.origins import Origins
from pushdesk.ratelimit import SlidingWindow
from relay.client import PushlerClient
from support_api.assets import STATIC_FOLDER, read_assets
from support_api.assignment import LeastLoaded
from support_api.background import in_background
from support_api.clock import Clock, utc_now
from support_api.config import Settings
from support_api.errors import StoreUnavailable
from support_api.models import OpenLimits
from support_api.notices import Notices
from support_api.outbox import Outbox, Pace
from support_api.passwords import Passwords
from support_api.reception import Reception
from support_api.routes import add_routes
from support_api.sessions import Tokens
from support_api.store import Database, Store, open_store
from support_api.views.desk import DESK, Desk, Limits
from support_api.views.fields import BODY_LIMIT
from support_api.views.middleware import add_security_headers, answer_errors
from support_api.views.origins import guard_origins
from support_api.views.pages import ASSETS
from support_api.wording import wording

_log = structlog.get_logger("support_api")


@dataclass(frozen=True, slots=True)
class Parts:
    """What may be replaced: the clock, how passwords are hashed, the outbox's pace and where pages and scripts are."""

    clock: Clock = utc_now
    passwords: Passwords = field(default_factory=Passwords)
    pace: Pace = field(default_factory=Pace)
    static_folder: Path = STATIC_FOLDER


@asynccontextmanager
async def opened_store(settings: Settings, clock: Clock = utc_now) -> AsyncIterator[Store]:
    """The store with the rules of assignment that the settings ask for. Raises `DatabaseUnusable`."""
    chooser = LeastLoaded(timedelta(seconds=settings.operator_timeout))
    async with open_store(Database(settings.database_url, clock=clock), chooser, wording(settings.language)) as store:
        yield store


@asynccontextmanager
async def running_app(settings: Settings, parts: Parts | None = None) -> AsyncIterator[web.Application]:
    """The desk's application with its background work. Raises `DatabaseUnusable`.

    The application must be stopped before the block ends; then the outbox delivers the rest and all is closed.
    """
    parts = parts or Parts()
    async with (
        opened_store(settings, parts.clock) as store,
        relay_client(settings) as relay,
        Outbox(store.outbox, relay, store.database.news, parts.pace, extensions=settings.relay_extensions).running(),
        sweeping(store, settings.sweep_interval, _silence(settings)),
    ):
        notices = Notices(relay)
        desk = _desk(settings, store, relay, notices, parts)
        async with notices.running(), desk.reception.watching(settings.sweep_interval):
            yield _application(desk, parts.static_folder)


def relay_client(settings: Settings) -> PushlerClient:
    """The one door to the relay."""
    return PushlerClient(
        settings.relay_app_key,
        settings.relay_app_secret.reveal(),
        app_id=settings.relay_app_id,
        url=settings.relay_url,
        pauses=(),  # the outbox makes its own
    )


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


def _silence(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.operator_timeout + settings.operator_grace)


def _desk(settings: Settings, store: Store, relay: PushlerClient, notices: Notices, parts: Parts) -> Desk:
    limits = Limits(
        SlidingWindow(settings.tickets_per_minute, 60.0),
        SlidingWindow(settings.messages_per_minute, 60.0),
        OpenLimits(settings.open_tickets_per_visitor, settings.open_tickets_per_network),
    )
    origins = Origins(settings.allowed_origins)
    reception = Reception(store.operators, notices, timedelta(seconds=settings.operator_timeout), store.database.now)
    return Desk(settings, store, relay, Tokens(settings.keys), parts.passwords, notices, limits, reception, origins)


def _application(desk: Desk, static_folder: Path) -> web.Application:
    app = web.Application(
        # From the outside in: headers on every answer, origins, then errors of the handlers.
        middlewares=[add_security_headers, guard_origins, answer_errors],
        client_max_size=BODY_LIMIT,
    )
    app[DESK] = desk
    app[ASSETS] = read_assets(static_folder)
    add_routes(app)
    return app
