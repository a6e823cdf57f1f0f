"""The commands about the database as a whole."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support_api.database.migrations import head
from tests.support_api.cli.commands import add, run

DATA = Path(__file__).parent.parent / "database" / "data"


def test_tables_of_an_earlier_version_are_brought_up_to_date_when_asked(env: dict[str, str], tmp_path: Path) -> None:
    assert run(env, "migrate").output == f"The tables are up to date (revision {head()}).\n"
    env = env | {"SUPPORT_DATABASE_URL": f"sqlite:///{tmp_path}/old.sqlite3"}
    with closing(sqlite3.connect(tmp_path / "old.sqlite3")) as file:
        file.executescript((DATA / "schema_2.sql").read_text("utf-8"))
    refused = run(env, "operator", "list")
    assert refused.exit_code == 1
    assert "end all desks that use it, then run: pushdesk-desk migrate" in refused.output
    said = run(env, "migrate").output
    assert said.startswith(f"The tables were brought from revision 0002 to {head()}. What was there before is in ")
    assert Path(said.rsplit(" ", 1)[1].strip().rstrip(".")).is_file()
    assert run(env, "operator", "list").exit_code == 0


def test_the_tables_are_made_by_migrate_too(env: dict[str, str], tmp_path: Path) -> None:
    new = env | {"SUPPORT_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    assert run(new, "migrate").output == f"The tables were made (revision {head()}).\n"
    assert run(new, "operator", "list").exit_code == 0


def test_the_database_is_copied_and_brought_back(env: dict[str, str], tmp_path: Path) -> None:
    add(env, email="before@example.com")
    copy = str(tmp_path / "copy.sqlite3")
    assert f"was copied to {copy} (revision {head()}, " in run(env, "backup", copy).output
    add(env, email="after@example.com")
    restored = run(env, "restore", copy)
    assert restored.exit_code == 0
    assert "is as it was when" in restored.output
    listed = run(env, "operator", "list").output
    assert "before@example.com" in listed
    assert "after@example.com" not in listed
    again = run(env, "backup", copy)
    assert again.exit_code == 1
    assert "exists already" in again.output


@pytest.mark.parametrize(("command", "instead"), [("backup", "pg_dump"), ("restore", "pg_restore")])
def test_of_postgresql_its_own_programs_make_copies(env: dict[str, str], command: str, instead: str) -> None:
    refused = run(env | {"SUPPORT_DATABASE_URL": "postgresql://desk:s3cret@db/desk"}, command, "file")
    assert refused.exit_code == 1
    assert f"postgresql://db/desk is a PostgreSQL database; use: {instead} " in refused.output
    assert "s3cret" not in refused.output
