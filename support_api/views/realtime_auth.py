"""Signs what the relay wants to see signed: a subscription, for whoever may listen, and an operator's sign-in.

The rules are access's, the signatures the relay client's. What is signed for an operator names them, so that the relay can
end it when they lose the right to it.
"""

from typing import Final

from aiohttp import web

from support_api.errors import InvalidField
from support_api.models.messages import SenderType
from support_api.models.operators import Identity
from support_api.rules.access import Act, ensure_may_join
from support_api.rules.channels import Channel, TicketChannel, operator_user, parse_channel
from support_api.views.desk import DESK, Desk
from support_api.views.fields import Fields, body_fields
from support_api.views.identity import identify, logged_in
from support_api.views.responses import json_answer

# Characters of a channel's name.
CHANNEL_LENGTH: Final = 200


async def auth(request: web.Request) -> web.Response:
    """The signature that lets one connection join one channel; there is nothing to hear in a closed ticket's."""
    desk, fields = request.app[DESK], await body_fields(request)
    name, socket_id = fields.required_text("channel_name", CHANNEL_LENGTH), _socket_id(fields)
    identity, channel = await identify(request), parse_channel(name)
    operator_id = await _listens_as_operator(desk, channel, identity)
    named = (
        None if operator_id is None or not desk.settings.relay_extensions else {"user_id": operator_user(operator_id)}
    )
    return json_answer(desk.relay.authorize_channel(name, socket_id, named))


async def user_auth(request: web.Request) -> web.Response:
    """The signature by which a connection of an operator's panel signs in to the relay."""
    operator, fields = await logged_in(request), await body_fields(request)
    relay = request.app[DESK].relay
    return json_answer(relay.authenticate_user(_socket_id(fields), {"id": operator_user(operator.id)}))


async def _listens_as_operator(desk: Desk, channel: Channel, identity: Identity) -> int | None:
    """Which operator the caller would listen as, None for a visitor. Raises what keeps them out."""
    if not isinstance(channel, TicketChannel):
        return ensure_may_join(channel, identity).id
    ticket, sender = await desk.services.tickets.enter(channel.ticket_id, Act.JOIN, identity)
    return ticket.operator_id if sender.type is SenderType.OPERATOR else None


def _socket_id(fields: Fields) -> str:
    socket_id = fields.socket_id()
    if socket_id is None:
        raise InvalidField("socket_id", "two whole numbers with a dot between")
    return socket_id
