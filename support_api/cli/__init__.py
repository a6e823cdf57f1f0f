"""The command line of the support desk: serve, operators, settings, schema. Must not know HTTP calls or SQL.

Exit codes: 0 done, 1 it cannot be done now (a busy port, an unknown e-mail …), 2 wrong usage or settings.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import click

from pushdesk.files import raise_file_limit
from pushdesk.http_server import HttpServer, Patience
from pushdesk.settings import ConfigError
from support_api.app import opened_services, running_app
from support_api.cli.demo import DemoFailed, check_relay, run_both, shared_environment
from support_api.cli.logs import set_up_logs
from support_api.config import Settings, describe, load
from support_api.database.engine import DatabaseUnusable
from support_api.database.schema import schema_sql
from support_api.errors import SupportError
from support_api.models.ids import MAX_ID
from support_api.models.operators import Operator, OperatorStatus, Presence
from support_api.rules.visible import clean_name
from support_api.services import Services
from support_api.services.passwords import MAX_PASSWORD, MIN_PASSWORD, Passwords
from support_api.views.fields import is_email

FIRST_OPERATOR = "operator@localhost.localdomain"
"""The log-in that the first run makes."""

GOODBYE = 10.0
"""Seconds that requests under way may still take when the process is told to stop."""

REASON = 200
"""Characters of a refusal that are shown."""

MAX_CONNECTIONS = 10_000
"""Connections at once, or half of the files that the process may have open: the rest is for what comes in one turn of the
loop, for the database, the pages and the relay."""


class WrongSettings(click.ClickException):
    """Settings that cannot be used; all faults are shown."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The support desk of Pushdesk. Settings: environment variables SUPPORT_… or a TOML file named by SUPPORT_CONFIG."""


@main.command()
def serve() -> None:
    """Serve the HTTP API and the pages until SIGINT or SIGTERM."""
    settings = _settings()
    set_up_logs(settings.log_level, settings.log_format)
    _run(lambda: _serve(settings))


@main.command("check-config")
def check_config() -> None:
    """Check the settings and show them; secrets are masked."""
    click.echo("\n".join(describe(_settings())))


@main.command()
def schema() -> None:
    """Print schema.sql."""
    click.echo(schema_sql(), nl=False)


@main.command("first-run", short_help="Make the database and a first operator.")
def first_run() -> None:
    """Make the database and, where there is no operator yet, one to log in with. Says what to open."""
    settings = _settings()
    _with_services(settings, lambda services: _first_run(settings, services))


@main.command(short_help="Run the relay, the desk and a demo shop.")
def demo() -> None:
    """Try it: the relay, the desk and a shop page, from nothing; data in ./data, an operator made at the first run.

    Takes the settings of both, RELAY_… and SUPPORT_…; the desk finds the relay by itself.
    """
    environ = shared_environment(os.environ)
    _run(lambda: check_relay(environ))
    settings = _settings(environ)
    _with_services(settings, lambda services: _first_run(settings, services))
    _run(lambda: run_both(environ))


@main.group()
def operator() -> None:
    """The people who answer."""


_email = click.option("--email", required=True, callback=lambda _context, _option, value: _checked_email(value))
_password = click.option(
    "--password-stdin", is_flag=True, required=True, help="Read the password from the first line of standard input."
)
_limit = click.option("--max-tickets", type=click.IntRange(0, 100), default=5, show_default=True)


@operator.command("add")
@click.option("--name", required=True, callback=lambda _context, _option, value: _checked_name(value))
@_email
@_password
@_limit
def operator_add(name: str, email: str, password_stdin: bool, max_tickets: int) -> None:
    """Make an account."""
    assert password_stdin  # noqa: S101 - click insists on the flag: passwords in arguments show in the list of processes
    password = _read_password()

    async def add(services: Services) -> None:
        made = await services.operators.add(name, email, await Passwords().hash(password), max_tickets)
        click.echo(f"Operator {made.id} ({made.email}) was added.")

    _with_services(_settings(), add)


@operator.command("list", short_help="Show all accounts.")
def operator_list() -> None:
    """Show all accounts. "gone": the panel was left open, or lost its network; no heartbeat for a while."""
    settings = _settings()
    timeout = timedelta(seconds=settings.operator_timeout)

    async def show(services: Services) -> None:
        for one, presence in await services.operators.everybody():
            state = _state(one, presence, services.database.now() - timeout)
            click.echo(f"{one.id}\t{one.email}\t{one.name}\t{state}\t{presence.active_tickets}/{presence.max_tickets}")

    _with_services(settings, show)


def _state(operator: Operator, presence: Presence, heard_after: datetime) -> str:
    if operator.is_disabled:
        return "disabled"
    if presence.status is not OperatorStatus.OFFLINE and presence.last_seen < heard_after:
        return "gone"
    return presence.status


@operator.command("password")
@_email
@_password
def operator_password(email: str, password_stdin: bool) -> None:
    """Set a new password; it ends the operator's sessions."""
    assert password_stdin  # noqa: S101 - see operator add
    password = _read_password()

    async def change(services: Services) -> None:
        await services.operators.set_password(email, await Passwords().hash(password))
        click.echo(f"{email} has a new password and must log in again.")

    _with_services(_settings(), change)


@operator.command("limit")
@_email
@click.option("--max-tickets", type=click.IntRange(0, 100), required=True)
def operator_limit(email: str, max_tickets: int) -> None:
    """Set how many active tickets an operator may have."""

    async def change(services: Services) -> None:
        await services.operators.set_limit(email, max_tickets)
        click.echo(f"{email} gets new tickets below {max_tickets} active ones.")

    _with_services(_settings(), change)


