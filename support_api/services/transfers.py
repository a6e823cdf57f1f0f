"""Tickets that change hands because a person says so. Who may, access says in the transaction that does it."""

from support_api.database.engine import Transaction
from support_api.errors import InvalidField, LoginNeeded, OperatorFull, TicketTaken
from support_api.models.assignment import Taker
from support_api.models.happenings import NoteWritten, TicketAssigned, TicketHandedOver
from support_api.models.notes import Note, NoteKind
from support_api.models.operators import Identity
from support_api.models.tickets import Ticket, TicketStatus, TicketSummary
from support_api.rules.access import Act, ensure_open, ensure_operator, may
from support_api.services.assigner import Assigner
from support_api.services.groups import for_group
from support_api.services.transactions import Happened, Transactions
from support_api.store import notes, operators, sessions, tickets


class Transfers:
    """Hands tickets over. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions, assigner: Assigner) -> None:
        self._transactions = transactions
        self._assigner = assigner

    async def transfer(
        self,
        ticket_id: int,
        target_id: int,
        identity: Identity,
        *,
        over_limit: bool = False,
        note: str | None = None,
    ) -> Ticket:
        """Give an active ticket to another operator, online or not. `note`: what they are to read first.

        Raises `LoginNeeded`, `UnknownTicket`, `Forbidden`, `TicketClosed`, `InvalidField` for a target that is the same or
        cannot have tickets, or, unless `over_limit`, `OperatorFull`.
        """

        def transfer(tx: Transaction, happened: Happened) -> Ticket:
            summary = _read_to_give_away(tx, ticket_id, identity)
            target = operators.find_taker(tx, target_id)
            if target is None or target_id == summary.ticket.operator_id:
                raise InvalidField("operator_id", "another operator whose account is not disabled")
            _ensure_room(target, over_limit=over_limit)
            written = _write_note(tx, identity, summary.ticket, note)
            moved = self._assigner.assign(tx, happened, summary, target_id)
            happened.append(TicketAssigned(moved))
            return self._finish(tx, happened, summary.ticket, moved.ticket, written)

        return await self._transactions.assigning(transfer)

    async def put_back(
        self, ticket_id: int, identity: Identity, *, group_id: int | None = None, note: str | None = None
    ) -> Ticket:
        """Give an active ticket back to the queue, for the members of a group from now on where one is named.

        Whoever else is free gets it at once; who gave it back only by `take`. Raises `LoginNeeded`, `UnknownTicket`,
        `Forbidden`, `TicketClosed`, or `InvalidField` for a group that there is not.
        """

        def put_back(tx: Transaction, happened: Happened) -> Ticket:
            summary = _read_to_give_away(tx, ticket_id, identity)
            written = _write_note(tx, identity, summary.ticket, note)
            returned = self._put_back(tx, happened, summary, group_id)
            return self._finish(tx, happened, summary.ticket, returned, written)

        return await self._transactions.assigning(put_back)

    async def take(self, ticket_id: int, identity: Identity, *, over_limit: bool = False) -> Ticket:
        """Give a waiting ticket to the operator who asks for it. One that is theirs already is returned unchanged.

        Raises `UnknownTicket`, `TicketClosed`, `TicketTaken`, `LoginNeeded`, also for an account that was disabled or a
        session that ended meanwhile, or, unless `over_limit`, `OperatorFull`.
        """

        def take(tx: Transaction, happened: Happened) -> Ticket:
            known = sessions.look_up(tx, identity)
            operator_id = ensure_operator(known).id
            summary = tickets.read_summary(tx, ticket_id, lock=True)
            may(known, Act.TAKE, summary.ticket)
            ensure_open(summary.ticket)
            if summary.ticket.operator_id == operator_id:
                return summary.ticket
            _ensure_waiting(summary.ticket)
            taker = operators.find_taker(tx, operator_id)
            if taker is None:
                raise LoginNeeded
            _ensure_room(taker, over_limit=over_limit)
            taken = self._assigner.assign(tx, happened, summary, operator_id)
            # Whoever takes a ticket is there, also by a program that sends no heartbeats.
            operators.set_presence(tx, operator_id, {"last_seen": tx.now})
            operators.recount(tx, [operator_id])
            happened.append(TicketAssigned(taken))
            return taken.ticket

        return await self._transactions.assigning(take)

    def _put_back(self, tx: Transaction, happened: Happened, summary: TicketSummary, group_id: int | None) -> Ticket:
        """`group_id` None: for whom it was until now."""
        ticket = summary.ticket
        before = ticket if group_id is None else for_group(tx, ticket, group_id)
        moved = TicketSummary(before, summary.first_message)
        self._assigner.put_back(tx, happened, [moved], returned_by=ticket.operator_id)
        return tickets.read_ticket(tx, ticket.id)

    def _finish(
        self, tx: Transaction, happened: Happened, before: Ticket, after: Ticket, written: Note | None
    ) -> Ticket:
        """What follows when `before.operator_id` has lost the ticket by hand. Returns the ticket as it is in the end."""
        operators.recount(tx, [before.operator_id, after.operator_id])
        if before.operator_id is not None:
            happened.append(TicketHandedOver(before, after))
        self._assigner.fill(tx, happened)
        ended = tickets.read_ticket(tx, before.id)
        if written is not None:
            happened.append(NoteWritten(written, ended.operator_id))
        return ended


def _read_to_give_away(tx: Transaction, ticket_id: int, identity: Identity) -> TicketSummary:
    summary = tickets.read_summary(tx, ticket_id, lock=True)
    may(sessions.look_up(tx, identity), Act.TRANSFER, summary.ticket)
    ensure_open(summary.ticket)
    return summary


def _write_note(tx: Transaction, identity: Identity, ticket: Ticket, note: str | None) -> Note | None:
    if note is None:
        return None
    return notes.add_note(tx, ticket, ensure_operator(identity), note, NoteKind.TRANSFER)


def _ensure_room(taker: Taker, *, over_limit: bool) -> None:
    if taker.active_tickets >= taker.max_tickets and not over_limit:
        raise OperatorFull(taker.name, taker.active_tickets, taker.max_tickets)


def _ensure_waiting(ticket: Ticket) -> None:
    if ticket.status is not TicketStatus.WAITING:
        raise TicketTaken(ticket.id)
