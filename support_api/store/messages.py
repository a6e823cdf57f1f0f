"""What is said in conversations."""

import orjson
from sqlalchemy import insert, select, update

from support_api.database.engine import Transaction
from support_api.database.tables import messages, tickets
from support_api.models.messages import Draft, Message, Notice, Sender
from support_api.store.rows import message_of


def add_message(tx: Transaction, ticket_id: int, sender: Sender, draft: Draft, notice: Notice | None = None) -> Message:
    """Store a message as the newest of its ticket."""
    # The raised counter holds the ticket's row until commit, so seq has neither gaps nor doubles.
    raised = update(tickets).where(tickets.c.id == ticket_id).values(last_seq=tickets.c.last_seq + 1)
    seq = tx.conn.execute(raised.returning(tickets.c.last_seq)).scalar_one()
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
    message_id = tx.conn.execute(row.returning(messages.c.id)).scalar_one()
    return Message(
        message_id, ticket_id, seq, sender.type, sender.id, sender.name, draft.content, draft.client_id, tx.now, notice
    )


def find_sent(tx: Transaction, ticket_id: int, client_id: str) -> Message | None:
    """Find the message that an earlier request with this id has stored."""
    same = (messages.c.ticket_id == ticket_id) & (messages.c.client_id == client_id)
    row = tx.conn.execute(select(messages).where(same)).one_or_none()
    return None if row is None else message_of(row)


def first_message(tx: Transaction, ticket_id: int) -> Message:
    """Read the message that opened a ticket."""
    first = select(messages).where((messages.c.ticket_id == ticket_id) & (messages.c.seq == 1))
    return message_of(tx.conn.execute(first).one())


def read_messages(tx: Transaction, ticket_id: int, after: int, limit: int) -> list[Message]:
    """Read up to `limit` messages of a ticket with seq > `after`, in the order of seq."""
    newer = (messages.c.ticket_id == ticket_id) & (messages.c.seq > after)
    query = select(messages).where(newer).order_by(messages.c.seq).limit(limit)
    return [message_of(row) for row in tx.conn.execute(query)]
