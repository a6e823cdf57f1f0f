"""Departments. No SQL, no HTTP."""

from collections.abc import Sequence

from msgspec import Struct


class Group(Struct, frozen=True):
    """A group of operators."""

    id: int
    name: str


class Staff(Struct, frozen=True):
    """A group with the numbers of its members, whose accounts may be disabled, in order."""

    group: Group
    members: Sequence[int]
