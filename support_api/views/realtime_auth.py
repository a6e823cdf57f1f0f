"""Signs a subscription for whoever may listen. The rules are access's, the signature is the relay client's."""

from __future__ import annotations

from aiohttp import web

from support_api.access import TicketChannel, ensure_may_join, parse_channel, role_in
from support_api.errors import InvalidField
from support_api.store import ensure_open
from support_api.views.desk import DESK
from support_api.views.fields import body_fields
from support_api.views.identity import identify
from support_api.views.responses import json_answer

CHANNEL_LENGTH = 200
"""Characters of a channel's name."""


async def auth(request: web.Request) -> web.Response:
    """The signature that lets one connection join one channel; there is nothing to hear in a closed ticket's."""
    desk, fields = request.app[DESK], await body_fields(request)
    name, socket_id = fields.required_text("channel_name", CHANNEL_LENGTH), fields.socket_id()
    if socket_id is None:
        raise InvalidField("socket_id", "two whole numbers with a dot between")
    identity, channel = await identify(request), parse_channel(name)
    if isinstance(channel, TicketChannel):
        ticket = await desk.store.tickets.read(channel.ticket_id)
        role_in(ticket, identity)
        ensure_open(ticket)
    else:
        ensure_may_join(channel, identity)
    return json_answer(desk.relay.authorize_channel(name, socket_id))
