"""What operators look up: lists of tickets page by page, and one ticket with the visitor's others."""

from aiohttp import web

from support_api.models.ids import MAX_ID
from support_api.models.operators import Identity
from support_api.models.tickets import View, Wanted
from support_api.serializers import page_json, ticket_json
from support_api.services.chats import CHATS_AT_ONCE
from support_api.views.desk import DESK
from support_api.views.fields import Fields, query_fields
from support_api.views.identity import logged_in
from support_api.views.responses import json_answer


async def chats(request: web.Request) -> web.Response:
    """A page of a list, the newest first."""
    operator, fields = await logged_in(request), query_fields(request)
    wanted = Wanted(
        view=View(fields.choice("view", [one.value for one in View], View.ALL.value)),
        operator_id=fields.optional_integer("operator", 1, MAX_ID),
        group_id=fields.optional_integer("group", 1, MAX_ID),
        since=fields.moment("from"),
        until=fields.moment("to"),
    )
    before = fields.optional_integer("before", 1, MAX_ID)
    limit = fields.integer("limit", 1, CHATS_AT_ONCE, default=CHATS_AT_ONCE)
    page = await request.app[DESK].services.chats.page(wanted, Identity(operator=operator), before, limit)
    return json_answer(page_json(page))


async def chat(request: web.Request) -> web.Response:
    """One ticket, whatever its state, and the visitor's others."""
    operator = await logged_in(request)
    ticket_id = Fields(dict(request.match_info)).ticket_id()
    found = await request.app[DESK].services.chats.read(ticket_id, Identity(operator=operator))
    return json_answer({"ticket": ticket_json(found.ticket, with_email=True), "others": page_json(found.others)})
