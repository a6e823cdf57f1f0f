"""Commands about the database as a whole. Must not know what its tables mean."""

import click

from support_api.cli.logs import set_up_logs
from support_api.cli.running import load_settings, run
from support_api.config import Settings
from support_api.database.engine import Migrated
from support_api.database.urls import database_of


@click.command(short_help="Bring the tables up to date.")
def migrate() -> None:
    """Bring the tables up to date, after an upgrade of Pushdesk: end all desks that use the database first.

    All of it is done, or nothing. Of an SQLite file a copy is kept beside it.
    """
    settings = load_settings()
    set_up_logs("warning", settings.log_format)
    migrate_now(settings)


def migrate_now(settings: Settings, *, is_quiet: bool = False) -> None:
    """Migrate and say what was done; `is_quiet`: only if there was something to do. Raises `click.ClickException`."""

    async def work() -> None:
        database = database_of(settings.database_url)
        done = await database.migrate()
        if done.before != done.now and (done.before is not None or not is_quiet):
            click.echo(_in_words(done))
        elif not is_quiet:
            click.echo(f"The tables are up to date (revision {done.now}).")

    run(work)


def _in_words(done: Migrated) -> str:
    if done.before is None:
        return f"The tables were made (revision {done.now})."
    kept = f" What was there before is in {done.copy}." if done.copy else ""
    return f"The tables were brought from revision {done.before} to {done.now}.{kept}"
