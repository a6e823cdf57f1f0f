"""The tables of the support desk: the truth that schema.sql is generated from. No queries here.

Times are UTC; SQLite keeps them as RFC 3339 text with milliseconds, which sorts as time does. Enumerations are TEXT with a
CHECK, so that each database takes them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.types import TypeEngine

ALEMBIC = 3
"""`PRAGMA user_version` of an SQLite file whose revision is in a table of its own (migrations/). Never to be raised."""


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime: text on SQLite (which has no type for it), TIMESTAMP WITH TIME ZONE elsewhere."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        """Picks the column type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(24))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | datetime | None:
        """To the database."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_result_value(self, value: str | datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value


# SQLite numbers rows by itself only in a column of the type INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

operators = Table(
    "support_operators",
    metadata,
    Column(
        "id",
        _Id,
        Identity(),
        primary_key=True,
        comment="The operator's number; names the channel private-operator-{id}",
    ),
    Column("name", String(100), nullable=False, comment="Shown to visitors"),
    Column("email", String(255), nullable=False, unique=True, comment="The log-in, in lower case"),
    Column("password_hash", Text, nullable=False, comment="argon2id, with its parameters and salt"),
    Column("created_at", UtcTime, nullable=False, comment="When the account was made"),
    Column("disabled_at", UtcTime, comment="Set: no log-in, no session, no tickets. Rows are kept: history names them"),
    comment="The people who answer",
    sqlite_autoincrement=True,
)

operator_sessions = Table(
    "support_operator_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True, comment="SHA-256 of the session's secret, in hex"),
    Column(
        "user_id",
        _Id,
        ForeignKey("support_operators.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
        comment="Whose session; it ends with the account",
    ),
    Column("created_at", UtcTime, nullable=False, comment="When the operator logged in"),
    Column("expires_at", UtcTime, nullable=False, comment="After this moment the session counts for nothing"),
    comment="Where operators are logged in; a row is removed at log-out and at a new password",
)

operators_online = Table(
    "support_operators_online",
    metadata,
    Column(
        "user_id",
        _Id,
        ForeignKey("support_operators.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        comment="The operator; the row is made and removed with the account",
    ),
    Column(
        "active_tickets",
        Integer,
        CheckConstraint("active_tickets >= 0", name="active_tickets"),
        nullable=False,
        server_default=text("0"),
        comment="Counted anew from support_tickets in each transaction that changes it",
    ),
    Column(
        "max_tickets",
        Integer,
        CheckConstraint("max_tickets BETWEEN 0 AND 100", name="max_tickets"),
        nullable=False,
        server_default=text("5"),
        comment="No new ticket at or above this many active ones",
    ),
    Column("last_seen", UtcTime, nullable=False, comment="The last heartbeat; an old one means not online"),
    Column(
        "status",
        String(7),
        CheckConstraint("status IN ('online', 'away', 'offline')", name="status"),
        nullable=False,
        server_default=text("'offline'"),
        comment="What the operator says: online (takes tickets), away or offline",
    ),
    Column("last_assigned_at", UtcTime, comment="When they last got a ticket; among equals the oldest is next"),
    comment="Who takes tickets now, and how many",
)

groups = Table(
    "support_groups",
    metadata,
    Column("id", _Id, Identity(), primary_key=True, comment="The group's number"),
    Column("name", String(100), nullable=False, unique=True, comment="As operators and pages name it"),
    Column("created_at", UtcTime, nullable=False, comment="When it was made"),
    comment="Departments: who answers which tickets",
    sqlite_autoincrement=True,
)

group_members = Table(
    "support_group_members",
    metadata,
    Column(
        "group_id",
        _Id,
        ForeignKey("support_groups.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        comment="The group",
    ),
    Column(
        "operator_id",
        _Id,
        ForeignKey("support_operators.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
        comment="Who gets its tickets",
    ),
    comment="Which operators are in which groups",
)

tickets = Table(
    "support_tickets",
    metadata,
    Column(
        "id", _Id, Identity(), primary_key=True, comment="The ticket's number; names the channel private-ticket-{id}"
    ),
    Column("visitor_id", String(64), nullable=False, index=True, comment="Public random id of the visitor; no secret"),
    Column("visitor_name", String(100), nullable=False, comment="As the visitor gave it, or the default"),
    Column("visitor_email", String(255), comment="As the visitor gave it; never proof of who they are"),
    Column(
        "operator_id",
        _Id,
        ForeignKey("support_operators.id", ondelete="RESTRICT"),
        comment="Who serves or served it; accounts with tickets are disabled, not removed",
    ),
    Column(
        "status",
        String(7),
        CheckConstraint("status IN ('waiting', 'active', 'closed')", name="status"),
        nullable=False,
        server_default=text("'waiting'"),
        comment="waiting (for an operator), active or closed",
    ),
    Column("created_at", UtcTime, nullable=False, comment="When the visitor wrote first"),
    Column("closed_at", UtcTime, comment="When it was closed"),
    Column(
        "closed_by",
        String(8),
        CheckConstraint("closed_by IN ('visitor', 'operator')", name="closed_by"),
        comment="Which side closed it",
    ),
    Column("create_key", String(64), comment="The client's id of the request that made it; a repeat finds this row"),
    Column(
        "last_seq",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="seq of the newest message; raised in the transaction that stores the message",
    ),
    Column(
        "returned_by",
        _Id,
        ForeignKey("support_operators.id", ondelete="SET NULL"),
        comment="Who gave it back to the queue by hand: while it waits it is not assigned to them by itself",
    ),
    Column(
        "network",
        String(64),
        comment="While it is open: a keyed hash of the network that it was opened from, to count those of one network",
    ),
    Column(
        "group_id",
        _Id,
        # No foreign key: SQLite adds one to a table only by writing the whole table anew. Who removes a group clears this.
        index=True,
        comment="Whose members it is for; empty: for everybody",
    ),
    Column("assigned_at", UtcTime, comment="When it became its operator's"),
    Column("first_answer_at", UtcTime, comment="When an operator wrote first"),
    Column("visitor_left_at", UtcTime, comment="Since when the visitor is gone; empty: here, as far as is known"),
    Column("snoozed_until", UtcTime, comment="Until then, or the next message, nobody is warned and nothing is closed"),
    Column(
        "warned_at", UtcTime, comment="When the visitor was last told that it will be closed; empty: they wrote since"
    ),
    Column("reopened_at", UtcTime, comment="When it was opened again after its end"),
    Column(
        "visitor_read_seq",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="How far the visitor has read: the seq of a message; it only goes forward",
    ),
    Column(
        "operator_read_seq",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="How far the operator has read: the seq of a message; it only goes forward",
    ),
    Column("last_message_at", UtcTime, comment="When a person, not the system, wrote last"),
    Column("last_sender", String(8), comment="Who that was: visitor or operator"),
    Column(
        "waiting_since",
        UtcTime,
        comment="Since when the visitor has no answer to what they wrote; empty: they have one",
    ),
    CheckConstraint(
        "(status = 'waiting' AND operator_id IS NULL) OR (status = 'active' AND operator_id IS NOT NULL)"
        " OR status = 'closed'",
        name="operator",
    ),
    CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
    UniqueConstraint("visitor_id", "create_key"),
    # "First come, first served" reads the waiting ones in the order of their ids.
    Index("idx_status", "status", "id"),
    Index("idx_operator", "operator_id", "status"),
    Index("idx_network", "network"),
    # Lists of years, read page by page: all, closed ones, those of one operator.
    Index("idx_created", "created_at", "id"),
    Index("idx_closed", "closed_at", "id"),
    Index("idx_operator_created", "operator_id", "created_at", "id"),
    Index("idx_operator_closed", "operator_id", "closed_at", "id"),
    comment="Conversations",
    sqlite_autoincrement=True,
)

messages = Table(
    "support_messages",
    metadata,
    Column("id", _Id, Identity(), primary_key=True, comment="The message's number; receivers drop an id they know"),
    Column(
        "ticket_id",
        _Id,
        ForeignKey("support_tickets.id", ondelete="CASCADE"),
        nullable=False,
        comment="The conversation; its messages go when it is erased",
    ),
    Column("seq", Integer, nullable=False, comment="1, 2, 3 … within the ticket, without gaps: the order to show"),
    Column(
        "sender_type",
        String(8),
        CheckConstraint("sender_type IN ('visitor', 'operator', 'system')", name="sender_type"),
        nullable=False,
        comment="visitor, operator or system",
    ),
    Column("sender_id", String(64), nullable=False, comment="visitor_id, the operator's id, or empty for system"),
    Column("sender_name", String(100), nullable=False, comment="The name at that moment"),
    Column("content", Text, nullable=False, comment="Plain text, never HTML"),
    Column("client_id", String(64), comment="The client's id of the message; a repeat finds this row"),
    Column("created_at", UtcTime, nullable=False, comment="When it was stored"),
    Column(
        "code", String(40), comment="What a message of the system says, for programs; its content says it to people"
    ),
    Column("params", Text, comment="What the code is about: a JSON object of texts"),
    UniqueConstraint("ticket_id", "seq"),
    UniqueConstraint("ticket_id", "client_id"),
    Index("idx_ticket", "ticket_id", "created_at"),
    comment="What was said",
    sqlite_autoincrement=True,
)

notes = Table(
    "support_notes",
    metadata,
    Column("id", _Id, Identity(), primary_key=True, comment="The note's number"),
    Column(
        "ticket_id",
        _Id,
        ForeignKey("support_tickets.id", ondelete="CASCADE"),
        nullable=False,
        comment="The conversation that it is about",
    ),
    Column(
        "operator_id",
        _Id,
        ForeignKey("support_operators.id", ondelete="RESTRICT"),
        nullable=False,
        comment="Who wrote it",
    ),
    Column("operator_name", String(100), nullable=False, comment="Their name at that moment"),
    Column("content", Text, nullable=False, comment="Plain text, never HTML; for operators alone"),
    Column("after_seq", Integer, nullable=False, comment="It stands behind the message with this seq"),
    Column(
        "kind",
        String(8),
        CheckConstraint("kind IN ('note', 'transfer')", name="kind"),
        nullable=False,
        comment="note, or transfer: what the next operator is to read",
    ),
    Column("created_at", UtcTime, nullable=False, comment="When it was stored"),
    Column("client_id", String(64), comment="The client's id of the note; a repeat finds this row"),
    UniqueConstraint("ticket_id", "client_id"),
    Index("idx_notes_ticket", "ticket_id", "id"),
    comment="What operators say among themselves about a conversation; visitors never see it",
    sqlite_autoincrement=True,
)

outbox = Table(
    "support_outbox",
    metadata,
    Column("id", _Id, Identity(), primary_key=True, comment="The order of delivery"),
    Column("channel", String(200), nullable=False, comment="The relay's channel"),
    Column("event", String(200), nullable=False, comment="The event's name"),
    Column("payload", Text, nullable=False, comment="The event's data: a JSON object"),
    Column("exclude_socket", String(64), comment="The connection that must not get it: the sender's own"),
    Column("created_at", UtcTime, nullable=False, comment="When the change was made that it tells of"),
    Column(
        "refused_at", UtcTime, comment="Set: the relay refused it, and it waits for `outbox retry` or `outbox skip`"
    ),
    Column("refusal", Text, comment="What the relay said then"),
    Column(
        "kind",
        String(11),
        CheckConstraint("kind IN ('event', 'unsubscribe', 'terminate')", name="kind"),
        nullable=False,
        server_default=text("'event'"),
        comment="event, or what ends the access of the user in the payload: to the channel, to all (no channel), for good",
    ),
    comment="Events stored with the change that caused them, removed once the relay has them",
    sqlite_autoincrement=True,
)

Index(
    "ix_support_outbox_pending",
    outbox.c.id,
    sqlite_where=outbox.c.refused_at.is_(None),
    postgresql_where=outbox.c.refused_at.is_(None),
)

leases = Table(
    "support_leases",
    metadata,
    Column("name", String(40), primary_key=True, comment="What only one process does: outbox, sweep"),
    Column("holder", String(64), nullable=False, comment="The process that does it"),
    Column("expires_at", UtcTime, nullable=False, comment="Until then nobody else does it; renewed while it is done"),
    comment="Which of several processes does what is to be done by one",
)

rates = Table(
    "support_rates",
    metadata,
    Column("key", String(64), primary_key=True, comment="A hash of who does what"),
    Column(
        "seen",
        ARRAY(Double).with_variant(Text(), "sqlite"),
        nullable=False,
        comment="When they did it lately, in seconds since 1970, the oldest first",
    ),
    Column("expires_at", UtcTime, nullable=False, index=True, comment="After this moment the row counts for nothing"),
    comment="How often callers did what is limited, for several processes; empty on SQLite, where one counts by itself",
    # Not worth a disk's time: after a crash everybody begins anew.
    info={"postgresql": "ALTER TABLE support_rates SET UNLOGGED"},
)

_unlogged = DDL(rates.info["postgresql"])  # type: ignore[no-untyped-call] # SQLAlchemy's own
event.listen(rates, "after_create", _unlogged.execute_if(dialect="postgresql"))
