"""Two processes over one database: limits hold, counts are true and messages have their place, wherever one comes to."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from support_api.database.engine import Transaction
from support_api.database.tables import messages, operators_online, tickets
from support_api.database.urls import database_of
from support_api.errors import SupportError
from support_api.models.messages import Draft
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.tickets import NewTicket, Ticket, TicketStatus
from support_api.rules.assignment import LeastLoaded
from support_api.services import Services, open_services
from support_api.wording import wording
from tests.support_api.helpers import SteadyClock, acting

VISITORS, OPERATORS, ROUNDS = 12, 3, 4


@pytest.fixture
async def processes(database_url: str, clock: SteadyClock) -> AsyncIterator[list[Services]]:
    chooser = LeastLoaded(timedelta(seconds=60))
    async with (
        open_services(database_of(database_url, clock=clock), chooser, wording("en")) as first,
        open_services(database_of(database_url, clock=clock), chooser, wording("en")) as second,
    ):
        for number in range(1, OPERATORS + 1):
            await first.operators.add(f"o{number}", f"o{number}", "hash", number)
            await second.operators.heartbeat(number, OperatorStatus.ONLINE, None)
        yield [first, second]


async def test_many_visitors_and_operators_at_once_pass_no_limit_and_lose_no_place(processes: list[Services]) -> None:
    chance = random.Random(4711)  # noqa: S311 - the same choices in each run, nothing secret
    await asyncio.gather(
        *(_visit(processes, chance, number) for number in range(VISITORS)),
        *(_work(processes, chance, number) for number in range(1, OPERATORS + 1)),
    )
    for services in processes:
        await services.database.reading(_check)
        assert await services.assignment.assign_waiting() == 0


async def _visit(processes: list[Services], chance: random.Random, number: int) -> None:
    """One visitor: opens, writes, perhaps closes; each time by the one process or the other."""
    visitor = Identity(f"{number:032}")
    for _ in range(ROUNDS):
        opened = await chance.choice(processes).tickets.create(NewTicket(f"{number:032}", "Anna", None, "Hello"))
        ticket_id = opened.ticket.id
        with suppress(SupportError):
            await asyncio.gather(
                *(chance.choice(processes).tickets.add_message(ticket_id, Draft(text), visitor) for text in "abc"),
                *([chance.choice(processes).tickets.close(ticket_id, visitor)] if chance.random() < 0.7 else []),
            )


async def _work(processes: list[Services], chance: random.Random, number: int) -> None:
    """One operator: hands over, gives back, takes and closes what there is, and comes and goes. Nobody goes over a limit."""
    me = acting(number)
    for _ in range(ROUNDS * 3):
        services, colleague = chance.choice(processes), chance.randint(1, OPERATORS)
        mine, queue = await services.tickets.active_of(number), await services.tickets.waiting()
        with suppress(SupportError):
            for summary in mine[:1]:
                match chance.randrange(4):
                    case 0:
                        await services.transfers.transfer(summary.ticket.id, colleague, me)
                    case 1:
                        await services.transfers.put_back(summary.ticket.id, me)
                    case 2:
                        await services.tickets.close(summary.ticket.id, me)
                    case _:
                        await services.operators.heartbeat(number, OperatorStatus.AWAY, None)
            for summary in queue[:1]:
                await services.transfers.take(summary.ticket.id, me)
        await services.operators.heartbeat(number, OperatorStatus.ONLINE, None)
        await services.database.reading(_check)


def _check(tx: Transaction) -> None:
    """What holds after each transaction."""
    mine = (tickets.c.operator_id == operators_online.c.user_id) & (tickets.c.status == TicketStatus.ACTIVE.value)
    held = select(func.count()).select_from(tickets).where(mine).scalar_subquery().label("held")
    for row in tx.conn.execute(select(operators_online, held)):
        assert row.active_tickets == row.held <= row.max_tickets
    counted = select(func.count().label("count"), func.max(messages.c.seq).label("last"), tickets.c.last_seq)
    by_ticket = counted.join(tickets, tickets.c.id == messages.c.ticket_id).group_by(tickets.c.id)
    for row in tx.conn.execute(by_ticket):
        assert row.count == row.last == row.last_seq


@pytest.mark.parametrize("attempt", range(5))
async def test_nothing_is_said_in_a_conversation_after_its_end(processes: list[Services], attempt: int) -> None:
    first, second = processes
    visitor = Identity("a" * 32)
    opened = await first.tickets.create(NewTicket("a" * 32, "Anna", None, "Hello"))
    closing, *_ = await asyncio.gather(
        first.tickets.close(opened.ticket.id, visitor),
        *(second.tickets.add_message(opened.ticket.id, Draft(f"{n}"), visitor) for n in range(5)),
        return_exceptions=True,
    )
    assert isinstance(closing, Ticket)
    assert (await second.tickets.read(opened.ticket.id)).last_seq == closing.last_seq, attempt
