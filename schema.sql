-- The tables of the support desk, in the dialect of SQLite.
-- Generated from support_api/database/tables.py by `python -m support_api schema`; change them there.
-- All times are UTC, as RFC 3339 text with milliseconds.

PRAGMA user_version = 3;

-- Departments: who answers which tickets
CREATE TABLE support_groups (
    -- The group's number
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- As operators and pages name it
    name VARCHAR(100) NOT NULL,
    -- When it was made
    created_at VARCHAR(24) NOT NULL,
    CONSTRAINT uq_support_groups_name UNIQUE (name)
);

-- Which of several processes does what is to be done by one
CREATE TABLE support_leases (
    -- What only one process does: outbox, sweep
    name VARCHAR(40) NOT NULL,
    -- The process that does it
    holder VARCHAR(64) NOT NULL,
    -- Until then nobody else does it; renewed while it is done
    expires_at VARCHAR(24) NOT NULL,
    CONSTRAINT pk_support_leases PRIMARY KEY (name)
);

-- The people who answer
CREATE TABLE support_operators (
    -- The operator's number; names the channel private-operator-{id}
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Shown to visitors
    name VARCHAR(100) NOT NULL,
    -- The log-in, in lower case
    email VARCHAR(255) NOT NULL,
    -- argon2id, with its parameters and salt
    password_hash TEXT NOT NULL,
    -- When the account was made
    created_at VARCHAR(24) NOT NULL,
    -- Set: no log-in, no session, no tickets. Rows are kept: history names them
    disabled_at VARCHAR(24),
    CONSTRAINT uq_support_operators_email UNIQUE (email)
);

-- Events stored with the change that caused them, removed once the relay has them
CREATE TABLE support_outbox (
    -- The order of delivery
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The relay's channel
    channel VARCHAR(200) NOT NULL,
    -- The event's name
    event VARCHAR(200) NOT NULL,
    -- The event's data: a JSON object
    payload TEXT NOT NULL,
    -- The connection that must not get it: the sender's own
    exclude_socket VARCHAR(64),
    -- When the change was made that it tells of
    created_at VARCHAR(24) NOT NULL,
    -- Set: the relay refused it, and it waits for `outbox retry` or `outbox skip`
    refused_at VARCHAR(24),
    -- What the relay said then
    refusal TEXT,
    -- event, or what ends the access of the user in the payload: to the channel, to all (no channel), for good
    kind VARCHAR(11) DEFAULT 'event' NOT NULL CONSTRAINT ck_support_outbox_kind CHECK (kind IN ('event', 'unsubscribe', 'terminate'))
);
CREATE INDEX ix_support_outbox_pending ON support_outbox (id) WHERE refused_at IS NULL;

-- How often callers did what is limited, for several processes; empty on SQLite, where one counts by itself
CREATE TABLE support_rates (
    -- A hash of who does what
    "key" VARCHAR(64) NOT NULL,
    -- When they did it lately, in seconds since 1970, the oldest first
    seen TEXT NOT NULL,
    -- After this moment the row counts for nothing
    expires_at VARCHAR(24) NOT NULL,
    CONSTRAINT pk_support_rates PRIMARY KEY ("key")
);
CREATE INDEX ix_support_rates_expires_at ON support_rates (expires_at);

-- Which operators are in which groups
CREATE TABLE support_group_members (
    -- The group
    group_id INTEGER NOT NULL,
    -- Who gets its tickets
    operator_id INTEGER NOT NULL,
    CONSTRAINT pk_support_group_members PRIMARY KEY (group_id, operator_id),
    CONSTRAINT fk_support_group_members_group_id FOREIGN KEY(group_id) REFERENCES support_groups (id) ON DELETE CASCADE,
    CONSTRAINT fk_support_group_members_operator_id FOREIGN KEY(operator_id) REFERENCES support_operators (id) ON DELETE CASCADE
);
CREATE INDEX ix_support_group_members_operator_id ON support_group_members (operator_id);

-- Where operators are logged in; a row is removed at log-out and at a new password
CREATE TABLE support_operator_sessions (
    -- SHA-256 of the session's secret, in hex
    token_hash VARCHAR(64) NOT NULL,
    -- Whose session; it ends with the account
    user_id INTEGER NOT NULL,
    -- When the operator logged in
    created_at VARCHAR(24) NOT NULL,
    -- After this moment the session counts for nothing
    expires_at VARCHAR(24) NOT NULL,
    CONSTRAINT pk_support_operator_sessions PRIMARY KEY (token_hash),
    CONSTRAINT fk_support_operator_sessions_user_id FOREIGN KEY(user_id) REFERENCES support_operators (id) ON DELETE CASCADE
);
CREATE INDEX ix_support_operator_sessions_user_id ON support_operator_sessions (user_id);

