"""What state the tables of a database are in, and how they come to today's. Alembic is loaded only where they have to change.

Each file in `versions/` makes of the tables of the revision before those of its own; its first four characters are the number
of the revision. Only new databases are made from `tables.py` at once: a test sees to it that both ways end in the same.
"""

import logging
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from support_api.database import search
from support_api.database.steps import LAST_STEP, steps_from
from support_api.database.tables import ALEMBIC, metadata

FOLDER: Final = Path(__file__).parent

# Alembic's own table. Not among those of tables.py: it makes and changes it by itself.
REVISIONS: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class WrongRevision(Exception):
    """The tables are not those that this program works with. `is_older`: it knows how to bring them up to date."""

    def __init__(self, found: str, *, is_older: bool) -> None:
        self.found = found
        self.is_older = is_older
        super().__init__(found, is_older)

    def __str__(self) -> str:
        if self.is_older:
            return (
                f"its tables are of revision {self.found}; end all desks that use it, then run: pushdesk-desk migrate"
            )
        return f"its tables are of revision {self.found}, this program knows {head()} at most; a newer one is needed."


@cache
def known() -> list[str]:
    """All revisions, the oldest first; 0001 and 0002 are from before Alembic."""
    return ["0001", *sorted(file.name[:4] for file in (FOLDER / "versions").glob("[0-9]*.py"))]


def head() -> str:
    """Today's revision."""
    return known()[-1]


def prepare(conn: Connection) -> None:
    """Make the tables of a database that has none; change none that are there. Raises `WrongRevision`."""
    found = revision(conn)
    if found is None:
        metadata.create_all(conn)
        search.create(conn)
        _stamp(conn, head())
    elif found != head():
        raise WrongRevision(found, is_older=found in known())


def migrate(conn: Connection) -> tuple[str | None, str]:
    """Bring the tables up to date, whatever they are, or make them. Returns the revisions before and after.

    On SQLite, foreign keys must be off: a table is changed by making it anew. Raises `WrongRevision` for newer ones.
    """
    found = revision(conn)
    if found is None:
        prepare(conn)
    elif found not in known():
        raise WrongRevision(found, is_older=False)
    elif found != head():
        _step_up(conn, found)
    return found, head()


def revision(conn: Connection) -> str | None:
    """Of which revision the tables are; None: there are none."""
    if inspect(conn).has_table(REVISIONS.name):
        return str(conn.execute(select(REVISIONS.c.version_num)).scalar_one())
    number = _number(conn)
    return None if number == 0 else f"{number:04}"


def _number(conn: Connection) -> int:
    """What a file says that is from before Alembic, or from a program that is no longer made."""
    if conn.dialect.name != "sqlite":
        return 0
    return int(conn.exec_driver_sql("PRAGMA user_version").scalar_one())


def _step_up(conn: Connection, found: str) -> None:
    if not inspect(conn).has_table(REVISIONS.name):
        for statement in steps_from(int(found)):
            conn.exec_driver_sql(statement)
        _stamp(conn, f"{LAST_STEP:04}")
    _upgrade(conn)


def _stamp(conn: Connection, revision_: str) -> None:
    REVISIONS.create(conn)
    conn.execute(insert(REVISIONS).values(version_num=revision_))
    if conn.dialect.name == "sqlite":
        # So that a program from before Alembic leaves the file alone.
        conn.exec_driver_sql(f"PRAGMA user_version = {ALEMBIC}")


def _upgrade(conn: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see the top
    from alembic.config import Config  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
