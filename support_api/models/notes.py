"""What operators say among themselves. No SQL, no HTTP."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class NoteKind(StrEnum):
    """What a note is for."""

    NOTE = "note"
    # The next operator is to read it.
    TRANSFER = "transfer"


class Note(Struct, frozen=True):
    """One note; it stands behind the message with the seq `after_seq`. Visitors never see it."""

    id: int
    ticket_id: int
    operator_id: int
    operator_name: str
    content: str
    after_seq: int
    kind: NoteKind
    created_at: datetime
