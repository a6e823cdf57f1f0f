"""Two support desks over one PostgreSQL: no operator gets more than their limit, and a kill loses and doubles no event."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.faults.callers import Listener, Person, listening
from tests.helpers.postgres import PostgresServer
from tests.helpers.processes import ROOT, RelayProcess, environment
from tests.helpers.product import PASSWORD, Account, DeskRelay, SupportProcess

OPERATORS, LIMIT = 3, 3
VISITORS, TICKETS_EACH = 12, 3
KILLS = 2
MESSAGES = 40


@dataclass(frozen=True)
class Desks:
    """A relay, and two desks that share a database."""

    server: PostgresServer
    database: str
    relay: RelayProcess
    both: tuple[SupportProcess, SupportProcess]

    def rows(self, query: str) -> list[Any]:
        return self.server.ask(self.database, query)

    def deliverer(self) -> SupportProcess | None:
        """The desk that holds the lease of the outbox."""
        held = self.rows("SELECT holder FROM support_leases WHERE name = 'outbox'")
        numbers = [row["holder"].split("-")[1] for row in held]
        return next((desk for desk in self.both if str(desk.pid) in numbers), None)


@pytest.fixture
def desks(postgres_server: PostgresServer) -> Iterator[Desks]:
    database = postgres_server.new_database("template0")
    url = postgres_server.url(database)
    for number in range(1, OPERATORS + 1):
        _add_operator(url, _account(number))
    relay = DeskRelay()
    both = tuple(SupportProcess(Path(), relay.url, database_url=url) for _ in range(2))
    assert len(both) == 2
    try:
        with ThreadPoolExecutor() as together:
            list(together.map(lambda process: process.start(), (relay, *both)))
        yield Desks(postgres_server, database, relay, both)
    finally:
        for process in (*both, relay):
            process.stop()
        sys.stdout.write("\n".join(process.transcript() for process in (*both, relay)))
        postgres_server.drop(database)


def _account(number: int) -> Account:
    return Account(number, f"O{number}", f"o{number}@shop.example")


def _add_operator(url: str, account: Account) -> None:
    limit = ["--name", account.name, "--email", account.email, "--password-stdin", "--max-tickets", str(LIMIT)]
    subprocess.run(
        [sys.executable, "-m", "support_api", "operator", "add", *limit],
        cwd=ROOT,
        env=environment("SUPPORT_", {"database_url": url}),
        input=PASSWORD.encode(),
        capture_output=True,
        check=True,
    )


@asynccontextmanager
async def people(desks: Desks, *names: str) -> AsyncIterator[list[Person]]:
    """Each at one of the desks in turn."""
    async with AsyncExitStack() as stack:
        yield [
            Person(
                name,
                await stack.enter_async_context(
                    aiohttp.ClientSession(
                        timeout=aiohttp.ClientTimeout(total=20.0), cookie_jar=aiohttp.CookieJar(unsafe=True)
                    )
                ),
                desks.both[at % 2].url,
            )
            for at, name in enumerate(names)
        ]


async def test_many_visitors_at_two_desks_fill_all_operators_and_none_beyond_their_limit(desks: Desks) -> None:
    async def open_some(one: Person) -> None:
        for number in range(TICKETS_EACH):
            one.token = None
            await one.create(f"question {number}")

    operators = [f"o{number}" for number in range(1, OPERATORS + 1)]
    async with people(desks, *operators, *(f"visitor {number}" for number in range(VISITORS))) as all_of_them:
        await asyncio.gather(
            *(one.log_in(_account(at + 1)) for at, one in enumerate(all_of_them[:OPERATORS])),
            *(open_some(one) for one in all_of_them[OPERATORS:]),
        )
        # The last of the three may have come when all tickets were there.
        await asyncio.gather(*(one.post("/operator/heartbeat") for one in all_of_them[:OPERATORS]))
    active = desks.rows(
        "SELECT operator_id, count(*) FROM support_tickets WHERE status = 'active' GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in active] == [(number, LIMIT) for number in range(1, OPERATORS + 1)]
    counted = desks.rows("SELECT active_tickets FROM support_operators_online ORDER BY user_id")
    assert [row[0] for row in counted] == [LIMIT] * OPERATORS
    (waiting,) = desks.rows("SELECT count(*) FROM support_tickets WHERE status = 'waiting'")
    assert waiting[0] == VISITORS * TICKETS_EACH - OPERATORS * LIMIT


async def test_a_kill_of_the_desk_that_delivers_loses_and_doubles_nothing(desks: Desks) -> None:
    chance = random.Random(4711)  # noqa: S311 - the same moments in each run, nothing secret
    async with people(desks, "visitor") as (visitor,):
        ticket = await visitor.create("question")
        async with listening(desks.relay, f"private-ticket-{ticket}") as listener:
            for _ in range(KILLS):
                victim = await _holder(desks)
                survivor = next(desk for desk in desks.both if desk is not victim)
                visitor.base = survivor.url
                heard = asyncio.create_task(_hear(listener, MESSAGES))
                writing = asyncio.create_task(_write(visitor, ticket, MESSAGES))
                await asyncio.sleep(chance.uniform(0.0, 0.1))
                victim.kill()
                await writing
                assert await heard == visitor.accepted[-MESSAGES:]
                await asyncio.to_thread(victim.start)
            await _write(visitor, ticket, 1)
            # Nothing came twice: the next one that is heard is the next one that was said.
            assert await _hear(listener, 1) == visitor.accepted[-1:]


async def _holder(desks: Desks) -> SupportProcess:
    async with asyncio.timeout(20.0):
        while True:
            found = await asyncio.to_thread(desks.deliverer)
            if found is not None:
                return found
            await asyncio.sleep(0.05)


async def _write(one: Person, ticket: int, count: int) -> None:
    first = len(one.accepted)
    for number in range(first, first + count):
        await one.say(ticket, str(number))


async def _hear(listener: Listener, count: int) -> list[str]:
    """The texts of the next messages, whatever else is said."""
    texts: list[str] = []
    while len(texts) < count:
        name, data = await listener.next()
        if name == "message:new":
            texts.append(data["message"]["content"])
    return texts
