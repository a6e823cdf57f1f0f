"""The index of words. What was said before comes into it afterwards, in steps, by `pushdesk-desk migrate` or `reindex`."""

from alembic import op

revision = "0006"
down_revision = "0005"

_TABLES = {
    "sqlite": (
        (
            "CREATE VIRTUAL TABLE support_search USING fts5"
            "(words, content='', columnsize=0, detail=none, tokenize='ascii', prefix='2 3')"
        ),
    ),
    "postgresql": (
        (
            "CREATE TABLE support_search (id BIGINT NOT NULL CONSTRAINT pk_support_search PRIMARY KEY,"
            " ticket_id BIGINT NOT NULL CONSTRAINT fk_support_search_ticket_id REFERENCES support_tickets (id)"
            " ON DELETE CASCADE, words TSVECTOR NOT NULL)"
        ),
        "CREATE INDEX ix_support_search_words ON support_search USING gin (words)",
    ),
}


def upgrade() -> None:
    """From the tables of 0005."""
    for statement in _TABLES[op.get_bind().dialect.name]:
        op.execute(statement)
