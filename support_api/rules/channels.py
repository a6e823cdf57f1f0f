"""The names of the desk's channels, built and parsed. Pure; who may join one, access says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from support_api.errors import Forbidden
from support_api.models.ids import MAX_ID

QUEUE_CHANNEL = "private-support-queue"
"""Every operator listens here."""

STATUS_CHANNEL = "support-status"
"""Every visitor may listen here."""


# One spelling a number: a leading zero or a digit of another script would name a channel that no event goes to.
_NUMBERED = re.compile(r"private-(ticket|operator)-([1-9][0-9]{0,18})")


def ticket_channel(ticket_id: int) -> str:
    """The channel of one conversation: its visitor and its operator."""
    return f"private-ticket-{ticket_id}"


def operator_channel(operator_id: int) -> str:
    """The channel of one operator."""
    return f"private-operator-{operator_id}"


def operator_user(operator_id: int) -> str:
    """As whom an operator is signed in to the relay, and in whose name their subscriptions are signed."""
    return f"operator-{operator_id}"


@dataclass(frozen=True, slots=True)
class TicketChannel:
    """The channel of one conversation."""

    ticket_id: int


@dataclass(frozen=True, slots=True)
class OperatorChannel:
    """The channel of one operator."""

    operator_id: int


@dataclass(frozen=True, slots=True)
class QueueChannel:
    """The channel of all operators."""


Channel = TicketChannel | OperatorChannel | QueueChannel


def parse_channel(name: str) -> Channel:
    """Reads the name of a channel that this desk uses. Raises `Forbidden` for any other: nobody joins those."""
    if name == QUEUE_CHANNEL:
        return QueueChannel()
    match = _NUMBERED.fullmatch(name)
    if match is None or int(match[2]) > MAX_ID:
        raise Forbidden
    number = int(match[2])
    return TicketChannel(number) if match[1] == "ticket" else OperatorChannel(number)
