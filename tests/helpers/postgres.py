"""A real PostgreSQL server for tests: one for a run (one for each worker of pytest-xdist), and a database for each test.

It lives in a folder of its own and listens on a Unix socket there. Nothing is synced to disk. As root it runs as the user
`postgres`, since PostgreSQL refuses to run as root. Everything here blocks.
"""

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from tests.helpers.parts import POSTGRES, postgres_programs, require

USER: Final = "postgres"
START_TIMEOUT: Final = 60.0

# The database that those of the tests are copies of; whoever needs tables in it makes them once.
TEMPLATE: Final = "template_of_the_desk"

_QUIET: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


class PostgresServer:
    """A server in `folder`. May be stopped and started again; `url` names one of its databases."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def make(self) -> None:
        """Make its files. Takes a second."""
        self._run("initdb", "-A", "trust", "-U", USER, "--no-sync", "--locale=C", "-E", "UTF8", "-D", self._data)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [
            f"-c {setting}" for setting in (*_QUIET, "listen_addresses=''", f"unix_socket_directories={self.folder}")
        ]
        self._run("pg_ctl", "-w", "-D", self._data, "-l", str(self.folder / "log"), "-o", " ".join(options), "start")

    def stop(self, mode: str = "immediate") -> None:
        """End it. `immediate` is as a crash would; `fast` tells all clients."""
        self._run("pg_ctl", "-w", "-D", self._data, "-m", mode, "stop")

    def ask(self, database: str, statement: str) -> list[Any]:
        """What a statement returns, or some that return nothing, over a connection of its own; also where a loop runs."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.url(database))
            try:
                if ";" in statement:
                    return [await connection.execute(statement)]
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, ask()).result()

    def new_database(self, template: str = TEMPLATE) -> str:
        """The name of a new database, a copy of another."""
        name = f"test_{next(self._numbers)}"
        self.ask("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        self.ask("postgres", f"DROP DATABASE {database} WITH (FORCE)")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_postgres(), str(self._programs / program), *arguments]
        # Not through a pipe: the server itself would hold it open.
        with (self.folder / "output").open("w+b") as output:
            done = subprocess.run(
                command, cwd=self.folder, stdout=output, stderr=output, timeout=START_TIMEOUT, check=False
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode("utf-8", "replace")


def _as_postgres() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server that answers, removed at the end whatever was done to it."""
    require(POSTGRES)
    # Not below pytest's own folder, into which only root may look; and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="pushdesk-pg-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        server = PostgresServer(folder, postgres_programs())
        server.make()
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL of all tests of a run, with an empty `TEMPLATE`. Ask for a database of it, as `postgres_url`."""
    with running_postgres() as server:
        server.ask("postgres", f"CREATE DATABASE {TEMPLATE}")
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of this test alone."""
    name = postgres_server.new_database("template0")
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of this test alone, which it may stop and start again."""
    with running_postgres() as server:
        yield server
