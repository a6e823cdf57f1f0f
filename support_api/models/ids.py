"""Numbers of rows: tickets, messages and operators are numbered from 1."""

from typing import Final

# The largest id that a BIGINT column holds.
MAX_ID: Final = 2**63 - 1
