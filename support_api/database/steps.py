"""The steps from SQLite files of the first versions to the one that `migrations/` begins with. Each is text, as it was when
it was written: what tables.py says today is no help to a file of yesterday. None will be added. Knows no connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

LAST_STEP = 2
"""The version that they lead to: revision 0002 of `migrations/`."""

STEPS: Mapping[int, Sequence[str]] = MappingProxyType(
    {
        1: (
            (
                "ALTER TABLE support_tickets ADD COLUMN returned_by INTEGER"
                " CONSTRAINT fk_support_tickets_returned_by REFERENCES support_operators (id) ON DELETE SET NULL"
            ),
            "ALTER TABLE support_tickets ADD COLUMN network VARCHAR(64)",
            "CREATE INDEX idx_network ON support_tickets (network)",
            "ALTER TABLE support_messages ADD COLUMN code VARCHAR(40)",
            "ALTER TABLE support_messages ADD COLUMN params TEXT",
            (
                "ALTER TABLE support_outbox ADD COLUMN kind VARCHAR(11) DEFAULT 'event' NOT NULL"
                " CONSTRAINT ck_support_outbox_kind CHECK (kind IN ('event', 'unsubscribe', 'terminate'))"
            ),
        ),
    }
)
"""What makes of a file of this version one of the next."""


def steps_from(version: int) -> list[str]:
    """The statements that make of a file of `version` one of `LAST_STEP`."""
    return [statement for step in range(version, LAST_STEP) for statement in STEPS[step]]
