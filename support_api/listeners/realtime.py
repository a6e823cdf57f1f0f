"""What the world is told when something changes: one builder an event, with its channel. Pure; knows models and shapes.

Fields may be added to a payload, none may be renamed: panels and widgets in the field read them.
"""

from __future__ import annotations

from support_api.models.messages import Message, SenderType
from support_api.models.outbox import Event, EventKind
from support_api.models.tickets import Ticket
from support_api.rules.channels import QUEUE_CHANNEL, STATUS_CHANNEL, operator_channel, operator_user, ticket_channel
from support_api.serializers import Json, message_json, optional_time_text, time_text


def lost_channel(operator_id: int, ticket_id: int) -> Event:
    """Ends the operator's subscription to a conversation that is not theirs any more."""
    return _access_ended(EventKind.UNSUBSCRIBE, ticket_channel(ticket_id), operator_id)


def lost_all_channels(operator_id: int) -> Event:
    """Ends all subscriptions of the operator; who still has a right to one has to have it signed anew."""
    return _access_ended(EventKind.UNSUBSCRIBE, "", operator_id)


def lost_connections(operator_id: int) -> Event:
    """Closes the connections of the operator."""
    return _access_ended(EventKind.TERMINATE, "", operator_id)


def _access_ended(kind: EventKind, channel: str, operator_id: int) -> Event:
    return Event(channel, str(kind), {"user_id": operator_user(operator_id)}, kind=kind)


def ticket_assigned(ticket: Ticket, first_message: str) -> Event:
    """Tells the operator that a ticket is theirs from now on. The ticket must have an operator."""
    if ticket.operator_id is None:
        msg = f"ticket {ticket.id} has no operator"
        raise ValueError(msg)
    return Event(
        operator_channel(ticket.operator_id),
        "ticket:assigned",
        {
            "ticket_id": ticket.id,
            "visitor_name": ticket.visitor_name,
            "message": first_message,
            "created_at": time_text(ticket.created_at),
        },
    )


def ticket_new(ticket: Ticket, first_message: str) -> Event:
    """Tells all operators of a new ticket, also when it is somebody's already."""
    return Event(
        QUEUE_CHANNEL,
        "ticket:new",
        {
            "ticket_id": ticket.id,
            "visitor_name": ticket.visitor_name,
            "status": str(ticket.status),
            "operator_id": ticket.operator_id,
            "message": first_message,
            "created_at": time_text(ticket.created_at),
        },
    )


def message_new(message: Message, exclude_socket: str | None) -> Event:
    """Brings a message to the conversation, except to the connection that sent it."""
    return Event(ticket_channel(message.ticket_id), "message:new", {"message": message_json(message)}, exclude_socket)


def queue_updated(ticket: Ticket) -> Event:
    """Tells all operators that a ticket was taken, closed or came back."""
    return Event(QUEUE_CHANNEL, "ticket:updated", _state(ticket))


def ticket_updated(ticket: Ticket) -> Event:
    """Tells the conversation who serves it now."""
    return Event(ticket_channel(ticket.id), "ticket:updated", _state(ticket))


def ticket_transferred(before: Ticket, after: Ticket) -> Event:
    """Tells the operator who had a ticket that it is another's, or in the queue. `before` must have an operator."""
    if before.operator_id is None:
        msg = f"ticket {before.id} had no operator"
        raise ValueError(msg)
    return Event(operator_channel(before.operator_id), "ticket:transferred", _state(after))


def ticket_closed(ticket: Ticket) -> Event:
    """Tells the conversation that it is over, and who ended it."""
    return Event(
        ticket_channel(ticket.id),
        "ticket:closed",
        {
            "ticket_id": ticket.id,
            "closed_by": None if ticket.closed_by is None else str(ticket.closed_by),
            "closed_at": optional_time_text(ticket.closed_at),
        },
    )


def desk_status(online: bool) -> Event:
    """Tells all visitors whether an operator is there."""
    return Event(STATUS_CHANNEL, "desk:status", {"online": online})


def typing(ticket_id: int, sender_type: SenderType, exclude_socket: str | None) -> Event:
    """Says that the visitor or the operator is typing."""
    return Event(ticket_channel(ticket_id), f"{sender_type}:typing", {"ticket_id": ticket_id}, exclude_socket)


def _state(ticket: Ticket) -> Json:
    return {
        "ticket_id": ticket.id,
        "status": str(ticket.status),
        "operator_id": ticket.operator_id,
        "operator_name": ticket.operator_name,
    }
