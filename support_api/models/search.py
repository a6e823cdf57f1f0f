"""What was looked for and what was found, as values."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from support_api.models.messages import Message
from support_api.models.tickets import TicketStatus, TicketSummary

# What is found of a ticket itself has the number of the ticket from here on: below all numbers of messages.
TICKETS_FROM: Final = -(2**62)


class Entry(Struct, frozen=True):
    """The words of a message, under its number, or of a ticket's names, under its number from TICKETS_FROM on."""

    id: int
    ticket_id: int
    words: Sequence[str]


class Hit(Struct, frozen=True):
    """A message that was found, and in whose conversation."""

    message: Message
    visitor_id: str
    visitor_name: str
    status: TicketStatus


class Found(Struct, frozen=True):
    """What was found: tickets by their number, name or e-mail, messages by their words, each the newest first.

    `words`: what was looked for. `has_more`: of the messages there are older ones.
    """

    words: Sequence[str]
    tickets: Sequence[TicketSummary]
    hits: Sequence[Hit]
    has_more: bool
