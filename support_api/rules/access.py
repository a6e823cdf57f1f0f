"""Who may do what: the one module that decides. Pure: identities and tickets come in, a role or a refusal goes out.

Every path asks here, so that a rule is written once. It must not read the database, a request or a clock.
"""

import hmac
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final, assert_never

from support_api.errors import Forbidden, LoginNeeded, NotYours, TicketClosed
from support_api.models.messages import Sender, SenderType
from support_api.models.operators import Identity, Operator
from support_api.models.tickets import Readable, Ticket, TicketStatus
from support_api.rules.channels import OperatorChannel, QueueChannel


class Act(StrEnum):
    """What somebody does with a ticket."""

    READ = "read"
    WRITE = "write"
    # Say how far one has read.
    MARK_READ = "mark_read"
    # Show the other side that one types.
    TYPE = "type"
    CLOSE = "close"
    # Listen to its channel.
    JOIN = "join"
    # Give it to a colleague, or back to the queue.
    TRANSFER = "transfer"
    # Let it rest, so that nobody is asked or closes it for silence.
    SNOOZE = "snooze"
    # Go on with it after its end.
    REOPEN = "reopen"
    # Have it from the queue.
    TAKE = "take"
    # Say among operators what the visitor does not read, and read it.
    NOTE = "note"


_OF_ITS_VISITOR: Final = frozenset({Act.READ, Act.MARK_READ, Act.WRITE, Act.TYPE, Act.CLOSE, Act.JOIN, Act.REOPEN})

_OF_ANY_OPERATOR: Final = frozenset({Act.TAKE})

# What nobody serves at this moment is no secret among operators; `readable_by` says the same of many tickets.
_OF_ANY_OPERATOR_UNLESS_SERVED: Final = _OF_ANY_OPERATOR | {Act.READ, Act.REOPEN, Act.NOTE}

_OF_ITS_OPERATOR: Final = _OF_ITS_VISITOR | _OF_ANY_OPERATOR | {Act.TRANSFER, Act.SNOOZE, Act.NOTE}


def may(identity: Identity, act: Act, ticket: Ticket) -> Sender:
    """Say in which role the caller does this with the ticket.

    Its own operator acts as operator; else the visitor who opened it as visitor. Any operator may read what waits and what is
    closed. Else an operator whom the ticket is not assigned to is nobody in it, so that an operator can try the widget in the
    browser they work in; and being its visitor too is no right to say who serves it.

    Raises `Forbidden`; `NotYours` for an operator, who may have had the ticket a moment ago; `LoginNeeded` for what only
    operators do at all.
    """
    operator = _active(identity)
    if operator is not None and act in _acts_of(operator, ticket):
        return Sender(SenderType.OPERATOR, str(operator.id), operator.name)
    if act in _OF_ITS_VISITOR and _opened(identity, ticket):
        return Sender(SenderType.VISITOR, ticket.visitor_id, ticket.visitor_name)
    raise _refusal(operator, act)


def ensure_operator(identity: Identity) -> Operator:
    """Return the operator who is logged in. Raises `LoginNeeded`."""
    operator = _active(identity)
    if operator is None:
        raise LoginNeeded
    return operator


def readable_by(operator: Operator) -> Readable:
    """Say which tickets the operator may read: for lists and for the search, the same as `may` says of one."""
    return Readable(operator.id)


def ensure_open(ticket: Ticket) -> None:
    """Raise `TicketClosed` for a conversation that is over."""
    if ticket.status is TicketStatus.CLOSED:
        raise TicketClosed(ticket.id)


def ensure_may_join(channel: OperatorChannel | QueueChannel, identity: Identity) -> Operator:
    """Return the operator, if they may listen to an operators' channel. Raises `Forbidden`. (Of a ticket: `may`.)"""
    operator = _active(identity)
    if operator is None:
        raise Forbidden
    match channel:
        case QueueChannel():
            return operator
        case OperatorChannel(operator_id):
            if operator_id != operator.id:
                raise Forbidden
            return operator
        case _:
            assert_never(channel)


def _active(identity: Identity) -> Operator | None:
    operator = identity.operator
    return None if operator is None or operator.is_disabled else operator


def _acts_of(operator: Operator, ticket: Ticket) -> AbstractSet[Act]:
    if operator.id == ticket.operator_id:
        return _OF_ITS_OPERATOR
    return _OF_ANY_OPERATOR if ticket.status is TicketStatus.ACTIVE else _OF_ANY_OPERATOR_UNLESS_SERVED


def _opened(identity: Identity, ticket: Ticket) -> bool:
    return identity.visitor_id is not None and hmac.compare_digest(identity.visitor_id, ticket.visitor_id)


def _refusal(operator: Operator | None, act: Act) -> Exception:
    if operator is not None:
        return NotYours()
    return Forbidden() if act in _OF_ITS_VISITOR else LoginNeeded()
