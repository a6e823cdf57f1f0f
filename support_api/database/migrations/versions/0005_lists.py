"""Lists of all that was ever asked, read page by page."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """From the tables of 0004."""
    op.create_index("idx_created", "support_tickets", ["created_at", "id"])
    op.create_index("idx_closed", "support_tickets", ["closed_at", "id"])
    op.create_index("idx_operator_created", "support_tickets", ["operator_id", "created_at", "id"])
    op.create_index("idx_operator_closed", "support_tickets", ["operator_id", "closed_at", "id"])
