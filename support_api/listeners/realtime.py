"""What browsers are told when something happens: the relay's events, one builder each with its channel, and their rows in the
outbox. Knows no SQL but that insert.

Fields may be added to a payload, none may be renamed: panels and widgets in the field read them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, assert_never

import orjson
from sqlalchemy import insert

from support_api.database.engine import Transaction
from support_api.database.tables import outbox
from support_api.models.happenings import (
    AccessEnded,
    AccessLost,
    AccountDisabled,
    Happening,
    MessagesRead,
    MessageWritten,
    NoteWritten,
    SessionEnded,
    TicketAssigned,
    TicketClosed,
    TicketHandedOver,
    TicketOpened,
    TicketRested,
    TicketReturned,
)
from support_api.models.messages import Message, SenderType
from support_api.models.notes import Note
from support_api.models.outbox import TOPIC, Event, EventKind
from support_api.models.tickets import Ticket
from support_api.rules.channels import QUEUE_CHANNEL, STATUS_CHANNEL, operator_channel, operator_user, ticket_channel
from support_api.serializers import (
    Json,
    group_json,
    life_json,
    message_json,
    note_json,
    optional_time_text,
    time_text,
)

_INSERT: Final = insert(outbox)


def listen(tx: Transaction, happened: Sequence[Happening]) -> None:
    """Store the events of what happened, in that order, in this transaction."""
    store(tx, [event for one in happened for event in events_of(one)])


def store(tx: Transaction, events: Sequence[Event]) -> None:
    """Store events for delivery, in this order, in this transaction."""
    if events:
        tx.conn.execute(_INSERT, [_row(event, tx.now) for event in events])
        tx.wake(TOPIC)


def events_of(happening: Happening) -> list[Event]:
    """Build the events of one happening, in the order in which they are delivered."""
    match happening:
        case TicketOpened(summary):
            ticket, text = summary.ticket, summary.first_message
            mine = [] if ticket.operator_id is None else [ticket_assigned(ticket, text)]
            events = [*mine, ticket_new(ticket, text)]
        case MessageWritten(message, socket_id):
            events = [message_new(message, socket_id)]
        case TicketAssigned(summary):
            ticket = summary.ticket
            told = [queue_updated(ticket), ticket_updated(ticket), ticket_operator(ticket)]
            events = [ticket_assigned(ticket, summary.first_message), *told]
        case TicketReturned(ticket):
            events = [queue_updated(ticket), ticket_updated(ticket)]
        case TicketHandedOver(before, after):
            events = [ticket_transferred(before, after)]
        case NoteWritten(note, reader):
            events = [] if reader is None else [note_new(note, reader)]
        case TicketRested(ticket):
            events = [queue_updated(ticket)]
        case TicketClosed(ticket):
            events = [ticket_closed(ticket), queue_updated(ticket)]
        case MessagesRead(ticket_id, reader, seq, socket_id):
            events = [message_read(ticket_id, reader, seq, socket_id)]
        case _:
            events = _ends_of_access(happening)
    return events


def _ends_of_access(happening: AccessLost) -> list[Event]:
    match happening:
        case AccessEnded(operator_id, ticket_id):
            return [lost_channel(operator_id, ticket_id)]
        case SessionEnded(operator_id):
            return [lost_all_channels(operator_id)]
        case AccountDisabled(operator_id):
            return [lost_all_channels(operator_id), lost_connections(operator_id)]
        case _:
            assert_never(happening)


def _row(event: Event, now: datetime) -> Mapping[str, object]:
    return {
        "channel": event.channel,
        "event": event.name,
        "payload": orjson.dumps(event.payload).decode(),
        "exclude_socket": event.exclude_socket,
        "kind": event.kind.value,
        "created_at": now,
    }


def lost_channel(operator_id: int, ticket_id: int) -> Event:
    """End the operator's subscription to a conversation that is not theirs any more."""
    return _access_ended(EventKind.UNSUBSCRIBE, ticket_channel(ticket_id), operator_id)


def lost_all_channels(operator_id: int) -> Event:
    """End all subscriptions of the operator; who still has a right to one has to have it signed anew."""
    return _access_ended(EventKind.UNSUBSCRIBE, "", operator_id)


def lost_connections(operator_id: int) -> Event:
    """Close the connections of the operator."""
    return _access_ended(EventKind.TERMINATE, "", operator_id)


def _access_ended(kind: EventKind, channel: str, operator_id: int) -> Event:
    return Event(channel, str(kind), {"user_id": operator_user(operator_id)}, kind=kind)


def ticket_assigned(ticket: Ticket, first_message: str) -> Event:
    """Tell the operator that a ticket is theirs from now on. The ticket must have an operator."""
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
        }
        | group_json(ticket),
    )


def ticket_new(ticket: Ticket, first_message: str) -> Event:
    """Tell all operators of a new ticket, also when it is somebody's already."""
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
        }
        | group_json(ticket),
    )


def message_new(message: Message, exclude_socket: str | None) -> Event:
    """Bring a message to the conversation, except to the connection that sent it."""
    return Event(ticket_channel(message.ticket_id), "message:new", {"message": message_json(message)}, exclude_socket)


def message_read(ticket_id: int, reader: SenderType, seq: int, exclude_socket: str | None) -> Event:
    """Tell the conversation how far one side has read."""
    payload = {"ticket_id": ticket_id, "reader": str(reader), "seq": seq}
    return Event(ticket_channel(ticket_id), "message:read", payload, exclude_socket)


def queue_updated(ticket: Ticket) -> Event:
    """Tell all operators that a ticket was taken, closed or came back."""
    return Event(QUEUE_CHANNEL, "ticket:updated", _state(ticket))


def ticket_updated(ticket: Ticket) -> Event:
    """Tell the conversation who serves it now."""
    return Event(ticket_channel(ticket.id), "ticket:updated", _state(ticket))


def ticket_operator(ticket: Ticket) -> Event:
    """Tell the visitor who serves them from now on."""
    who = {"ticket_id": ticket.id, "operator_id": ticket.operator_id, "operator_name": ticket.operator_name}
    return Event(ticket_channel(ticket.id), "ticket:operator", who)


def note_new(note: Note, operator_id: int) -> Event:
    """Bring a note to the operator who serves the ticket; never to the ticket's channel, which its visitor hears."""
    return Event(operator_channel(operator_id), "note:new", {"note": note_json(note)})


def ticket_transferred(before: Ticket, after: Ticket) -> Event:
    """Tell the operator who had a ticket that it is another's, or in the queue. `before` must have an operator."""
    if before.operator_id is None:
        msg = f"ticket {before.id} had no operator"
        raise ValueError(msg)
    return Event(operator_channel(before.operator_id), "ticket:transferred", _state(after))


def ticket_closed(ticket: Ticket) -> Event:
    """Tell the conversation that it is over, and who ended it."""
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
    """Tell all visitors whether an operator is there."""
    return Event(STATUS_CHANNEL, "desk:status", {"online": online})


def typing(ticket_id: int, sender_type: SenderType, exclude_socket: str | None) -> Event:
    """Say that the visitor or the operator is typing."""
    return Event(ticket_channel(ticket_id), f"{sender_type}:typing", {"ticket_id": ticket_id}, exclude_socket)


def _state(ticket: Ticket) -> Json:
    return {
        "ticket_id": ticket.id,
        "status": str(ticket.status),
        "operator_id": ticket.operator_id,
        "operator_name": ticket.operator_name,
    } | life_json(ticket)
