"""What can be found: the words of what was said and of who said it, stored with it. Knows no SQL but that insert."""

from collections.abc import Sequence

from support_api.database import search
from support_api.database.engine import Transaction
from support_api.models.happenings import Happening, MessageWritten, TicketOpened
from support_api.models.messages import Message, SenderType
from support_api.models.search import TICKETS_FROM, Entry
from support_api.models.tickets import Ticket
from support_api.rules.words import words_of


def listen(tx: Transaction, happened: Sequence[Happening]) -> None:
    """Store the words of what happened in this transaction."""
    entries: list[Entry] = []
    for one in happened:
        if isinstance(one, MessageWritten):
            entries += entries_of_messages([one.message])
        elif isinstance(one, TicketOpened):
            entries += [entry_of_ticket(one.summary.ticket), *entries_of_messages([one.message])]
    search.add(tx.conn, entries)


def entries_of_messages(said: Sequence[Message]) -> list[Entry]:
    """What people said; nobody looks for what the system says."""
    people = [one for one in said if one.sender_type is not SenderType.SYSTEM]
    return [Entry(one.id, one.ticket_id, words_of(one.content)) for one in people]


def entry_of_ticket(ticket: Ticket) -> Entry:
    """By what a ticket itself is found."""
    names = f"{ticket.id} {ticket.visitor_name} {ticket.visitor_email or ''} {ticket.visitor_id}"
    return Entry(TICKETS_FROM + ticket.id, ticket.id, words_of(names))