-- Who takes tickets now, and how many
CREATE TABLE support_operators_online (
    -- The operator; the row is made and removed with the account
    user_id INTEGER NOT NULL,
    -- Counted anew from support_tickets in each transaction that changes it
    active_tickets INTEGER DEFAULT 0 NOT NULL CONSTRAINT ck_support_operators_online_active_tickets CHECK (active_tickets >= 0),
    -- No new ticket at or above this many active ones
    max_tickets INTEGER DEFAULT 5 NOT NULL CONSTRAINT ck_support_operators_online_max_tickets CHECK (max_tickets BETWEEN 0 AND 100),
    -- The last heartbeat; an old one means not online
    last_seen VARCHAR(24) NOT NULL,
    -- What the operator says: online (takes tickets), away or offline
    status VARCHAR(7) DEFAULT 'offline' NOT NULL CONSTRAINT ck_support_operators_online_status CHECK (status IN ('online', 'away', 'offline')),
    -- When they last got a ticket; among equals the oldest is next
    last_assigned_at VARCHAR(24),
    CONSTRAINT pk_support_operators_online PRIMARY KEY (user_id),
    CONSTRAINT fk_support_operators_online_user_id FOREIGN KEY(user_id) REFERENCES support_operators (id) ON DELETE CASCADE
);

-- Conversations
CREATE TABLE support_tickets (
    -- The ticket's number; names the channel private-ticket-{id}
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Public random id of the visitor; no secret
    visitor_id VARCHAR(64) NOT NULL,
    -- As the visitor gave it, or the default
    visitor_name VARCHAR(100) NOT NULL,
    -- As the visitor gave it; never proof of who they are
    visitor_email VARCHAR(255),
    -- Who serves or served it; accounts with tickets are disabled, not removed
    operator_id INTEGER,
    -- waiting (for an operator), active or closed
    status VARCHAR(7) DEFAULT 'waiting' NOT NULL CONSTRAINT ck_support_tickets_status CHECK (status IN ('waiting', 'active', 'closed')),
    -- When the visitor wrote first
    created_at VARCHAR(24) NOT NULL,
    -- When it was closed
    closed_at VARCHAR(24),
    -- Which side closed it
    closed_by VARCHAR(8) CONSTRAINT ck_support_tickets_closed_by CHECK (closed_by IN ('visitor', 'operator')),
    -- The client's id of the request that made it; a repeat finds this row
    create_key VARCHAR(64),
    -- seq of the newest message; raised in the transaction that stores the message
    last_seq INTEGER DEFAULT 0 NOT NULL,
    -- Who gave it back to the queue by hand: while it waits it is not assigned to them by itself
    returned_by INTEGER,
    -- While it is open: a keyed hash of the network that it was opened from, to count those of one network
    network VARCHAR(64),
    -- Whose members it is for; empty: for everybody
    group_id INTEGER,
    -- When it became its operator's
    assigned_at VARCHAR(24),
    -- When an operator wrote first
    first_answer_at VARCHAR(24),
    -- Since when the visitor is gone; empty: here, as far as is known
    visitor_left_at VARCHAR(24),
    -- Until then, or the next message, nobody is warned and nothing is closed
    snoozed_until VARCHAR(24),
    -- When the visitor was last told that it will be closed; empty: they wrote since
    warned_at VARCHAR(24),
    -- When it was opened again after its end
    reopened_at VARCHAR(24),
    -- How far the visitor has read: the seq of a message; it only goes forward
    visitor_read_seq INTEGER DEFAULT 0 NOT NULL,
    -- How far the operator has read: the seq of a message; it only goes forward
    operator_read_seq INTEGER DEFAULT 0 NOT NULL,
    -- When a person, not the system, wrote last
    last_message_at VARCHAR(24),
    -- Who that was: visitor or operator
    last_sender VARCHAR(8),
    -- Since when the visitor has no answer to what they wrote; empty: they have one
    waiting_since VARCHAR(24),
    CONSTRAINT ck_support_tickets_operator CHECK ((status = 'waiting' AND operator_id IS NULL) OR (status = 'active' AND operator_id IS NOT NULL) OR status = 'closed'),
    CONSTRAINT ck_support_tickets_closed_at CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT uq_support_tickets_visitor_id_create_key UNIQUE (visitor_id, create_key),
    CONSTRAINT fk_support_tickets_operator_id FOREIGN KEY(operator_id) REFERENCES support_operators (id) ON DELETE RESTRICT,
    CONSTRAINT fk_support_tickets_returned_by FOREIGN KEY(returned_by) REFERENCES support_operators (id) ON DELETE SET NULL
);
CREATE INDEX idx_closed ON support_tickets (closed_at, id);
CREATE INDEX idx_created ON support_tickets (created_at, id);
CREATE INDEX idx_network ON support_tickets (network);
CREATE INDEX idx_operator ON support_tickets (operator_id, status);
CREATE INDEX idx_operator_closed ON support_tickets (operator_id, closed_at, id);
CREATE INDEX idx_operator_created ON support_tickets (operator_id, created_at, id);
CREATE INDEX idx_status ON support_tickets (status, id);
CREATE INDEX ix_support_tickets_group_id ON support_tickets (group_id);
CREATE INDEX ix_support_tickets_visitor_id ON support_tickets (visitor_id);

