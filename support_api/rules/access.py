"""Who may do what: the one module that decides. Pure: identities and tickets come in, a role or `Forbidden` goes out.

Every path asks here, so that a rule is written once. It must not read the database, a request or a clock.
"""

from __future__ import annotations

import hmac
from typing import TypeGuard, assert_never

from support_api.errors import Forbidden, LoginNeeded, NotYours
from support_api.models.messages import Sender, SenderType
from support_api.models.operators import Identity, Operator
from support_api.models.tickets import Ticket
from support_api.rules.channels import OperatorChannel, QueueChannel


def ensure_operator(identity: Identity) -> Operator:
    """The operator who is logged in. Raises `LoginNeeded`."""
    if identity.operator is None or identity.operator.is_disabled:
        raise LoginNeeded
    return identity.operator


def role_in(ticket: Ticket, identity: Identity) -> Sender:
    """In which role the caller reads, writes and closes this ticket. Raises `Forbidden`.

    The ticket's own operator acts as operator; else the visitor who opened the ticket as visitor. An operator whom the
    ticket is not assigned to is nobody here, so an operator can try the widget in the browser they work in.
    """
    if _serves(identity.operator, ticket):
        return Sender(SenderType.OPERATOR, str(identity.operator.id), identity.operator.name)
    if identity.visitor_id is not None and hmac.compare_digest(identity.visitor_id, ticket.visitor_id):
        return Sender(SenderType.VISITOR, ticket.visitor_id, ticket.visitor_name)
    raise _stranger(identity)


def ensure_serves(ticket: Ticket, operator: Operator) -> Sender:
    """The operator as the one who serves this ticket and may hand it over. Raises `NotYours`.

    Being its visitor too is no right to say who serves it.
    """
    return role_in(ticket, Identity(operator=operator))


def ensure_may_join(channel: OperatorChannel | QueueChannel, identity: Identity) -> Operator:
    """The operator, if they may listen to an operators' channel. Raises `Forbidden`. (Of a ticket: `role_in`.)"""
    operator = identity.operator
    if operator is None or operator.is_disabled:
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


def _stranger(identity: Identity) -> Forbidden:
    """Why somebody is nobody in a ticket; an operator may have had it a moment ago."""
    operator = identity.operator
    return Forbidden() if operator is None or operator.is_disabled else NotYours()


def _serves(operator: Operator | None, ticket: Ticket) -> TypeGuard[Operator]:
    return operator is not None and not operator.is_disabled and operator.id == ticket.operator_id
