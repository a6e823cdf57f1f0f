"""The command line of the support desk: serve it, try it, check it. Must not know HTTP calls or SQL.

Exit codes: 0 done, 1 it cannot be done now (a busy port, an unknown e-mail …), 2 wrong usage or settings.
"""

import asyncio
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import click

from pushdesk.files import raise_file_limit
from pushdesk.http_server import HttpServer, Patience
from support_api.app import running_app
from support_api.cli.database import backup, migrate, migrate_now, reindex, restore
from support_api.cli.delivery import outbox
from support_api.cli.demo import check_relay, run_both, shared_environment
from support_api.cli.groups import group
from support_api.cli.logs import set_up_logs
from support_api.cli.operators import operator
from support_api.cli.running import load_settings, run, with_services
from support_api.config import Settings, describe
from support_api.database.schema import DIALECTS, schema_sql
from support_api.services import Services
from support_api.services.passwords import Passwords

# The log-in that the first run makes.
FIRST_OPERATOR: Final = "operator@localhost.localdomain"

# Seconds that requests under way may still take when the process is told to stop.
GOODBYE: Final = 10.0

# Connections at once, or half of the files that the process may have open: the rest is for what comes in one turn of the
# loop, for the database, the pages and the relay.
MAX_CONNECTIONS: Final = 10_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The support desk of Pushdesk. Settings: environment variables SUPPORT_… or a TOML file named by SUPPORT_CONFIG."""


main.add_command(operator)
main.add_command(group)
main.add_command(outbox)
for command in (migrate, backup, restore, reindex):
    main.add_command(command)


@main.command()
def serve() -> None:
    """Serve the HTTP API and the pages until SIGINT or SIGTERM."""
    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_format)
    run(lambda: _serve(settings))


@main.command("check-config")
def check_config() -> None:
    """Check the settings and show them; secrets are masked."""
    click.echo("\n".join(describe(load_settings())))


@main.command()
@click.option("--dialect", type=click.Choice(list(DIALECTS)), default="sqlite", show_default=True)
def schema(dialect: str) -> None:
    """Print the tables as SQL; of SQLite, that is schema.sql."""
    click.echo(schema_sql(dialect), nl=False)


@main.command("first-run", short_help="Make the database and a first operator.")
def first_run() -> None:
    """Make the database and, where there is no operator yet, one to log in with. Says what to open."""
    settings = load_settings()
    with_services(settings, lambda services: _first_run(settings, services))


@main.command(short_help="Run the relay, the desk and a demo shop.")
def demo() -> None:
    """Try it: the relay, the desk and a shop page, from nothing; data in ./data, an operator made at the first run.

    Takes the settings of both, RELAY_… and SUPPORT_…; the desk finds the relay by itself. Data of an earlier version are
    brought up to date by themselves; of a file a copy is kept.
    """
    environ = shared_environment(os.environ)
    run(lambda: check_relay(environ))
    settings = load_settings(environ)
    migrate_now(settings, is_quiet=True)
    with_services(settings, lambda services: _first_run(settings, services))
    run(lambda: run_both(environ))


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
