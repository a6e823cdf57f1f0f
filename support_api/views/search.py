"""The operators' search."""

from typing import Final

from aiohttp import web

from support_api.models.ids import MAX_ID
from support_api.models.operators import Identity
from support_api.serializers import found_json
from support_api.views.desk import DESK
from support_api.views.fields import query_fields
from support_api.views.identity import logged_in
from support_api.views.responses import json_answer

# Characters of what is looked for.
QUERY_LENGTH: Final = 200


async def search(request: web.Request) -> web.Response:
    """Messages and tickets by words, the newest first."""
    operator, fields = await logged_in(request), query_fields(request)
    text, before = fields.required_text("q", QUERY_LENGTH), fields.optional_integer("before", 1, MAX_ID)
    found = await request.app[DESK].services.search.find(text, Identity(operator=operator), before)
    return json_answer(found_json(found))
