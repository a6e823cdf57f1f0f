"""How a use case runs: in one transaction, in which those who listen are told of what happened. Knows no use case."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from support_api.database.engine import Database, Transaction, Work
from support_api.models.happenings import Happening

T = TypeVar("T")

# What happened so far, in order: a use case adds to it.
Happened = list[Happening]

UseCase = Callable[[Transaction, Happened], T]

# Stores, in the transaction, what its audience is told of what happened.
Listener = Callable[[Transaction, Sequence[Happening]], None]


class Transactions:
    """Runs use cases. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, database: Database, listeners: Sequence[Listener]) -> None:
        self._database = database
        self._listeners = listeners

    async def reading(self, work: Work[T]) -> T:
        """Look at one state of the database."""
        return await self._database.reading(work)

    async def following(self, topic: str, work: Work[T]) -> T:
        """Look at one state of the database, once there are news of a topic."""
        return await self._database.following(topic, work)

    async def writing(self, use_case: UseCase[T]) -> T:
        """Change something: all of it is stored with what is told of it, or on any exception nothing."""
        return await self._database.writing(self._told(use_case))

    async def assigning(self, use_case: UseCase[T]) -> T:
        """The same for what says, or what it depends on, who gets which ticket: one at a time, in all processes."""
        return await self._database.assigning(self._told(use_case))

    def _told(self, use_case: UseCase[T]) -> Work[T]:
        def work(tx: Transaction) -> T:
            happened: Happened = []
            result = use_case(tx, happened)
            for listen in self._listeners:
                listen(tx, happened)
            return result

        return work
