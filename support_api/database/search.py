"""The index of words: what it is made of in each database, how a row gets in, and what matches. Knows no ticket's meaning.

The words come in as they were cut (rules/words.py); neither database cuts or folds them again (decision 0036).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    TableClause,
    TextClause,
    bindparam,
    column,
    literal_column,
    table,
    text,
)
from sqlalchemy.types import Text

from support_api.models.search import Entry

NAME: Final = "support_search"

# What SQLite keeps under names of its own behind the one that is asked.
_BEHIND: Final = ("data", "idx", "config")

COMMENT: Final = "-- The words of messages and of tickets' names, for the search\n"

# SQLite: only numbers and words are kept, neither the texts nor where in them words stand; beginnings of two and three
# letters have lists of their own, since nearly every row has some. Of what comes in with blanks between its words the
# tokenizer "ascii" makes these words again, whatever the script.
DDL: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": (
        (
            f"CREATE VIRTUAL TABLE {NAME} USING fts5"
            "(words, content='', columnsize=0, detail=none, tokenize='ascii', prefix='2 3')"
        ),
    ),
    "postgresql": (
        (
            f"CREATE TABLE {NAME} (id BIGINT NOT NULL CONSTRAINT pk_{NAME} PRIMARY KEY, ticket_id BIGINT NOT NULL CONSTRAINT"
            f" fk_{NAME}_ticket_id REFERENCES support_tickets (id) ON DELETE CASCADE, words TSVECTOR NOT NULL)"
        ),
        f"CREATE INDEX ix_{NAME}_words ON {NAME} USING gin (words)",
    ),
}

_ADD: Final = {
    "sqlite": text(f"INSERT INTO {NAME} (rowid, words) VALUES (:id, :words)"),  # noqa: S608 - a constant
    "postgresql": text(
        f"INSERT INTO {NAME} (id, ticket_id, words)"  # noqa: S608 - a constant
        " VALUES (:id, :ticket_id, array_to_tsvector(string_to_array(:words, ' '))) ON CONFLICT (id) DO NOTHING"
    ),
}

_CLEAR: Final = {
    "sqlite": text(f"INSERT INTO {NAME} ({NAME}) VALUES ('delete-all')"),  # noqa: S608 - a constant
    "postgresql": text(f"TRUNCATE {NAME}"),
}

_INDEX: Final = {
    "sqlite": table(NAME, column("rowid", BigInteger)),
    "postgresql": table(NAME, column("id", BigInteger)),
}


def create(conn: Connection) -> None:
    """Make the index of a database that has none."""
    for statement in DDL[conn.dialect.name]:
        conn.exec_driver_sql(statement)


def is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is one of tables.py, for Alembic's comparison."""
    return kind != "table" or name not in {NAME, *(f"{NAME}_{part}" for part in _BEHIND)}


def add(conn: Connection, entries: Sequence[Entry]) -> None:
    """Store the words of messages and tickets that are new to the index."""
    rows = [{"id": one.id, "ticket_id": one.ticket_id, "words": " ".join(one.words)} for one in entries if one.words]
    if rows:
        conn.execute(_ADD[conn.dialect.name], rows)


def clear(conn: Connection) -> None:
    """Forget all."""
    conn.execute(_CLEAR[conn.dialect.name])


def index_of(conn: Connection) -> tuple[TableClause, ColumnElement[int]]:
    """The index as it stands in a query, and the column of its numbers."""
    index = _INDEX[conn.dialect.name]
    (number,) = index.c
    return index, number


def matches(conn: Connection, whole: Sequence[str], begun: Sequence[str]) -> ColumnElement[bool]:
    """The condition that a row has all these words: some as they are, others perhaps going on."""
    if conn.dialect.name == "sqlite":
        asked = " ".join([*(f'"{word}"' for word in whole), *(f'"{word}"*' for word in begun)])
        return literal_column(NAME).op("MATCH")(asked)
    asked = " & ".join([*(f"'{word}'" for word in whole), *(f"'{word}':*" for word in begun)])
    return literal_column(f"{NAME}.words").op("@@")(_as_query(asked))


def _as_query(asked: str) -> TextClause:
    return text("CAST(:asked AS tsquery)").bindparams(bindparam("asked", asked, type_=Text()))
