"""Commands about the database as a whole. Must not know what its tables mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from support_api.cli.logs import set_up_logs
from support_api.cli.running import load_settings, run, with_services
from support_api.config import Settings
from support_api.database.backups import BackupFailed, back_up
from support_api.database.backups import restore as bring_back
from support_api.database.engine import Migrated
from support_api.database.urls import database_of
from support_api.delivery.lease import has_ended
from support_api.services import Services
from support_api.services.search import INDEXED_AT_ONCE

# What was said before this revision is not in the index of the search.
SEARCH_CAME: Final = "0006"

# Messages between two lines that say how far the index is.
SAY_EVERY: Final = 100_000


@click.command(short_help="Bring the tables up to date.")
def migrate() -> None:
    """Bring the tables up to date, after an upgrade of Pushdesk: end all desks that use the database first.

    All of it is done, or nothing. Of an SQLite file a copy is kept beside it.
    """
    settings = load_settings()
    set_up_logs("warning", settings.log_format)
    migrate_now(settings)


@click.command(short_help="Make the index of the search anew.")
def reindex() -> None:
    """Make the index of the search anew, in steps, also while desks use the database. Until it is done, less is found."""
    reindex_now(load_settings())


@click.command(short_help="Copy an SQLite database while it is used.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Copy the SQLite database to a new FILE, also while desks use it, and look whether the copy is whole.

    Of PostgreSQL make copies with pg_dump.
    """
    database = _sqlite_file("pg_dump --format=custom --file=FILE")
    with _refusals():
        found = back_up(database, file)
    click.echo(f"{database} was copied to {file} (revision {found}, {file.stat().st_size} bytes).")


@click.command(short_help="Bring a copy of an SQLite database back.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def restore(file: Path) -> None:
    """Bring a copy that `backup` made back in the place of the SQLite database. End all desks that use it first.

    What was there before is kept beside it.
    """
    database = _sqlite_file("pg_restore --clean --if-exists --dbname=NAME FILE")
    with _refusals():
        kept = bring_back(file, database, has_ended)
    click.echo(
        f"{database} is as it was when {file} was made.{f' What was there before is in {kept}.' if kept else ''}"
    )


def _sqlite_file(instead: str) -> Path:
    """The file of the settings. Raises `click.ClickException` where they name a PostgreSQL database."""
    database = database_of(load_settings().database_url)
    if database.dialect != "sqlite":
        raise click.ClickException(f"{database.where} is a PostgreSQL database; use: {instead}")
    return Path(database.where)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except BackupFailed as error:
        raise click.ClickException(str(error)) from error


def migrate_now(settings: Settings, *, is_quiet: bool = False) -> None:
    """Migrate and say what was done; `is_quiet`: only if there was something to do. Raises `click.ClickException`."""

    old: list[str] = []

    async def work() -> None:
        database = database_of(settings.database_url)
        done = await database.migrate()
        old.extend(() if done.before is None else (done.before,))
        if done.before != done.now and (done.before is not None or not is_quiet):
            click.echo(_in_words(done))
        elif not is_quiet:
            click.echo(f"The tables are up to date (revision {done.now}).")

    run(work)
    if old and old[0] < SEARCH_CAME:
        reindex_now(settings)


def reindex_now(settings: Settings) -> None:
    """Make the index anew and say so, where there is anything. Raises `click.ClickException`."""

    async def work(services: Services) -> None:
        if found := await services.search.reindex(_say_how_far):
            click.echo(f"The search knows all up to message {found}.")

    with_services(settings, work)


def _say_how_far(done: int, last: int) -> None:
    if done % SAY_EVERY < INDEXED_AT_ONCE:
        click.echo(f"Made ready for the search: {done} of {last}.", err=True)


def _in_words(done: Migrated) -> str:
    if done.before is None:
        return f"The tables were made (revision {done.now})."
    kept = f" What was there before is in {done.copy}." if done.copy else ""
    return f"The tables were brought from revision {done.before} to {done.now}.{kept}"
