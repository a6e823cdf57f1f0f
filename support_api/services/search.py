"""Finds what was said and who said it, as far as the operator may read it; makes the index anew."""

from collections.abc import Callable
from functools import partial
from typing import Final

from support_api.database import search as index
from support_api.database.engine import Transaction
from support_api.errors import InvalidField
from support_api.listeners.words import entries_of_messages, entry_of_ticket
from support_api.models.ids import MAX_ID
from support_api.models.operators import Identity
from support_api.models.search import Found
from support_api.models.tickets import Readable, TicketSummary
from support_api.rules.access import ensure_operator, readable_by
from support_api.rules.words import is_whole, words_of
from support_api.services.transactions import Happened, Transactions
from support_api.store import search

# Messages of one page, and tickets beside the first page.
HITS_AT_ONCE: Final = 20
TICKETS_AT_ONCE: Final = 5

# Messages or tickets that one transaction brings into the index: some hundredths of a second.
INDEXED_AT_ONCE: Final = 1_000

# Brings what has the next numbers into the index. Returns the number up to which it is done.
_Step = Callable[[Transaction, int, int], int]


class Search:
    """Finds by words. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def find(self, text: str, identity: Identity, before: int | None = None) -> Found:
        """Find messages that have all words of the text, or words that begin so, the newest first; with `before` those before
        the message of this number. On the first page also tickets, by number, name or e-mail.

        Raises `LoginNeeded`, or `InvalidField` for a text without a letter or a digit.
        """
        readable, words = readable_by(ensure_operator(identity)), words_of(text)
        if not words:
            raise InvalidField("q", "a text with a letter or a digit")
        whole, begun = [word for word in words if is_whole(word)], [word for word in words if not is_whole(word)]

        def find(tx: Transaction) -> Found:
            last = MAX_ID if before is None else before
            hits = search.find_messages(tx, whole, begun, readable, last, HITS_AT_ONCE + 1)
            tickets = [] if before is not None else _numbered(tx, words, readable)
            if before is None:
                found = search.find_tickets(tx, whole, begun, readable, TICKETS_AT_ONCE)
                tickets += [one for one in found if one not in tickets]
            return Found(words, tickets[:TICKETS_AT_ONCE], hits[:HITS_AT_ONCE], len(hits) > HITS_AT_ONCE)

        return await self._transactions.reading(find)

    async def reindex(self, say: Callable[[int, int], None]) -> int:
        """Make the index anew, in steps, while the desk may be used. Returns the number of the last message in it.

        `say` is told after each step up to which message, of which last one, it is done.
        """
        last_ticket, last_message = await self._transactions.writing(lambda tx, _: _begin(tx))
        await self._in_steps(_add_tickets, last_ticket, lambda _: None)
        await self._in_steps(_add_messages, last_message, lambda done: say(done, last_message))
        return last_message

    async def _in_steps(self, step: _Step, last: int, say: Callable[[int], None]) -> None:
        done = 0
        while done < last:
            done = await self._transactions.writing(partial(_do, step, done, last))
            say(done)


def _begin(tx: Transaction) -> tuple[int, int]:
    index.clear(tx.conn)
    return search.newest(tx)


def _numbered(tx: Transaction, words: list[str], readable: Readable) -> list[TicketSummary]:
    number = int(words[0]) if len(words) == 1 and words[0].isascii() and words[0].isdecimal() else 0
    found = search.find_ticket(tx, number, readable) if 0 < number <= MAX_ID else None
    return [] if found is None else [found]


def _do(step: _Step, after: int, last: int, tx: Transaction, _happened: Happened) -> int:
    return step(tx, after, last)


def _add_tickets(tx: Transaction, after: int, last: int) -> int:
    found = [one for one in search.next_tickets(tx, after, INDEXED_AT_ONCE) if one.id <= last]
    index.add(tx.conn, [entry_of_ticket(one) for one in found])
    return found[-1].id if found else last


def _add_messages(tx: Transaction, after: int, last: int) -> int:
    found = [one for one in search.next_messages(tx, after, INDEXED_AT_ONCE) if one.id <= last]
    index.add(tx.conn, entries_of_messages(found))
    return found[-1].id if found else last
