"""Whether the process is alive, whether it can work, what browsers must know, and the description of the API."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from support_api.errors import StoreUnavailable
from support_api.services.reception import LOOKS_EVERY
from support_api.views.desk import DESK, Desk
from support_api.views.fields import MAX_CONTENT
from support_api.views.responses import json_answer

OPENAPI_FILE: Final = Path(__file__).parent.parent / "openapi.yaml"


async def up(_request: web.Request) -> web.Response:
    """The process answers."""
    return json_answer({"ok": True})


async def ready(request: web.Request) -> web.Response:
    """The database and the relay answer; else 503 and which one does not."""
    desk = request.app[DESK]
    state = {"database": await _database_state(desk), "relay": await _relay_state(desk)}
    return json_answer(state, 200 if set(state.values()) == {"ok"} else 503)


async def browser_config(request: web.Request) -> web.Response:
    """What a widget or panel needs to reach the relay."""
    settings = request.app[DESK].settings
    parts = urlsplit(settings.browser_relay_url)
    force_tls = parts.scheme == "https"
    where = {"ws_host": parts.hostname, "ws_port": parts.port or (443 if force_tls else 80), "force_tls": force_tls}
    return json_answer({"app_key": settings.relay_app_key} | where | {"max_content": MAX_CONTENT})


async def desk_status(request: web.Request) -> web.Response:
    """Whether an operator is there, for visitors."""
    answer = json_answer({"online": await request.app[DESK].reception.is_staffed()})
    answer.headers["Cache-Control"] = f"public, max-age={LOOKS_EVERY.seconds}"
    return answer


async def openapi(_request: web.Request) -> web.FileResponse:
    """The description of this API."""
    return web.FileResponse(OPENAPI_FILE, headers={"Content-Type": "application/yaml", "Cache-Control": "no-cache"})


async def _database_state(desk: Desk) -> str:
    try:
        await desk.services.database.ping()
    except StoreUnavailable:
        return "does not answer"
    return "ok"


async def _relay_state(desk: Desk) -> str:
    return "ok" if await desk.relay.is_alive() else "does not answer"
