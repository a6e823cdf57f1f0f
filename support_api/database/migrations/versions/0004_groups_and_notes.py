"""Groups of operators, notes among them, and what is known of a conversation's life."""

import sqlalchemy as sa
from alembic import op

from support_api.database.tables import UtcTime

revision = "0004"
down_revision = "0003"

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_TIMES = {
    "assigned_at": "When it became its operator's",
    "first_answer_at": "When an operator wrote first",
    "visitor_left_at": "Since when the visitor is gone; empty: here, as far as is known",
    "snoozed_until": "Until then, or the next message, nobody is warned and nothing is closed",
    "warned_at": "When the visitor was last told that it will be closed; empty: they wrote since",
    "reopened_at": "When it was opened again after its end",
}


def upgrade() -> None:
    """From the tables of 0003."""
    _create_groups()
    _create_members()
    _create_notes()
    # No foreign key: SQLite adds one to a table only by writing the whole table anew.
    op.add_column(
        "support_tickets", sa.Column("group_id", _Id, comment="Whose members it is for; empty: for everybody")
    )
    op.create_index("ix_support_tickets_group_id", "support_tickets", ["group_id"])
    for name, comment in _TIMES.items():
        op.add_column("support_tickets", sa.Column(name, UtcTime, comment=comment))


def _create_groups() -> None:
    op.create_table(
        "support_groups",
        sa.Column("id", _Id, sa.Identity(), nullable=False, comment="The group's number"),
        sa.Column("name", sa.String(100), nullable=False, comment="As operators and pages name it"),
        sa.Column("created_at", UtcTime, nullable=False, comment="When it was made"),
        sa.PrimaryKeyConstraint("id", name="pk_support_groups"),
        sa.UniqueConstraint("name", name="uq_support_groups_name"),
        comment="Departments: who answers which tickets",
        sqlite_autoincrement=True,
    )


def _create_members() -> None:
    op.create_table(
        "support_group_members",
        sa.Column("group_id", _Id, nullable=False, autoincrement=False, comment="The group"),
        sa.Column("operator_id", _Id, nullable=False, autoincrement=False, comment="Who gets its tickets"),
        sa.ForeignKeyConstraint(
            ["group_id"], ["support_groups.id"], name="fk_support_group_members_group_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["support_operators.id"], name="fk_support_group_members_operator_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "operator_id", name="pk_support_group_members"),
        comment="Which operators are in which groups",
    )
    op.create_index("ix_support_group_members_operator_id", "support_group_members", ["operator_id"])


def _create_notes() -> None:
    op.create_table(
        "support_notes",
        sa.Column("id", _Id, sa.Identity(), nullable=False, comment="The note's number"),
        sa.Column("ticket_id", _Id, nullable=False, comment="The conversation that it is about"),
        sa.Column("operator_id", _Id, nullable=False, comment="Who wrote it"),
        sa.Column("operator_name", sa.String(100), nullable=False, comment="Their name at that moment"),
        sa.Column("content", sa.Text, nullable=False, comment="Plain text, never HTML; for operators alone"),
        sa.Column("after_seq", sa.Integer, nullable=False, comment="It stands behind the message with this seq"),
        sa.Column("kind", sa.String(8), nullable=False, comment="note, or transfer: what the next operator is to read"),
        sa.Column("created_at", UtcTime, nullable=False, comment="When it was stored"),
        sa.Column("client_id", sa.String(64), comment="The client's id of the note; a repeat finds this row"),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["support_tickets.id"], name="fk_support_notes_ticket_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["support_operators.id"], name="fk_support_notes_operator_id", ondelete="RESTRICT"
        ),
        sa.CheckConstraint("kind IN ('note', 'transfer')", name=op.f("ck_support_notes_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_support_notes"),
        sa.UniqueConstraint("ticket_id", "client_id", name="uq_support_notes_ticket_id_client_id"),
        comment="What operators say among themselves about a conversation; visitors never see it",
        sqlite_autoincrement=True,
    )
    op.create_index("idx_notes_ticket", "support_notes", ["ticket_id", "id"])
