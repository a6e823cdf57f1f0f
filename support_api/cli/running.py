"""How a command runs: its settings, the use cases it needs, and what is said when it cannot be done. Knows no command."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

import click

from pushdesk.settings import ConfigError
from support_api.app import opened_services
from support_api.cli.demo import DemoFailed
from support_api.cli.logs import set_up_logs
from support_api.config import Settings, load
from support_api.database.engine import DatabaseUnusable
from support_api.errors import SupportError
from support_api.services import Services


class WrongSettings(click.ClickException):
    """Settings that cannot be used; all faults are shown."""

    exit_code = 2


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises `WrongSettings`."""
    try:
        return load(environ)
    except ConfigError as error:
        raise WrongSettings(str(error)) from error


def with_services(settings: Settings, work: Callable[[Services], Awaitable[None]]) -> None:
    """Run what works with the desk's use cases. Raises `click.ClickException` with one line for a person."""

    async def opened() -> None:
        async with opened_services(settings) as services:
            await work(services)

    set_up_logs("warning", settings.log_format)
    run(opened)


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run on an event loop. Raises `click.ClickException` with one line for a person."""
    try:
        _loop_run(work)
    except (DatabaseUnusable, DemoFailed, SupportError) as error:
        raise click.ClickException(str(error)) from error


def _loop_run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        asyncio.run(whole())
    else:
        uvloop.run(whole())
