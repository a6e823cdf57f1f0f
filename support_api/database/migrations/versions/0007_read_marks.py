"""How far both sides have read, and who waits for an answer since when."""

import sqlalchemy as sa
from alembic import op

from support_api.database.tables import UtcTime

revision = "0007"
down_revision = "0006"

# What was said before is read; asking people to read it all again would help nobody.
_READ = "UPDATE support_tickets SET visitor_read_seq = last_seq, operator_read_seq = last_seq"

_NEWEST = """
UPDATE support_tickets SET {column} = (
    SELECT {source} FROM support_messages
    WHERE support_messages.ticket_id = support_tickets.id AND sender_type <> 'system'
    ORDER BY seq DESC LIMIT 1
)
"""

_WAITING = """
UPDATE support_tickets SET waiting_since = last_message_at WHERE status <> 'closed' AND last_sender = 'visitor'
"""


def upgrade() -> None:
    """From the tables of 0006."""
    for side in ("visitor", "operator"):
        comment = f"How far the {side} has read: the seq of a message; it only goes forward"
        column = sa.Column(f"{side}_read_seq", sa.Integer, nullable=False, server_default=sa.text("0"), comment=comment)
        op.add_column("support_tickets", column)
    said = "When a person, not the system, wrote last"
    op.add_column("support_tickets", sa.Column("last_message_at", UtcTime, comment=said))
    op.add_column(
        "support_tickets", sa.Column("last_sender", sa.String(8), comment="Who that was: visitor or operator")
    )
    since = "Since when the visitor has no answer to what they wrote; empty: they have one"
    op.add_column("support_tickets", sa.Column("waiting_since", UtcTime, comment=since))
    op.execute(_READ)
    op.execute(_NEWEST.format(column="last_message_at", source="created_at"))
    op.execute(_NEWEST.format(column="last_sender", source="sender_type"))
    op.execute(_WAITING)