-- What was said
CREATE TABLE support_messages (
    -- The message's number; receivers drop an id they know
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The conversation; its messages go when it is erased
    ticket_id INTEGER NOT NULL,
    -- 1, 2, 3 … within the ticket, without gaps: the order to show
    seq INTEGER NOT NULL,
    -- visitor, operator or system
    sender_type VARCHAR(8) NOT NULL CONSTRAINT ck_support_messages_sender_type CHECK (sender_type IN ('visitor', 'operator', 'system')),
    -- visitor_id, the operator's id, or empty for system
    sender_id VARCHAR(64) NOT NULL,
    -- The name at that moment
    sender_name VARCHAR(100) NOT NULL,
    -- Plain text, never HTML
    content TEXT NOT NULL,
    -- The client's id of the message; a repeat finds this row
    client_id VARCHAR(64),
    -- When it was stored
    created_at VARCHAR(24) NOT NULL,
    -- What a message of the system says, for programs; its content says it to people
    code VARCHAR(40),
    -- What the code is about: a JSON object of texts
    params TEXT,
    CONSTRAINT uq_support_messages_ticket_id_seq UNIQUE (ticket_id, seq),
    CONSTRAINT uq_support_messages_ticket_id_client_id UNIQUE (ticket_id, client_id),
    CONSTRAINT fk_support_messages_ticket_id FOREIGN KEY(ticket_id) REFERENCES support_tickets (id) ON DELETE CASCADE
);
CREATE INDEX idx_ticket ON support_messages (ticket_id, created_at);

-- What operators say among themselves about a conversation; visitors never see it
CREATE TABLE support_notes (
    -- The note's number
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The conversation that it is about
    ticket_id INTEGER NOT NULL,
    -- Who wrote it
    operator_id INTEGER NOT NULL,
    -- Their name at that moment
    operator_name VARCHAR(100) NOT NULL,
    -- Plain text, never HTML; for operators alone
    content TEXT NOT NULL,
    -- It stands behind the message with this seq
    after_seq INTEGER NOT NULL,
    -- note, or transfer: what the next operator is to read
    kind VARCHAR(8) NOT NULL CONSTRAINT ck_support_notes_kind CHECK (kind IN ('note', 'transfer')),
    -- When it was stored
    created_at VARCHAR(24) NOT NULL,
    -- The client's id of the note; a repeat finds this row
    client_id VARCHAR(64),
    CONSTRAINT uq_support_notes_ticket_id_client_id UNIQUE (ticket_id, client_id),
    CONSTRAINT fk_support_notes_ticket_id FOREIGN KEY(ticket_id) REFERENCES support_tickets (id) ON DELETE CASCADE,
    CONSTRAINT fk_support_notes_operator_id FOREIGN KEY(operator_id) REFERENCES support_operators (id) ON DELETE RESTRICT
);
CREATE INDEX idx_notes_ticket ON support_notes (ticket_id, id);

-- The words of messages and of tickets' names, for the search
CREATE VIRTUAL TABLE support_search USING fts5(words, content='', columnsize=0, detail=none, tokenize='ascii', prefix='2 3');

-- Alembic's own: of which revision (support_api/database/migrations) the tables are
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version (version_num) VALUES ('0007');
