"""Whose a ticket is: the one place where it becomes an operator's or goes back to the queue, and where whoever loses it loses
its channel in the same transaction. Runs within the transactions of others; whom a ticket suits, the chooser says.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from support_api.database.engine import Transaction
from support_api.models.assignment import Candidate, Choice, Chooser, Kind
from support_api.models.happenings import AccessEnded, MessageWritten, TicketAssigned, TicketReturned
from support_api.models.messages import Draft, Message, Notice, NoticeCode, Sender, SenderType, Wording
from support_api.models.tickets import Ticket, TicketStatus, TicketSummary
from support_api.rules.assignment import suits
from support_api.services.transactions import Happened
from support_api.store import messages, operators, tickets

# Waiting tickets that one transaction gives away at most; the sweep goes on with the rest, so nobody holds the lock long.
AT_ONCE: Final = 100

_SYSTEM: Final = Sender(SenderType.SYSTEM, "", "")


class Assigner(Struct, frozen=True):
    """Gives tickets to operators and takes them back. `word`: how the site says to visitors what happened."""

    choose: Chooser
    word: Wording

    def assign(self, tx: Transaction, happened: Happened, summary: TicketSummary, operator_id: int) -> TicketSummary:
        """Make the ticket the operator's; the visitor reads it where somebody else had it before.

        That it was assigned is left to the caller to report, when all is as it stays.
        """
        before, name = summary.ticket, operators.read_name(tx, operator_id)
        ticket = replace(
            before, status=TicketStatus.ACTIVE, returned_by=None, operator_id=operator_id, operator_name=name
        )
        tickets.set_holder(tx, ticket)
        operators.set_presence(tx, operator_id, {"last_assigned_at": tx.now})
        _end_access(happened, before)
        if before.operator_id is not None or before.returned_by is not None:
            notice = Notice(NoticeCode.TRANSFERRED, {"operator_name": name})
            ticket = replace(ticket, last_seq=self.say(tx, happened, ticket.id, notice).seq)
        return TicketSummary(ticket, summary.first_message)

    def put_back(
        self, tx: Transaction, happened: Happened, held: Sequence[TicketSummary], returned_by: int | None = None
    ) -> None:
        """Have these active tickets wait. `returned_by`: who gave them back by hand; then the visitor reads it too."""
        for before in (summary.ticket for summary in held):
            ticket = replace(
                before, status=TicketStatus.WAITING, returned_by=returned_by, operator_id=None, operator_name=None
            )
            tickets.set_holder(tx, ticket)
            _end_access(happened, before)
            if returned_by is not None:
                self.say(tx, happened, ticket.id, Notice(NoticeCode.RETURNED, {}))
            happened.append(TicketReturned(ticket))

    def release(self, tx: Transaction, happened: Happened, held: Sequence[TicketSummary]) -> None:
        """Have these active tickets wait, and give them to whoever is free."""
        self.put_back(tx, happened, held)
        operators.recount(tx, [summary.ticket.operator_id for summary in held])
        self.fill(tx, happened)

    def fill(self, tx: Transaction, happened: Happened) -> int:
        """Assign what waits, and report it. Returns how many."""
        taken = self.assign_waiting(tx, happened)
        happened.extend(map(TicketAssigned, taken))
        return len(taken)

    def assign_waiting(self, tx: Transaction, happened: Happened) -> list[TicketSummary]:
        """Assign the oldest waiting tickets, as long as the chooser finds somebody whom one suits; to report it is left to
        the caller.

        Who gave a ticket back to the queue does not get it again by itself: it waits for another operator, or to be taken.
        """
        free = operators.candidates(tx)
        if self.choose(free, tx.now).operator_id is None:
            return []
        taken: list[TicketSummary] = []
        kinds = tickets.waiting_kinds(tx)
        # Each look is at those only whom somebody free suits: others, however many, hold nobody up behind them.
        while len(taken) < AT_ONCE and (kinds := self._assignable(kinds, free, tx.now)):
            for summary in tickets.waiting_of(tx, kinds, AT_ONCE - len(taken)):
                choice = self._choose(free, _kind_of(summary.ticket), tx.now)
                if choice.operator_id is None:
                    break
                taken.append(self.assign(tx, happened, summary, choice.operator_id))
                free = [_after(one, choice.operator_id, tx.now) for one in free]
            else:
                break
        operators.recount(tx, [summary.ticket.operator_id for summary in taken])
        return taken

    def _assignable(self, kinds: Sequence[Kind], free: Sequence[Candidate], now: datetime) -> list[Kind]:
        return [kind for kind in kinds if self._choose(free, kind, now).operator_id is not None]

    def _choose(self, operators_: Sequence[Candidate], kind: Kind, now: datetime) -> Choice:
        return self.choose([one for one in operators_ if suits(one, kind)], now)

    def say(self, tx: Transaction, happened: Happened, ticket_id: int, notice: Notice) -> Message:
        """Have the system say something in a conversation."""
        message = messages.add_message(tx, ticket_id, _SYSTEM, Draft(self.word(notice)), notice)
        happened.append(MessageWritten(message))
        return message


def _end_access(happened: Happened, before: Ticket) -> None:
    """Before anything else is said in the conversation, whoever had it until now stops to hear it."""
    if before.operator_id is not None:
        happened.append(AccessEnded(before.operator_id, before.id))


def _kind_of(ticket: Ticket) -> Kind:
    return Kind(ticket.group_id, ticket.returned_by)


def _after(candidate: Candidate, operator_id: int, now: datetime) -> Candidate:
    if candidate.operator_id != operator_id:
        return candidate
    return replace(candidate, active_tickets=candidate.active_tickets + 1, last_assigned_at=now)
