"""The calls about one conversation: open it, write, read, show that somebody types, close. Visitors and operators share
them; in which role a caller acts, access decides."""

from typing import Final

from aiohttp import web

from support_api.models.ids import MAX_ID
from support_api.models.messages import Draft, SenderType
from support_api.models.operators import Identity
from support_api.models.tickets import NewTicket, Ticket
from support_api.rules.access import Act, may
from support_api.serializers import Json, message_json, ticket_json
from support_api.views.desk import DESK
from support_api.views.fields import body_fields, query_fields
from support_api.views.identity import claim, identify, remember_visitor, visitor_of
from support_api.views.limits import ensure_not_too_often, sender_key
from support_api.views.proxies import network_of
from support_api.views.responses import json_answer
from support_api.wording import DEFAULT_VISITOR_NAME

# Characters of a visitor's name.
NAME_LENGTH: Final = 100

# Messages in one response at most.
PAGE: Final = 500


async def create_ticket(request: web.Request) -> web.Response:
    """Opens a ticket as a visitor, a new one where the caller proves to be none."""
    desk, fields = request.app[DESK], await body_fields(request)
    client_id = fields.client_id()
    visitor_id = visitor_of(request) or desk.tokens.visitor_of_create(client_id)
    new = NewTicket(
        visitor_id=visitor_id,
        name=fields.person("name", NAME_LENGTH) or DEFAULT_VISITOR_NAME,
        email=fields.email("email"),
        message=fields.content("message"),
        client_id=client_id,
        network=desk.tokens.hide_network(network_of(request)),
        group_id=fields.optional_integer("group", 1, MAX_ID),
    )
    await ensure_not_too_often(desk.limits.tickets, network_of(request), "new conversations from this address")
    opened = await desk.services.tickets.create(new, desk.limits.open_tickets)
    token = desk.tokens.sign_visitor(visitor_id)
    ticket = ticket_json(opened.ticket, with_email=False)
    known = {"ticket_id": opened.ticket.id, "visitor_id": visitor_id, "status": ticket["status"]}
    answer = json_answer(known | {"visitor_token": token, "ticket": ticket, "message": message_json(opened.message)})
    remember_visitor(request, answer, token)
    return answer


async def send_support_message(request: web.Request) -> web.Response:
    """Stores a message in the caller's conversation."""
    desk, fields, identity = request.app[DESK], await body_fields(request), claim(request)
    ticket_id = fields.ticket_id()
    draft = Draft(fields.content("content"), fields.client_id(), fields.socket_id())
    await ensure_not_too_often(desk.limits.messages, sender_key(request, identity), "messages")
    message = await desk.services.tickets.add_message(ticket_id, draft, identity)
    return json_answer({"message": message_json(message)})


async def typing(request: web.Request) -> web.Response:
    """Show the other side that the caller is typing."""
    desk, fields, identity = request.app[DESK], await body_fields(request), await identify(request)
    await desk.typing.show(fields.ticket_id(), identity, fields.socket_id())
    return json_answer({})


async def read(request: web.Request) -> web.Response:
    """Note how far the caller has read their conversation."""
    desk, fields, identity = request.app[DESK], await body_fields(request), claim(request)
    ticket_id, seq, socket_id = fields.ticket_id(), fields.integer("seq", 1, MAX_ID), fields.socket_id()
    await ensure_not_too_often(desk.limits.reads, sender_key(request, identity), "read marks")
    ticket = await desk.services.receipts.read(ticket_id, seq, identity, socket_id)
    return json_answer({"ticket": ticket_json(ticket, with_email=False)})


async def get_messages(request: web.Request) -> web.Response:
    """The caller's conversation, or what is new in it."""
    desk, fields, identity = request.app[DESK], query_fields(request), await identify(request)
    ticket_id, after = fields.ticket_id(), fields.integer("after", 0, MAX_ID, default=0)
    limit = fields.integer("limit", 1, PAGE, default=PAGE)
    before = fields.optional_integer("before", 1, MAX_ID)
    history = await desk.services.tickets.history(ticket_id, after, limit, identity, before=before)
    return json_answer(
        {
            "messages": [message_json(message) for message in history.messages],
            "ticket": _ticket_for(history.ticket, identity),
            "has_more": history.has_more,
        }
    )


async def close_ticket(request: web.Request) -> web.Response:
    """Ends the caller's conversation."""
    desk, fields, identity = request.app[DESK], await body_fields(request), await identify(request)
    ticket = await desk.services.tickets.close(fields.ticket_id(), identity)
    return json_answer({"ticket": _ticket_for(ticket, identity)})


async def reopen_ticket(request: web.Request) -> web.Response:
    """Goes on with the caller's conversation after its end; it counts as a message, since the system says so in it."""
    desk, fields, identity = request.app[DESK], await body_fields(request), claim(request)
    ticket_id = fields.ticket_id()
    await ensure_not_too_often(desk.limits.messages, sender_key(request, identity), "messages")
    ticket = await desk.services.reopening.reopen(
        ticket_id,
        identity,
        network=desk.tokens.hide_network(network_of(request)),
        limits=desk.limits.open_tickets,
    )
    return json_answer({"ticket": ticket_json(ticket, with_email=False)})


def _ticket_for(ticket: Ticket, identity: Identity) -> Json:
    return ticket_json(ticket, with_email=may(identity, Act.READ, ticket).type is SenderType.OPERATOR)
