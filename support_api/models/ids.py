"""Numbers that rows have. Ids of tickets, messages and operators are integers from 1."""

MAX_ID = 2**63 - 1
"""The largest id that a BIGINT column holds."""
