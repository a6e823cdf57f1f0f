"""What is said in conversations."""

from typing import Final

import orjson
from sqlalchemy import bindparam, func, insert, select, update

from support_api.database.engine import Transaction
from support_api.database.tables import messages, tickets
from support_api.models.messages import Draft, Message, Notice, Sender, SenderType
from support_api.store.rows import message_of

# The raised counter holds the ticket's row until commit, so seq has neither gaps nor doubles.
_RAISE: Final = (
    update(tickets)
    .where(tickets.c.id == bindparam("ticket_id"))
    .values(last_seq=tickets.c.last_seq + 1)
    .returning(tickets.c.last_seq)
)
_now = bindparam("now", type_=tickets.c.waiting_since.type)
# What the system says neither asks for an answer nor is one.
_RAISE_BY: Final = {
    SenderType.VISITOR: _RAISE.values(
        last_message_at=_now, last_sender="visitor", waiting_since=func.coalesce(tickets.c.waiting_since, _now)
    ),
    SenderType.OPERATOR: _RAISE.values(last_message_at=_now, last_sender="operator", waiting_since=None),
    SenderType.SYSTEM: _RAISE,
}
_INSERT: Final = insert(messages).returning(messages.c.id)
_of_ticket = messages.c.ticket_id == bindparam("ticket_id")
_SENT: Final = select(messages).where(_of_ticket & (messages.c.client_id == bindparam("client_id")))
_FIRST: Final = select(messages).where(_of_ticket & (messages.c.seq == 1))
_PAGE: Final = (
    select(messages)
    .where(_of_ticket & (messages.c.seq > bindparam("after")))
    .order_by(messages.c.seq)
    .limit(bindparam("most"))
)

_PAGE_BACK: Final = (
    select(messages)
    .where(_of_ticket & (messages.c.seq > bindparam("after")) & (messages.c.seq < bindparam("before")))
    .order_by(messages.c.seq.desc())
    .limit(bindparam("most"))
)


def add_message(tx: Transaction, ticket_id: int, sender: Sender, draft: Draft, notice: Notice | None = None) -> Message:
    """Store a message as the newest of its ticket."""
    seq = tx.conn.execute(_RAISE_BY[sender.type], {"ticket_id": ticket_id, "now": tx.now}).scalar_one()
    row = {
        "ticket_id": ticket_id,
        "seq": seq,
        "sender_type": sender.type.value,
        "sender_id": sender.id,
        "sender_name": sender.name,
        "content": draft.content,
        "client_id": draft.client_id,
        "created_at": tx.now,
        "code": None if notice is None else notice.code.value,
        "params": None if notice is None else orjson.dumps(notice.params).decode(),
    }
    message_id = tx.conn.execute(_INSERT, row).scalar_one()
    return Message(
        message_id, ticket_id, seq, sender.type, sender.id, sender.name, draft.content, draft.client_id, tx.now, notice
    )


def find_sent(tx: Transaction, ticket_id: int, client_id: str) -> Message | None:
    """Find the message that an earlier request with this id has stored."""
    row = tx.conn.execute(_SENT, {"ticket_id": ticket_id, "client_id": client_id}).one_or_none()
    return None if row is None else message_of(row)


def first_message(tx: Transaction, ticket_id: int) -> Message:
    """Read the message that opened a ticket."""
    return message_of(tx.conn.execute(_FIRST, {"ticket_id": ticket_id}).one())


def read_messages(tx: Transaction, ticket_id: int, after: int, limit: int) -> list[Message]:
    """Read up to `limit` messages of a ticket with seq > `after`, in the order of seq."""
    page = {"ticket_id": ticket_id, "after": after, "most": limit}
    return [message_of(row) for row in tx.conn.execute(_PAGE, page)]


def read_messages_back(tx: Transaction, ticket_id: int, after: int, before: int, limit: int) -> list[Message]:
    """Read the last `limit` messages of a ticket with `after` < seq < `before`, in the order of seq."""
    page = {"ticket_id": ticket_id, "after": after, "before": before, "most": limit}
    return [message_of(row) for row in tx.conn.execute(_PAGE_BACK, page)][::-1]
