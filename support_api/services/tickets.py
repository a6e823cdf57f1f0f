"""Conversations: open, write, read, close. Who may, access says in the transaction that does it."""

from typing import Final

from msgspec.structs import replace

from support_api.database.engine import Transaction
from support_api.errors import InvalidField, TooManyOpen
from support_api.models.happenings import MessageWritten, TicketAssigned, TicketClosed, TicketOpened, TicketRested
from support_api.models.messages import Draft, Message, Sender, SenderType
from support_api.models.operators import Identity
from support_api.models.tickets import History, NewTicket, Opened, OpenLimits, Ticket, TicketStatus, TicketSummary
from support_api.rules.access import Act, ensure_open, may
from support_api.services.assigner import Assigner
from support_api.services.transactions import Happened, Transactions
from support_api.store import groups, messages, operators, sessions, tickets

NO_LIMITS: Final = OpenLimits()


class Tickets:
    """Opens and ends conversations. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions, assigner: Assigner) -> None:
        self._transactions = transactions
        self._assigner = assigner

    async def create(self, new: NewTicket, limits: OpenLimits = NO_LIMITS) -> Opened:
        """Open a ticket with its first message and give it to an operator where one is free.

        A repeat with the same visitor and client_id returns the ticket that the first one made. Raises `TooManyOpen`.
        """

        def create(tx: Transaction, happened: Happened) -> Opened:
            made = _find_created(tx, new)
            if made is not None:
                return made
            ensure_few_open(tx, new.visitor_id, new.network, limits)
            return self._open(tx, happened, _for_a_known_group(tx, new))

        return await self._transactions.assigning(create)

    async def add_message(self, ticket_id: int, draft: Draft, identity: Identity) -> Message:
        """Store a message. A repeat with the same client_id returns the stored one and tells nobody.

        Raises `UnknownTicket`, `Forbidden`, `TicketClosed`, or `InvalidField` for another sender's client_id.
        """

        def write(tx: Transaction, happened: Happened) -> Message:
            ticket = tickets.read_ticket(tx, ticket_id, lock=True)
            sender = may(sessions.look_up(tx, identity), Act.WRITE, ticket)
            stored = None if draft.client_id is None else messages.find_sent(tx, ticket_id, draft.client_id)
            if stored is not None:
                return _ensure_own(stored, sender)
            ensure_open(ticket)
            if ticket.snoozed_until is not None:
                happened.append(TicketRested(tickets.set_snoozed(tx, ticket, None)))
            message = messages.add_message(tx, ticket_id, sender, draft)
            happened.append(MessageWritten(message, draft.socket_id))
            return message

        return await self._transactions.writing(write)

    async def close(self, ticket_id: int, identity: Identity) -> Ticket:
        """Close a ticket, and give the room that it leaves to those who wait. A closed one is returned unchanged.

        Raises `UnknownTicket` or `Forbidden`.
        """

        def close(tx: Transaction, happened: Happened) -> Ticket:
            ticket = tickets.read_ticket(tx, ticket_id, lock=True)
            sender = may(sessions.look_up(tx, identity), Act.CLOSE, ticket)
            if ticket.status is TicketStatus.CLOSED:
                return ticket
            closed = tickets.set_closed(tx, ticket, sender.type)
            operators.recount(tx, [closed.operator_id])
            happened.append(TicketClosed(closed))
            self._assigner.fill(tx, happened)
            return closed

        return await self._transactions.assigning(close)

    async def read(self, ticket_id: int) -> Ticket:
        """Read one ticket, whoever asks. Raises `UnknownTicket`."""
        return await self._transactions.reading(lambda tx: tickets.read_ticket(tx, ticket_id))

    async def enter(self, ticket_id: int, act: Act, identity: Identity) -> tuple[Ticket, Sender]:
        """Return an open ticket with the role in which the caller does something that is not stored.

        Raises `UnknownTicket`, `Forbidden` or `TicketClosed`.
        """
        ticket = await self.read(ticket_id)
        sender = may(identity, act, ticket)
        ensure_open(ticket)
        return ticket, sender

    async def history(
        self, ticket_id: int, after: int, limit: int, identity: Identity, *, before: int | None = None
    ) -> History:
        """Read up to `limit` messages with seq > `after`; with `before` the last ones with seq < `before`.

        Raises `UnknownTicket` or `Forbidden`.
        """

        def read(tx: Transaction) -> History:
            ticket = tickets.read_ticket(tx, ticket_id)
            may(identity, Act.READ, ticket)
            if before is not None:
                found = messages.read_messages_back(tx, ticket_id, after, before, limit + 1)
                return History(ticket, found[-limit:], len(found) > limit)
            found = messages.read_messages(tx, ticket_id, after, limit + 1)
            return History(ticket, found[:limit], len(found) > limit)

        return await self._transactions.reading(read)

    async def active_of(self, operator_id: int) -> list[TicketSummary]:
        """List the active tickets of one operator, oldest first."""
        return await self._transactions.reading(lambda tx: tickets.active_of(tx, operator_id))

    async def waiting(self) -> list[TicketSummary]:
        """List the tickets that wait for an operator, oldest first."""
        return await self._transactions.reading(tickets.waiting)

    def _open(self, tx: Transaction, happened: Happened, new: NewTicket) -> Opened:
        ticket = tickets.insert_ticket(tx, new)
        sender = Sender(SenderType.VISITOR, new.visitor_id, new.name)
        message = messages.add_message(tx, ticket.id, sender, Draft(new.message))
        taken = {one.ticket.id: one for one in self._assigner.assign_waiting(tx, happened)}
        mine = taken.pop(ticket.id, TicketSummary(_with_first(ticket, message), new.message))
        happened.extend(map(TicketAssigned, taken.values()))
        happened.append(TicketOpened(mine, message))
        return Opened(mine.ticket, message)


def _find_created(tx: Transaction, new: NewTicket) -> Opened | None:
    ticket = None if new.client_id is None else tickets.find_created(tx, new.visitor_id, new.client_id)
    return None if ticket is None else Opened(ticket, messages.first_message(tx, ticket.id))


def _for_a_known_group(tx: Transaction, new: NewTicket) -> NewTicket:
    """A page may still name a group that was removed: then the ticket is for everybody."""
    is_known = new.group_id is None or groups.find_group(tx, new.group_id) is not None
    return new if is_known else replace(new, group_id=None)


def _with_first(ticket: Ticket, message: Message) -> Ticket:
    """The new ticket as it is stored with the message that opens it."""
    said = message.created_at
    return replace(
        ticket, last_seq=message.seq, last_message_at=said, last_sender=message.sender_type, waiting_since=said
    )


def ensure_few_open(tx: Transaction, visitor_id: str, network: str | None, limits: OpenLimits) -> None:
    """Raise `TooManyOpen` where one more open ticket is one too many."""
    if limits.per_visitor and tickets.count_open_of_visitor(tx, visitor_id) >= limits.per_visitor:
        raise TooManyOpen(limits.per_visitor, of_network=False)
    if limits.per_network and tickets.count_open_of_network(tx, network) >= limits.per_network:
        raise TooManyOpen(limits.per_network, of_network=True)


def _ensure_own(stored: Message, sender: Sender) -> Message:
    if (stored.sender_type, stored.sender_id) != (sender.type, sender.id):
        raise InvalidField("client_id", "an id that nobody else used in this ticket")
    return stored
