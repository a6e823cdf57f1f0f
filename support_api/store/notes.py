"""What operators say among themselves about conversations."""

from typing import Final

from sqlalchemy import bindparam, insert, select

from support_api.database.engine import Transaction
from support_api.database.tables import notes
from support_api.models.notes import Note, NoteKind
from support_api.models.operators import Operator
from support_api.models.tickets import Ticket
from support_api.store.rows import AnyRow

# Notes of one conversation in one list at most: the newest.
LIST_LIMIT: Final = 200

_OF_TICKET: Final = (
    select(notes).where(notes.c.ticket_id == bindparam("ticket_id")).order_by(notes.c.id.desc()).limit(LIST_LIMIT)
)
_SENT: Final = select(notes).where(
    (notes.c.ticket_id == bindparam("ticket_id")) & (notes.c.client_id == bindparam("client_id"))
)
_INSERT: Final = insert(notes).returning(notes.c.id)


def add_note(
    tx: Transaction, ticket: Ticket, author: Operator, content: str, kind: NoteKind, client_id: str | None = None
) -> Note:
    """Store a note behind the newest message of the ticket."""
    row = {
        "ticket_id": ticket.id,
        "operator_id": author.id,
        "operator_name": author.name,
        "content": content,
        "after_seq": ticket.last_seq,
        "kind": kind.value,
        "created_at": tx.now,
        "client_id": client_id,
    }
    note_id = tx.conn.execute(_INSERT, row).scalar_one()
    return Note(note_id, ticket.id, author.id, author.name, content, ticket.last_seq, kind, tx.now)


def find_written(tx: Transaction, ticket_id: int, client_id: str) -> Note | None:
    """Find the note that an earlier request with this id has stored."""
    row = tx.conn.execute(_SENT, {"ticket_id": ticket_id, "client_id": client_id}).one_or_none()
    return None if row is None else _note_of(row)


def read_notes(tx: Transaction, ticket_id: int) -> list[Note]:
    """List the notes of a ticket, oldest first."""
    return [_note_of(row) for row in tx.conn.execute(_OF_TICKET, {"ticket_id": ticket_id})][::-1]


def _note_of(row: AnyRow) -> Note:
    return Note(
        id=row.id,
        ticket_id=row.ticket_id,
        operator_id=row.operator_id,
        operator_name=row.operator_name,
        content=row.content,
        after_seq=row.after_seq,
        kind=NoteKind(row.kind),
        created_at=row.created_at,
    )
