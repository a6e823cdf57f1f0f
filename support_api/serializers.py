"""How tickets, messages and times look as JSON: one place for answers and events. Pure; knows only the models."""

from collections.abc import Sequence
from datetime import UTC, datetime

from support_api.models.groups import Staff
from support_api.models.messages import Message, Notice
from support_api.models.notes import Note
from support_api.models.operators import Operator, Presence
from support_api.models.search import Found, Hit
from support_api.models.tickets import Page, Ticket, TicketSummary
from support_api.rules.words import excerpt

Json = dict[str, object]


def time_text(moment: datetime) -> str:
    """Writes a time as RFC 3339 in UTC with milliseconds: 2026-01-02T03:04:05.678Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_time_text(moment: datetime | None) -> str | None:
    """`time_text`, or None for a moment that has not come."""
    return None if moment is None else time_text(moment)


def message_json(message: Message) -> Json:
    """The Message object of the API."""
    return {
        "id": message.id,
        "ticket_id": message.ticket_id,
        "seq": message.seq,
        "sender_type": str(message.sender_type),
        "sender_id": message.sender_id,
        "sender_name": message.sender_name,
        "content": message.content,
        "created_at": time_text(message.created_at),
        "client_id": message.client_id,
    } | _notice_json(message.notice)


def _notice_json(notice: Notice | None) -> Json:
    """What only a message of the system has, for clients that write it in their reader's language."""
    return {} if notice is None else {"code": str(notice.code), "params": dict(notice.params)}


def ticket_json(ticket: Ticket, *, with_email: bool) -> Json:
    """The Ticket object of the API. The visitor's e-mail is for the operator who serves them, so the caller must say."""
    shape: Json = {
        "ticket_id": ticket.id,
        "status": str(ticket.status),
        "visitor_id": ticket.visitor_id,
        "visitor_name": ticket.visitor_name,
        "operator_id": ticket.operator_id,
        "operator_name": ticket.operator_name,
        "created_at": time_text(ticket.created_at),
        "closed_at": optional_time_text(ticket.closed_at),
        "closed_by": None if ticket.closed_by is None else str(ticket.closed_by),
        "last_seq": ticket.last_seq,
        "visitor_read_seq": ticket.visitor_read_seq,
        "operator_read_seq": ticket.operator_read_seq,
        "last_message_at": optional_time_text(ticket.last_message_at),
        "last_sender": None if ticket.last_sender is None else str(ticket.last_sender),
        "waiting_since": optional_time_text(ticket.waiting_since),
    } | life_json(ticket)
    if with_email:
        shape["visitor_email"] = ticket.visitor_email
    return shape


def group_json(ticket: Ticket) -> Json:
    """Whose members a ticket is for."""
    return {"group_id": ticket.group_id, "group_name": ticket.group_name}


def life_json(ticket: Ticket) -> Json:
    """Whom a ticket is for, whether its visitor is here, and until when it rests."""
    return group_json(ticket) | {
        "visitor_left_at": optional_time_text(ticket.visitor_left_at),
        "snoozed_until": optional_time_text(ticket.snoozed_until),
    }


def note_json(note: Note) -> Json:
    """The Note object of the API; never for a visitor."""
    return {
        "id": note.id,
        "ticket_id": note.ticket_id,
        "operator_id": note.operator_id,
        "operator_name": note.operator_name,
        "content": note.content,
        "after_seq": note.after_seq,
        "kind": str(note.kind),
        "created_at": time_text(note.created_at),
    }


def staff_json(staff: Staff) -> Json:
    """A group with the numbers of its members."""
    return {"group_id": staff.group.id, "name": staff.group.name, "members": list(staff.members)}


def summary_json(summary: TicketSummary, *, with_email: bool) -> Json:
    """A Ticket with `message`, the text that opened it."""
    return ticket_json(summary.ticket, with_email=with_email) | {"message": summary.first_message}


def page_json(page: Page) -> Json:
    """A part of a list, for operators."""
    return {"tickets": [summary_json(one, with_email=True) for one in page.tickets], "has_more": page.has_more}


def found_json(found: Found) -> Json:
    """What was found; texts come in parts, so that whoever shows them need not know what a word is."""
    return {
        "tickets": [summary_json(one, with_email=True) for one in found.tickets],
        "messages": [_hit_json(hit, found.words) for hit in found.hits],
        "has_more": found.has_more,
    }


def _hit_json(hit: Hit, words: Sequence[str]) -> Json:
    message = hit.message
    return {
        "id": message.id,
        "ticket_id": message.ticket_id,
        "seq": message.seq,
        "sender_type": str(message.sender_type),
        "sender_name": message.sender_name,
        "created_at": time_text(message.created_at),
        "visitor_id": hit.visitor_id,
        "visitor_name": hit.visitor_name,
        "status": str(hit.status),
        "parts": [{"text": part.text, "is_hit": part.is_hit} for part in excerpt(message.content, words)],
    }


def operator_json(operator: Operator) -> Json:
    """Who an operator is."""
    return {"operator_id": operator.id, "name": operator.name, "email": operator.email}


def colleague_json(operator: Operator, presence: Presence, *, is_online: bool) -> Json:
    """An operator as colleagues see them: no e-mail."""
    return {
        "operator_id": operator.id,
        "name": operator.name,
        "is_online": is_online,
        "active_tickets": presence.active_tickets,
        "max_tickets": presence.max_tickets,
    }


def presence_json(presence: Presence) -> Json:
    """How busy an operator is."""
    return {
        "status": str(presence.status),
        "max_tickets": presence.max_tickets,
        "active_tickets": presence.active_tickets,
    }
