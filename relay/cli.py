"""The command line of the relay. Exit codes: 0 done, 1 cannot run, 2 wrong usage or settings."""

import errno
import sys
from typing import NoReturn

import click
import uvloop

from relay import config, logs, server


@click.group()
def main() -> None:
    """Pushdesk's realtime relay: a server that speaks the Pusher Channels protocol."""


@main.command()
def serve() -> None:
    """Run the relay until Ctrl-C."""
    settings = _load()
    logs.configure(settings.log_level, settings.log_format)
    try:
        uvloop.run(server.serve(settings))
    except OSError as error:
        _fail(_explain(error, settings), 1)


@main.command("check-config")
def check_config() -> None:
    """Check the settings and print them, secrets masked."""
    settings = _load()
    for name in config.Settings.__struct_fields__:
        click.echo(f"{name} = {getattr(settings, name)!r}")


def _load() -> config.Settings:
    try:
        return config.load()
    except config.ConfigError as error:
        _fail(str(error), 2)


def _explain(error: OSError, settings: config.Settings) -> str:
    address = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"Port {settings.port} is busy: something else listens on {address}. Choose another with RELAY_PORT."
    return f"Cannot listen on {address}: {error.strerror or error}. Choose another with RELAY_HOST and RELAY_PORT."


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
