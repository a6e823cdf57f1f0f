"""The one way in which a message gets into its ticket. No transactions, and nobody is told but where a function says so."""

from __future__ import annotations

import orjson
from sqlalchemy import insert, update

from support_api.database.legacy import Writing
from support_api.database.tables import messages, tickets
from support_api.listeners import realtime
from support_api.models.messages import Draft, Message, Notice, Sender, SenderType, Wording

_SYSTEM = Sender(SenderType.SYSTEM, "", "")


async def insert_message(
    tx: Writing, ticket_id: int, sender: Sender, draft: Draft, notice: Notice | None = None
) -> Message:
    """Stores a message as the newest of its ticket."""
    # The raised counter holds the ticket's row until commit, so seq has neither gaps nor doubles.
    raised = update(tickets).where(tickets.c.id == ticket_id).values(last_seq=tickets.c.last_seq + 1)
    seq = (await tx.conn.execute(raised.returning(tickets.c.last_seq))).scalar_one()
    row = insert(messages).values(
        ticket_id=ticket_id,
        seq=seq,
        sender_type=sender.type.value,
        sender_id=sender.id,
        sender_name=sender.name,
        content=draft.content,
        client_id=draft.client_id,
        created_at=tx.now,
        code=None if notice is None else notice.code.value,
        params=None if notice is None else orjson.dumps(notice.params).decode(),
    )
    message_id = (await tx.conn.execute(row.returning(messages.c.id))).scalar_one()
    return Message(
        message_id, ticket_id, seq, sender.type, sender.id, sender.name, draft.content, draft.client_id, tx.now, notice
    )


async def say(tx: Writing, ticket_id: int, notice: Notice, word: Wording) -> Message:
    """Stores what the system says to both sides of a conversation, and tells them."""
    message = await insert_message(tx, ticket_id, _SYSTEM, Draft(word(notice)), notice)
    await tx.announce([realtime.message_new(message, None)])
    return message
