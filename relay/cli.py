"""The command line of the relay. Exit codes: 0 done, 1 cannot run, 2 wrong usage or settings."""

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec
import uvloop

from pushdesk.settings import ConfigError
from relay import config, logs, server, supervisor
from relay.apps import App
from relay.cluster.redis.private import PrivateRedisFailed
from relay.ports import CannotListen
from relay.worker import Place

if TYPE_CHECKING:
    from relay.doctor import Finding


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Pushdesk's realtime relay: a server that speaks the Pusher Channels protocol."""


@main.command()
@click.option("--workers", type=click.IntRange(0, 256), help="Processes on the same port; 0: one for each core.")
def serve(workers: int | None) -> None:
    """Run the relay until Ctrl-C."""
    settings = _load()
    if workers is not None:
        settings = msgspec.structs.replace(settings, workers=workers)
    logs.configure(settings.log_level, settings.log_format)
    try:
        if settings.workers == 1:
            uvloop.run(server.serve(settings))
        else:
            asyncio.run(supervisor.supervise(settings, os.environ))
    except OSError as error:
        _fail(_explain(error), 1)
    except (PrivateRedisFailed, supervisor.CannotStart) as error:
        _fail(str(error), 1)


@main.command(hidden=True)
@click.argument("place")
def worker(place: str) -> None:
    """Run as one of several workers, where the supervisor says."""
    settings = _load()
    stands = msgspec.json.decode(place, type=Place)
    logs.configure(settings.log_level, settings.log_format, worker=stands.number)
    try:
        uvloop.run(server.work(settings, stands))
    except OSError as error:
        _fail(_explain(error), 1)


@main.command(short_help="Have nodes read their apps anew.")
@click.option("--all", "is_all", is_flag=True, help="All nodes over the Redis of the settings.")
def reload(is_all: bool) -> None:
    """Have all nodes of a relay read their apps anew, each from its own settings. One alone does on SIGHUP."""
    settings = _load()
    if not is_all or not settings.redis_url:
        _fail("relay reload needs --all, and RELAY_REDIS_URL; send SIGHUP to a relay that is alone", 2)
    from relay.cluster.redis.orders import order_reload  # noqa: PLC0415 - `serve` does not need it

    try:
        nodes = asyncio.run(order_reload(settings.redis_url, settings.redis_prefix, settings.redis_log))
    except OSError as error:
        _fail(str(error), 1)
    click.echo(f"told {nodes} nodes; each says in its log what it did: apps_reloaded, or reload_refused")


@main.command("check-config")
def check_config() -> None:
    """Check the settings and print them, secrets masked."""
    settings = _load()
    for name, text in settings.shown().items():
        click.echo(f"{name} = {text}")


@main.command(short_help="Find out what is wrong with a set-up.")
@click.option("--url", help="Where clients reach the relay, https://chat.example; without it, where it listens.")
@click.option("--app", "app_id", help="The id of the app to try; without it, the first one.")
@click.option("--origin", help="The page that clients are on, https://shop.example.")
def doctor(url: str | None, app_id: str | None, origin: str | None) -> None:
    """Find out what is wrong with a set-up: the system, the proxy, TLS, clocks, origins, credentials."""
    if url and not url.startswith(("http://", "https://")):
        _fail(f"--url {url}: expected http:// or https://, such as https://chat.example", 2)
    settings = _load()
    apps = [app for app in settings.apps if app_id in (None, app.id)]
    if not apps:
        _fail(f"There is no app {app_id!r} in the settings", 2)
    address = url or f"http://{settings.host}:{settings.port}{settings.path_prefix}"
    if not asyncio.run(_examine(address.rstrip("/"), apps[0], origin, settings)):
        sys.exit(1)


async def _examine(url: str, app: App, origin: str | None, settings: config.Settings) -> bool:
    """Print what is found; True when all is well."""
    is_well = True
    async for finding in _findings(url, app, origin, settings):
        is_well = is_well and finding.is_well
        click.echo(f"{'ok  ' if finding.is_well else 'FAIL'}  {finding.seen}")
        if finding.advice:
            click.echo(f"      {finding.advice}")
    return is_well


async def _findings(url: str, app: App, origin: str | None, settings: config.Settings) -> "AsyncIterator[Finding]":
    """Of the Redis of several nodes, then of the relay that needs it."""
    from relay.doctor import examine, examine_redis  # noqa: PLC0415 - `serve` does not need it

    if settings.redis_url:
        async for finding in examine_redis(settings.redis_url, settings.redis_prefix, settings.redis_partitions):
            yield finding
    async for finding in examine(url, app, origin, settings.workers, settings.redis_url):
        yield finding


def _load() -> config.Settings:
    try:
        return config.load()
    except ConfigError as error:
        _fail(str(error), 2)


def _explain(error: OSError) -> str:
    """What to do about a port that cannot be listened on, or about another failure of the system."""
    if not isinstance(error, CannotListen):
        return f"The relay cannot run: {error.strerror or error}"
    address, setting = f"{error.host}:{error.port}", f"{config.PREFIX}{error.part.upper()}"
    if error.errno == errno.EADDRINUSE:
        return f"Port {error.port} is busy: something else listens on {address}. Choose another with {setting}PORT."
    return f"Cannot listen on {address}: {error.strerror}. Choose another with {setting}HOST and {setting}PORT."


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
