"""The use cases are tried on both databases."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> str:
    """A database of this test alone, with the desk's tables."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_desk_url")
        return url
    shutil.copy(empty_database, tmp_path / "desk.sqlite3")
    return f"sqlite:///{tmp_path}/desk.sqlite3"
