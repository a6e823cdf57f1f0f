"""The composition root: the only place where the parts of the desk meet, with their ordered start and stop."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from aiohttp import web

from pushdesk.origins import Origins
from pushdesk.ratelimit import SlidingWindow
from relay.client import PushlerClient
from support_api.config import Settings
from support_api.database.clock import Clock, utc_now
from support_api.database.urls import database_of
from support_api.delivery.background import repeating
from support_api.delivery.lease import Lease, new_holder
from support_api.delivery.notices import Notices
from support_api.delivery.outbox import Outbox, Pace
from support_api.delivery.sweep import Sweep
from support_api.models.tickets import OpenLimits
from support_api.models.times import Times
from support_api.rules.assignment import LeastLoaded
from support_api.services import Services, open_services
from support_api.services.leases import topic_of
from support_api.services.passwords import Passwords
from support_api.services.rates import Rates, own_rate
from support_api.services.reception import Reception
from support_api.services.tokens import Tokens
from support_api.services.typing import TYPING_SECONDS, Typing
from support_api.views.assets import STATIC_FOLDER, read_assets
from support_api.views.desk import (
    ADDRESS_LOGIN_FAILURES,
    DESK,
    LOGIN_FAILURES,
    LOGIN_SECONDS,
    Desk,
    Limits,
)
from support_api.views.fields import BODY_LIMIT
from support_api.views.middleware import add_security_headers, answer_errors
from support_api.views.origins import guard_origins
from support_api.views.pages import ASSETS
from support_api.views.routes import add_routes
from support_api.wording import wording

# Seconds after which rates that count for nothing any more are removed from a database that several processes share.
FORGET_EVERY: Final = 60.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What may be replaced: the clock, how passwords are hashed, the outbox's pace and where pages and scripts are."""

    clock: Clock = utc_now
    passwords: Passwords = field(default_factory=Passwords)
    pace: Pace = field(default_factory=Pace)
    static_folder: Path = STATIC_FOLDER


@asynccontextmanager
async def opened_services(settings: Settings, clock: Clock = utc_now) -> AsyncIterator[Services]:
    """All use cases, with the rules of assignment that the settings ask for. Raises `DatabaseUnusable`."""
    database = database_of(settings.database_url, clock=clock)
    chooser = LeastLoaded(timedelta(seconds=settings.operator_timeout))
    async with open_services(database, chooser, wording(settings.language), _times(settings)) as services:
        yield services


@asynccontextmanager
async def running_app(settings: Settings, parts: Parts | None = None) -> AsyncIterator[web.Application]:
    """The desk's application with its background work. Raises `DatabaseUnusable`.

    The application must be stopped before the block ends; then the outbox delivers the rest and all is closed.
    """
    parts, interval = parts or Parts(), settings.sweep_interval
    async with (
        opened_services(settings, parts.clock) as services,
        relay_client(settings) as relay,
        _delivering(settings, services, relay, parts.pace),
        _sweeping(services, _silence(settings), interval),
    ):
        notices, tokens = Notices(relay), Tokens(settings.keys)
        rates = Rates(services.database, tokens.hide_network)
        desk = _desk(settings, services, relay, notices, tokens, rates, parts)
        async with (
            notices.running(),
            # Operators who vanish do not say so, and other processes serve some of them.
            repeating(desk.reception.look, interval, "reception"),
            repeating(rates.forget_old, FORGET_EVERY, "rates"),
        ):
            yield _application(desk, parts.static_folder)


def _times(settings: Settings) -> Times:
    return Times(
        warn_after=timedelta(minutes=settings.warn_after_minutes) or None,
        close_after=timedelta(minutes=settings.close_after_minutes) or None,
        reopen_within=timedelta(hours=settings.reopen_within_hours) or None,
        answer_within=timedelta(seconds=settings.answer_within_seconds) or None,
    )


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
async def _delivering(settings: Settings, services: Services, relay: PushlerClient, pace: Pace) -> AsyncIterator[None]:
    """Of several processes over one database one delivers."""

    def begin() -> None:
        outbox.wake()

    lease = _lease(services, "outbox", begin)
    outbox = Outbox(services.outbox, relay, pace, extensions=settings.relay_extensions, lease=lease)
    async with lease.running(), outbox.running():
        yield


@asynccontextmanager
async def _sweeping(services: Services, silence: timedelta, interval: float) -> AsyncIterator[None]:
    """Of several processes over one database one sweeps."""
    lease = _lease(services, "sweep")
    sweep = Sweep(services, silence, interval)

    async def look() -> None:
        if lease.is_held:
            await sweep.look()

    async with lease.running(), repeating(look, interval, "sweep"):
        yield


def _lease(services: Services, name: str, on_taken: Callable[[], None] = lambda: None) -> Lease:
    return Lease(services.leases, name, new_holder(), services.database.news(topic_of(name)), on_taken)


def _silence(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.operator_timeout + settings.operator_grace)


def _desk(
    settings: Settings,
    services: Services,
    relay: PushlerClient,
    notices: Notices,
    tokens: Tokens,
    rates: Rates,
    parts: Parts,
) -> Desk:
    timeout = timedelta(seconds=settings.operator_timeout)
    return Desk(
        settings=settings,
        services=services,
        relay=relay,
        tokens=tokens,
        passwords=parts.passwords,
        limits=_limits(settings, rates),
        typing=Typing(services.tickets, notices, SlidingWindow(1, TYPING_SECONDS)),
        reception=Reception(services.operators, notices, timeout, services.database.now),
        origins=Origins(settings.allowed_origins),
    )


def _limits(settings: Settings, rates: Rates) -> Limits:
    return Limits(
        rates.rate("tickets", settings.tickets_per_minute, 60.0),
        rates.rate("messages", settings.messages_per_minute, 60.0),
        # As often as there can be something new to read, from both sides. Of one process: a stray mark more hurts nobody.
        own_rate(2 * settings.messages_per_minute, 60.0),
        OpenLimits(settings.open_tickets_per_visitor, settings.open_tickets_per_network),
        rates.rate("logins", LOGIN_FAILURES, LOGIN_SECONDS),
        rates.rate("address_logins", ADDRESS_LOGIN_FAILURES, LOGIN_SECONDS),
    )


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
