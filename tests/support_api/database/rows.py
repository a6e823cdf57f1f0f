"""Works for tests of databases: they store and list rows of the outbox, by their channels."""

from sqlalchemy import insert, select

from support_api.database.engine import Transaction, Work
from support_api.database.tables import outbox


def store(tx: Transaction, channel: str) -> int:
    row = insert(outbox).values(channel=channel, event="e", payload="{}", created_at=tx.now)
    return int(tx.conn.execute(row.returning(outbox.c.id)).scalar_one())


def storing(channel: str) -> Work[int]:
    return lambda tx: store(tx, channel)


def storing_loudly(channel: str, topic: str = "outbox") -> Work[None]:
    def work(tx: Transaction) -> None:
        store(tx, channel)
        tx.wake(topic)

    return work


def channels(tx: Transaction) -> list[str]:
    return list(tx.conn.execute(select(outbox.c.channel).order_by(outbox.c.id)).scalars())