@operator.command("disable", short_help="End an account and its sessions.")
@_email
def operator_disable(email: str) -> None:
    """End an account: no log-in, no session; its active tickets go to somebody else."""

    async def change(services: Services) -> None:
        await services.operators.disable(email)
        click.echo(f"{email} is disabled.")

    _with_services(_settings(), change)


@operator.command("enable")
@_email
def operator_enable(email: str) -> None:
    """Let a disabled account log in again."""

    async def change(services: Services) -> None:
        await services.operators.enable(email)
        click.echo(f"{email} may log in again.")

    _with_services(_settings(), change)


@main.group()
def outbox() -> None:
    """The events on their way to the relay."""


@outbox.command("list", short_help="Show what was set aside, and why.")
def outbox_list() -> None:
    """Show what was set aside because the relay refused it: number, channel, event, bytes of its data, when it was made, when
    it was refused, why. The data itself is private and not shown."""

    async def show(services: Services) -> None:
        for one in await services.outbox.refused():
            times = f"{one.created_at.isoformat()}\t{one.refused_at.isoformat()}"
            click.echo(f"{one.id}\t{one.channel}\t{one.name}\t{one.size}\t{times}\t{_in_one_line(one.reason)}")
        waiting, refused = await services.outbox.counts()
        click.echo(f"{waiting} wait for the relay, {refused} were set aside.", err=True)

    _with_services(_settings(), show)


@outbox.command("retry", short_help="Send again what was set aside.")
@click.argument("numbers", nargs=-1, type=click.IntRange(1, MAX_ID), metavar="[NUMBER]...")
@click.option("--all", "everything", is_flag=True, help="All that was set aside.")
def outbox_retry(numbers: tuple[int, ...], everything: bool) -> None:
    """Send again what was set aside, once the reason is mended. It arrives after the events that have overtaken it."""
    if bool(numbers) == everything:
        raise click.UsageError("Name the numbers of the events, or --all.")

    async def bring_back(services: Services) -> None:
        found = await services.outbox.retry(None if everything else numbers)
        click.echo(f"{len(found)} will be sent again.")
        if missing := sorted(set(numbers) - set(found)):
            raise click.ClickException(f"Not set aside: {', '.join(map(str, missing))}. See: outbox list")

    _with_services(_settings(), bring_back)


@outbox.command("skip", short_help="Set the oldest waiting event aside.")
def outbox_skip() -> None:
    """Set the oldest event that waits aside, where it alone holds up all others."""

    async def skip(services: Services) -> None:
        oldest = await services.outbox.skip("set aside by hand")
        if oldest is None:
            raise click.ClickException("No event waits.")
        click.echo(f"{oldest.id} ({oldest.event.name} on {oldest.event.channel}) was set aside.")

    _with_services(_settings(), skip)


def _in_one_line(text: str) -> str:
    """What somebody else said, so that a terminal shows it and nothing more."""
    return "".join(one if one.isprintable() else " " for one in text)[:REASON]


async def _serve(settings: Settings) -> None:
    connections = min(MAX_CONNECTIONS, raise_file_limit() // 2)
    async with running_app(settings) as app:
        server = HttpServer(app, Patience(connections), goodbye=GOODBYE)
        await _start(server, settings)
        try:
            click.echo(f"Support desk listening on {base_url(settings.host, server.port)}")
            await _told_to_stop()
        finally:
            await server.stop()


async def _start(server: HttpServer, settings: Settings) -> None:
    try:
        await server.start(settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        # The event loop's own text for a busy port is a long one that names the address again.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        hint = "Choose another with SUPPORT_HOST and SUPPORT_PORT."
        raise click.ClickException(f"Cannot listen on {where}: {reason}. {hint}") from error


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


async def _first_run(settings: Settings, services: Services) -> None:
    base = base_url(settings.host, settings.port)
    click.echo(f"Shop with the chat widget:  {base}/")
    click.echo(f"Operator's panel:           {base}/operator")
    if await services.operators.everybody():
        click.echo(
            f"Forgot the password?        {_python()} -m support_api operator password --email … --password-stdin"
        )
        return
    password = secrets.token_urlsafe(12)
    await services.operators.add("Operator", FIRST_OPERATOR, await Passwords().hash(password))
    click.echo(f"Log in there with           {FIRST_OPERATOR}")
    click.echo(f"and the password            {password}   (shown only now)")


def _python() -> str:
    """This Python as one types it in the current folder."""
    if not sys.executable:
        return "python"
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def base_url(host: str, port: int) -> str:
    """The address for a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared, not bound
    return f"http://{shown}:{port}"


def _settings(environ: Mapping[str, str] = os.environ) -> Settings:
    try:
        return load(environ)
    except ConfigError as error:
        raise WrongSettings(str(error)) from error


def _with_services(settings: Settings, work: Callable[[Services], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened_services(settings) as services:
            await work(services)

    set_up_logs("warning", settings.log_format)
    _run(run)


def _run(work: Callable[[], Awaitable[None]]) -> None:
    try:
        _loop_run(work)
    except (DatabaseUnusable, DemoFailed, SupportError) as error:
        raise click.ClickException(str(error)) from error


def _loop_run(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        asyncio.run(run())
    else:
        uvloop.run(run())


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise click.ClickException(f"The password must have {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return password


def _checked_email(value: str) -> str:
    email = value.strip().lower()
    if len(email) > 255 or not is_email(email):
        raise click.BadParameter("expected an e-mail address of at most 255 characters")
    return email


def _checked_name(value: str) -> str:
    name = clean_name(value)
    if not 1 <= len(name) <= 100:
        raise click.BadParameter("expected 1 to 100 characters that can be seen")
    return name
