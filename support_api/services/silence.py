"""Conversations in which nobody speaks: use cases of the sweep, and how an operator lets one rest.

Each look does a bounded part, in one transaction, and finds nothing that an earlier one has done.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from support_api.database.engine import Transaction
from support_api.models.happenings import TicketClosed, TicketHandedOver, TicketRested
from support_api.models.messages import Notice, NoticeCode, SenderType
from support_api.models.operators import Identity
from support_api.models.tickets import Ticket, TicketStatus, TicketSummary
from support_api.models.times import Times
from support_api.rules.access import Act, ensure_open, may
from support_api.services.assigner import Assigner
from support_api.services.transactions import Happened, Transactions
from support_api.store import operators, sessions, silence, tickets

# Conversations that one look does something to, of each kind.
AT_ONCE: Final = 50

_Find = Callable[[Transaction], Sequence[TicketSummary]]
_Do = Callable[[Transaction, Happened, TicketSummary], None]


class Silence:
    """Asks, closes and hands on. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions, assigner: Assigner, times: Times) -> None:
        self._transactions = transactions
        self._assigner = assigner
        self._times = times

    async def snooze(self, ticket_id: int, until: datetime | None, identity: Identity) -> Ticket:
        """Let a conversation rest until a moment, or the next message; None: no longer.

        Raises `LoginNeeded`, `UnknownTicket`, `Forbidden` or `TicketClosed`.
        """

        def snooze(tx: Transaction, happened: Happened) -> Ticket:
            ticket = tickets.read_ticket(tx, ticket_id, lock=True)
            may(sessions.look_up(tx, identity), Act.SNOOZE, ticket)
            ensure_open(ticket)
            rested = tickets.set_snoozed(tx, ticket, until)
            happened.append(TicketRested(rested))
            return rested

        return await self._transactions.writing(snooze)

    async def warn(self) -> int:
        """Ask visitors who do not answer whether they are there, once for each silence. Returns how many."""
        after = self._times.warn_after
        if after is None:
            return 0
        return await self._each(lambda tx: silence.silent_and_unwarned(tx, tx.now - after, AT_ONCE), self._warn)

    async def close(self) -> int:
        """Close conversations whose visitors do not answer; where they are asked first, they have had time to answer.

        Returns how many.
        """
        after = self._times.close_after
        if after is None:
            return 0
        asked = self._times.warn_after
        grace = None if asked is None else max(after - asked, timedelta())

        def find(tx: Transaction) -> Sequence[TicketSummary]:
            return silence.silent(tx, tx.now - after, AT_ONCE, None if grace is None else tx.now - grace)

        return await self._each(find, self._close)

    async def hand_on(self) -> int:
        """Take conversations from operators who do not answer; others get them. Returns how many."""
        within = self._times.answer_within
        if within is None:
            return 0
        return await self._each(lambda tx: silence.unanswered(tx, tx.now - within, AT_ONCE), self._hand_on)

    async def _each(self, find: _Find, do: _Do) -> int:
        """Look without a lock first: mostly there is nothing."""

        def work(tx: Transaction, happened: Happened) -> int:
            found = [summary for summary in find(tx) if _is_as_found(tx, summary.ticket)]
            for summary in found:
                do(tx, happened, summary)
            operators.recount(tx, [summary.ticket.operator_id for summary in found])
            self._assigner.fill(tx, happened)
            return len(found)

        return await self._transactions.assigning(work) if await self._transactions.reading(find) else 0

    def _warn(self, tx: Transaction, happened: Happened, summary: TicketSummary) -> None:
        self._assigner.say(tx, happened, summary.ticket.id, Notice(NoticeCode.STILL_THERE, {}))
        tickets.set_warned(tx, summary.ticket.id)

    def _close(self, tx: Transaction, happened: Happened, summary: TicketSummary) -> None:
        said = self._assigner.say(tx, happened, summary.ticket.id, Notice(NoticeCode.CLOSED_IN_SILENCE, {}))
        before = tickets.read_ticket(tx, said.ticket_id)
        happened.append(TicketClosed(tickets.set_closed(tx, before, SenderType.OPERATOR)))

    def _hand_on(self, tx: Transaction, happened: Happened, summary: TicketSummary) -> None:
        self._assigner.put_back(tx, happened, [summary], returned_by=summary.ticket.operator_id)
        happened.append(TicketHandedOver(summary.ticket, tickets.read_ticket(tx, summary.ticket.id)))


def _is_as_found(tx: Transaction, found: Ticket) -> bool:
    """Lock it; somebody may have spoken, closed or handed it over while it was looked for."""
    ticket = tickets.read_ticket(tx, found.id, lock=True)
    return ticket.status is TicketStatus.ACTIVE and (ticket.last_seq, ticket.operator_id, ticket.snoozed_until) == (
        found.last_seq,
        found.operator_id,
        found.snoozed_until,
    )
