"""The whole product for a test: a relay and a support desk as real processes over one temporary SQLite file.

Both can be stopped, killed and started again where they were. Knows how they are started and where they keep what they
store; not: browsers, and what a test is about.
"""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.helpers.processes import HOST, ROOT, Process, RelayProcess, environment, free_port

APP_ID: Final = "1"
APP_KEY: Final = "app-key"
APP_SECRET: Final = "app-secret"

PASSWORD: Final = "correct horse battery"

_COMMAND_TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Account:
    """An operator's log-in; accounts are made in this order, so the ids are 1, 2 …"""

    id: int
    name: str
    email: str
    password: str = PASSWORD


ANNA: Final = Account(1, "Anna", "anna@shop.example")
BORIS: Final = Account(2, "Boris", "boris@shop.example")


class DeskRelay(RelayProcess):
    """A relay with the app of the tests of the desk."""

    app_id = APP_ID
    key = APP_KEY
    secret = APP_SECRET


class SupportProcess(Process):
    """A support desk on `database`, for the relay at `relay_url`. `settings` are further ones by their names there."""

    def __init__(self, database: Path, relay_url: str, **settings: object) -> None:
        port = free_port()
        own: dict[str, object] = {
            "host": HOST,
            "port": port,
            "database_url": f"sqlite:///{database}",
            "relay_url": relay_url,
            "relay_app_id": APP_ID,
            "relay_app_key": APP_KEY,
            "relay_app_secret": APP_SECRET,
            # A test writes quicker than a person, and all of it comes from one address.
            "messages_per_minute": 0,
            "tickets_per_minute": 0,
            "open_tickets_per_visitor": 0,
            "open_tickets_per_network": 0,
        }
        super().__init__(["support_api", "serve"], port, environment("SUPPORT_", own | settings))


@dataclass(frozen=True)
class Product:
    """A relay and a support desk that use each other."""

    relay: RelayProcess
    support: SupportProcess
    database: Path

    @property
    def url(self) -> str:
        """Where the support desk answers."""
        return self.support.url

    def command(self, *arguments: str) -> str:
        """Run a command of the desk beside it; returns what it prints."""
        return run_command(self.database, *arguments)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds in the database file, past the support desk."""
        with closing(sqlite3.connect(self.database, timeout=10.0)) as connection:
            return connection.execute(query, values).fetchall()

    def stored(self, ticket_id: int) -> list[tuple[str, str]]:
        """The stored messages of a ticket in their order, as (sender_type, content)."""
        return [
            (str(sender), str(content))
            for sender, content in self.rows(
                "SELECT sender_type, content FROM support_messages WHERE ticket_id = ? ORDER BY seq", ticket_id
            )
        ]

    def undelivered(self, event: str | None = None) -> int:
        """How many events (of that name) the relay has not taken yet, or took a moment ago: their rows stay for 0.25 s."""
        query = "SELECT count(*) FROM support_outbox WHERE refused_at IS NULL AND event = coalesce(?, event)"
        return int(self.rows(query, event)[0][0])

    def logs(self) -> str:
        """All that both processes have printed."""
        return f"=== relay ===\n{self.relay.transcript()}\n=== support desk ===\n{self.support.transcript()}"


@contextmanager
def running_product(accounts: Path, folder: Path, **support: object) -> Iterator[Product]:
    """A product that answers, with the accounts of the database file `accounts`; stopped at the end.

    `support` are further settings of the desk. What the processes have printed goes to standard output at the end, where
    pytest shows it for a test that failed.
    """
    database = folder / "desk.sqlite3"
    shutil.copyfile(accounts, database)
    relay = DeskRelay()
    product = Product(relay, SupportProcess(database, relay.url, **support), database)
    try:
        with ThreadPoolExecutor() as together:
            for started in [together.submit(process.start) for process in (product.relay, product.support)]:
                started.result()
        yield product
    finally:
        product.support.stop()
        product.relay.stop()
        sys.stdout.write(product.logs())


def make_accounts(folder: Path) -> Path:
    """A database file with the accounts of Anna and Boris, made by the command that an administrator uses."""
    database = folder / "accounts.sqlite3"
    for account in (ANNA, BORIS):
        add_operator(database, account)
    return database


def add_operator(database: Path, account: Account) -> None:
    """Make an account from the command line."""
    options = ["--name", account.name, "--email", account.email, "--password-stdin"]
    run_command(database, "operator", "add", *options, stdin=account.password)


def run_command(database: Path, *arguments: str, stdin: str = "") -> str:
    """Run a command of the desk over a database file; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "support_api", *arguments],
        cwd=ROOT,
        env=environment("SUPPORT_", {"database_url": f"sqlite:///{database}"}),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_COMMAND_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
