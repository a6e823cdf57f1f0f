"""What several processes share: who does what only one may do, and how often callers came."""

import sqlalchemy as sa
from alembic import op

from support_api.database.tables import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From the tables of 0002."""
    op.create_table(
        "support_leases",
        sa.Column("name", sa.String(40), nullable=False, comment="What only one process does: outbox, sweep"),
        sa.Column("holder", sa.String(64), nullable=False, comment="The process that does it"),
        sa.Column(
            "expires_at",
            UtcTime,
            nullable=False,
            comment="Until then nobody else does it; renewed while it is done",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_support_leases"),
        comment="Which of several processes does what is to be done by one",
    )
    op.create_table(
        "support_rates",
        sa.Column("key", sa.String(64), nullable=False, comment="A hash of who does what"),
        sa.Column(
            "seen",
            sa.ARRAY(sa.Double).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="When they did it lately, in seconds since 1970, the oldest first",
        ),
        sa.Column("expires_at", UtcTime, nullable=False, comment="After this moment the row counts for nothing"),
        sa.PrimaryKeyConstraint("key", name="pk_support_rates"),
        comment=(
            "How often callers did what is limited, for several processes; empty on SQLite, where one counts by itself"
        ),
    )
    op.create_index("ix_support_rates_expires_at", "support_rates", ["expires_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE support_rates SET UNLOGGED")
