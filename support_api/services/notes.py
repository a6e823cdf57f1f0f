"""What operators say among themselves about a conversation; its visitor never reads it."""

from collections.abc import Sequence

from support_api.database.engine import Transaction
from support_api.errors import InvalidField
from support_api.models.happenings import NoteWritten
from support_api.models.notes import Note, NoteKind
from support_api.models.operators import Identity, Operator
from support_api.rules.access import Act, ensure_operator, may
from support_api.services.transactions import Happened, Transactions
from support_api.store import notes, sessions, tickets


class Notes:
    """Writes and reads notes. All methods raise `StoreUnavailable` when the database does not take part in time."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def of_ticket(self, ticket_id: int, identity: Identity) -> Sequence[Note]:
        """List what operators noted about a ticket, oldest first. Raises `LoginNeeded`, `UnknownTicket` or `NotYours`."""
        ensure_operator(identity)

        def read(tx: Transaction) -> Sequence[Note]:
            may(identity, Act.NOTE, tickets.read_ticket(tx, ticket_id))
            return notes.read_notes(tx, ticket_id)

        return await self._transactions.reading(read)

    async def write(self, ticket_id: int, content: str, identity: Identity, client_id: str | None = None) -> Note:
        """Note something about a ticket, whatever its state. A repeat with the same client_id returns the stored note.

        Raises `LoginNeeded`, `UnknownTicket`, `NotYours`, or `InvalidField` for another operator's client_id.
        """

        def write(tx: Transaction, happened: Happened) -> Note:
            known = sessions.look_up(tx, identity)
            author = ensure_operator(known)
            ticket = tickets.read_ticket(tx, ticket_id, lock=True)
            may(known, Act.NOTE, ticket)
            stored = None if client_id is None else notes.find_written(tx, ticket_id, client_id)
            if stored is not None:
                return _ensure_own(stored, author)
            note = notes.add_note(tx, ticket, author, content, NoteKind.NOTE, client_id)
            happened.append(NoteWritten(note, ticket.operator_id))
            return note

        return await self._transactions.writing(write)


def _ensure_own(stored: Note, author: Operator) -> Note:
    if stored.operator_id != author.id:
        raise InvalidField("client_id", "an id that nobody else used in this ticket")
    return stored
