"""The names of the desk's channels and users, built and parsed. Pure; who may join a channel, access says."""

import re
from typing import Final

from msgspec import Struct

from support_api.errors import Forbidden
from support_api.models.ids import MAX_ID

# Every operator listens here.
QUEUE_CHANNEL: Final = "private-support-queue"

# Every visitor may listen here.
STATUS_CHANNEL: Final = "support-status"

# One spelling a number: a leading zero or a digit of another script would name a channel that no event goes to.
_NUMBERED: Final = re.compile(r"private-(ticket|operator)-([1-9][0-9]{0,18})")


class TicketChannel(Struct, frozen=True):
    """The channel of one conversation."""

    ticket_id: int


class OperatorChannel(Struct, frozen=True):
    """The channel of one operator."""

    operator_id: int


class QueueChannel(Struct, frozen=True):
    """The channel of all operators."""


Channel = TicketChannel | OperatorChannel | QueueChannel


def ticket_channel(ticket_id: int) -> str:
    """Name the channel of one conversation: its visitor and its operator."""
    return f"private-ticket-{ticket_id}"


def operator_channel(operator_id: int) -> str:
    """Name the channel of one operator."""
    return f"private-operator-{operator_id}"


def operator_user(operator_id: int) -> str:
    """Name the user as whom an operator is signed in to the relay, and in whose name their subscriptions are signed."""
    return f"operator-{operator_id}"


def parse_channel(name: str) -> Channel:
    """Read the name of a channel that this desk uses. Raises `Forbidden` for any other: nobody joins those."""
    if name == QUEUE_CHANNEL:
        return QueueChannel()
    match = _NUMBERED.fullmatch(name)
    if match is None or int(match[2]) > MAX_ID:
        raise Forbidden
    number = int(match[2])
    return TicketChannel(number) if match[1] == "ticket" else OperatorChannel(number)
