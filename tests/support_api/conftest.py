"""Fixtures of the support desk's tests: the use cases on a real file, a running desk, a recording relay."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from pushdesk.http_server import OPTIONS
from pushdesk.settings import Secret
from support_api.app import Parts, running_app
from support_api.config import Settings
from support_api.database.postgres import PostgresDatabase
from support_api.database.sqlite import SqliteDatabase
from support_api.database.urls import database_of
from support_api.delivery.outbox import Pace
from support_api.models.operators import Operator
from support_api.rules.assignment import LeastLoaded
from support_api.services import Services, open_services
from support_api.services.passwords import Passwords
from support_api.views.desk import DESK, Desk
from support_api.wording import wording
from tests.helpers.postgres import TEMPLATE, PostgresServer
from tests.support_api.helpers import PASSWORD, Caller, RecordingRelay, SteadyClock, recording_relay

OPERATOR_TIMEOUT = 60


@pytest.fixture
def clock() -> SteadyClock:
    return SteadyClock()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, made once: a copy of it is quicker than making the tables for each test."""
    path = tmp_path_factory.mktemp("template") / "desk.sqlite3"

    async def make() -> None:
        database = SqliteDatabase(f"sqlite:///{path}")
        await database.open()
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
def database_url(tmp_path: Path, empty_database: Path) -> str:
    shutil.copy(empty_database, tmp_path / "desk.sqlite3")
    return f"sqlite:///{tmp_path}/desk.sqlite3"


@pytest.fixture(scope="session")
def postgres_with_tables(postgres_server: PostgresServer) -> PostgresServer:
    """PostgreSQL, whose new databases have the desk's tables."""

    async def make() -> None:
        database = PostgresDatabase(postgres_server.url(TEMPLATE))
        await database.open()
        await database.close()

    asyncio.run(make())
    return postgres_server


@pytest.fixture
def postgres_desk_url(postgres_with_tables: PostgresServer) -> Iterator[str]:
    """A database on PostgreSQL of this test alone, with the desk's tables."""
    name = postgres_with_tables.new_database()
    yield postgres_with_tables.url(name)
    postgres_with_tables.drop(name)


@pytest.fixture(scope="session")
def hasher() -> PasswordHasher:
    """A hasher that is quick, because nothing here depends on how slow it is."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def services(database_url: str, clock: SteadyClock) -> AsyncIterator[Services]:
    chooser = LeastLoaded(timedelta(seconds=OPERATOR_TIMEOUT))
    async with open_services(database_of(database_url, clock=clock), chooser, wording("en")) as opened:
        yield opened


@pytest.fixture
async def relay() -> AsyncIterator[RecordingRelay]:
    async with recording_relay() as running:
        yield running


@pytest.fixture
def settings(database_url: str, relay: RecordingRelay) -> Settings:
    return Settings(
        database_url=database_url,
        relay_url=relay.url,
        secret_keys=(Secret("a key for tests"),),
        operator_timeout=OPERATOR_TIMEOUT,
        allowed_origins=("https://shop.example",),
        language="en",
    )


@pytest.fixture
def static_folder(tmp_path: Path) -> Path:
    """Pages and scripts in the place of the real ones. The compressed ones hold something else, to be told apart."""
    folder = tmp_path / "static"
    folder.mkdir()
    for name, content in {
        "demo.html": "<!doctype html><title>shop</title>",
        "operator.html": '<!doctype html><title>panel</title><script src="/client_js/VERSION/operator.js"></script>',
        "operator.css": "p{}",
        "operator.js": "var panel;",
        "pushler.js": "var PushlerClient;",
        "widget.js": "var widget;",
        "widget.js.br": "widget in br",
        "notes.txt": "no",
    }.items():
        (folder / name).write_text(content)
    (folder / "widget.js.gz").write_bytes(gzip.compress(b"widget in gzip"))
    (tmp_path / "outside.js").write_text("no")
    return folder


@pytest.fixture
def parts(hasher: PasswordHasher, static_folder: Path) -> Parts:
    quick = Pace(first_pause=0.01, longest_pause=0.05, poll=0.05, deadline=2.0)
    return Parts(passwords=Passwords(hasher), pace=quick, static_folder=static_folder)


@dataclass(frozen=True)
class Running:
    """A desk that serves on a free port."""

    desk: Desk
    nobody: Caller

    async def add_operator(self, name: str, *, max_tickets: int = 5) -> Operator:
        hashed = await self.desk.passwords.hash(PASSWORD)
        return await self.desk.services.operators.add(name, f"{name.lower()}@example.com", hashed, max_tickets)

    async def log_in(self, operator: Operator) -> Caller:
        answer = await self.nobody.post("/operator/login", email=operator.email, password=PASSWORD)
        assert answer.status == 200, answer.text
        return self.nobody.with_headers({"Cookie": f"operator_session={answer.cookies['operator_session'].value}"})

    async def online(self, name: str, *, max_tickets: int = 5) -> tuple[Operator, Caller]:
        operator = await self.add_operator(name, max_tickets=max_tickets)
        caller = await self.log_in(operator)
        answer = await caller.post("/operator/heartbeat")
        assert answer.status == 200, answer.text
        return operator, caller


Start = Callable[[Settings], Awaitable[Running]]


@pytest.fixture
async def start(parts: Parts, settings: Settings) -> AsyncIterator[Start]:
    """Starts desks with settings of the test's own. They end before the database and the relay of `settings` do."""
    from contextlib import AsyncExitStack

    from aiohttp import DummyCookieJar

    async with AsyncExitStack() as stack:

        async def run(settings: Settings) -> Running:
            app = await stack.enter_async_context(running_app(settings, parts))
            server = TestServer(app)
            await server.start_server(**OPTIONS)
            client = TestClient(server, cookie_jar=DummyCookieJar())
            return Running(app[DESK], Caller(await stack.enter_async_context(client)))

        yield run


@pytest.fixture
async def running(start: Start, settings: Settings) -> Running:
    return await start(settings)


@pytest.fixture
def nobody(running: Running) -> Caller:
    return running.nobody
