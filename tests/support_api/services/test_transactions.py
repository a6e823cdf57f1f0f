"""How use cases run: what is stored together, and what runs one at a time."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from support_api.database.engine import Transaction
from support_api.models.assignment import Choice
from support_api.models.happenings import Happening, SessionEnded
from support_api.models.messages import Draft
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.tickets import NewTicket
from support_api.services import Services
from support_api.services.assigner import Assigner
from support_api.services.tickets import Tickets
from support_api.services.transactions import Happened, Transactions
from support_api.wording import wording
from tests.support_api.helpers import START, SteadyClock, acting

NEW = NewTicket("a" * 32, "Anna", None, "Hello")
ANNA, OLGA, PETR = Identity("a" * 32), acting(1), acting(2, "Petr")
SILENCE = timedelta(seconds=60)


async def test_each_listener_hears_what_happened_in_the_transaction_that_did_it(services: Services) -> None:
    heard: list[tuple[str, bool, list[Happening]]] = []

    def listener(name: str) -> Callable[[Transaction, Sequence[Happening]], None]:
        return lambda tx, happened: heard.append((name, tx is used[0], list(happened)))

    used: list[Transaction] = []

    def act(tx: Transaction, happened: Happened) -> str:
        used.append(tx)
        happened.extend([SessionEnded(2), SessionEnded(1)])
        return "done"

    transactions = Transactions(services.database, [listener("first"), listener("second")])
    for run in (transactions.writing, transactions.assigning):
        used.clear()
        heard.clear()
        assert await run(act) == "done"
        expected = [SessionEnded(2), SessionEnded(1)]
        assert heard == [("first", True, expected), ("second", True, expected)]


async def test_what_a_listener_cannot_store_did_not_happen(services: Services) -> None:
    def fail(_tx: Transaction, happened: Sequence[Happening]) -> None:
        if happened:
            raise LookupError

    assigner = Assigner(lambda _operators, _now: Choice(None, "nobody"), wording("en"))
    failing = Tickets(Transactions(services.database, [fail]), assigner)
    with pytest.raises(LookupError):
        await failing.create(NEW)
    assert await services.tickets.waiting() == []


Call = Callable[[Services], Awaitable[object]]

ASSIGNING: dict[str, Call] = {
    "create": lambda s: s.tickets.create(NEW),
    "close": lambda s: s.tickets.close(1, ANNA),
    "transfer": lambda s: s.transfers.transfer(1, 2, OLGA),
    "put_back": lambda s: s.transfers.put_back(1, OLGA),
    "take": lambda s: s.transfers.take(2, PETR),
    "heartbeat": lambda s: s.operators.heartbeat(1, OperatorStatus.AWAY, None),
    "set_limit": lambda s: s.operators.set_limit("o1", 3),
    "set_password": lambda s: s.operators.set_password("o1", "other"),
    "disable": lambda s: s.operators.disable("o1"),
    "enable": lambda s: s.operators.enable("o1"),
    "open": lambda s: s.sessions.open(1, "hash", "h2", START + timedelta(hours=9)),
    "close_session": lambda s: s.sessions.close(1, "h1"),
    "end_expired": lambda s: s.sessions.end_expired(),
    "release_silent": lambda s: s.assignment.release_silent(SILENCE),
    "assign_waiting": lambda s: s.assignment.assign_waiting(),
}


@pytest.fixture
async def busy(services: Services, clock: SteadyClock) -> Services:
    """Olga has ticket 1, ticket 2 waits; Petr is there. Olga is silent since, and her session is over."""
    for number in (1, 2):
        await services.operators.add(f"o{number}", f"o{number}", "hash", 1)
    await services.sessions.open(1, "hash", "h1", START + timedelta(seconds=1))
    await services.operators.heartbeat(1, OperatorStatus.ONLINE, None)
    for _ in range(2):
        await services.tickets.create(NEW)
    clock.advance(SILENCE.total_seconds() + 1)
    return services


@pytest.mark.parametrize("name", ASSIGNING)
async def test_whatever_says_who_gets_which_ticket_runs_one_at_a_time(
    busy: Services, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    runs = _counted(busy, monkeypatch)
    await ASSIGNING[name](busy)
    assert runs == ["assigning"]


async def test_a_message_does_not_wait_for_assignments(busy: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = _counted(busy, monkeypatch)
    await busy.tickets.add_message(1, Draft("Hi"), ANNA)
    assert runs == ["writing"]


def _counted(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The write transactions from now on, by how they run."""
    runs: list[str] = []
    for name in ("writing", "assigning"):
        original = getattr(services.database, name)

        async def run(work: Any, name: str = name, original: Any = original) -> Any:
            runs.append(name)
            return await original(work)

        monkeypatch.setattr(services.database, name, run)
    return runs
