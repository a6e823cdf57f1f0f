"""The table of all addresses: method, path, handler, and whose pages may call it. No logic of any call."""

from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from msgspec import Struct

from support_api.views import chats, conversations, health, operators, pages, realtime_auth, search
from support_api.views.desk import CALLERS, Callers


class Route(Struct, frozen=True):
    """One call. `php`: it answers at the PHP-style path /NAME.php too."""

    method: str
    path: str
    handler: Handler
    callers: Callers = Callers.OWN
    php: bool = False

    @property
    def paths(self) -> list[str]:
        """All addresses of the call."""
        return [self.path, f"{self.path}.php"] if self.php else [self.path]


ROUTES: Final = (
    Route("POST", "/create_ticket", conversations.create_ticket, Callers.LISTED, php=True),
    Route("POST", "/send_support_message", conversations.send_support_message, Callers.LISTED, php=True),
    Route("POST", "/auth", realtime_auth.auth, Callers.LISTED, php=True),
    Route("POST", "/user_auth", realtime_auth.user_auth, php=True),
    Route("POST", "/typing", conversations.typing, Callers.LISTED, php=True),
    Route("POST", "/read", conversations.read, Callers.LISTED, php=True),
    Route("GET", "/get_messages", conversations.get_messages, Callers.LISTED, php=True),
    Route("POST", "/close_ticket", conversations.close_ticket, Callers.LISTED, php=True),
    Route("POST", "/reopen_ticket", conversations.reopen_ticket, Callers.LISTED),
    Route("POST", "/transfer_ticket", operators.transfer_ticket, php=True),
    Route("POST", "/take_ticket", operators.take_ticket, php=True),
    Route("POST", "/operator/login", operators.login),
    Route("POST", "/operator/logout", operators.logout),
    Route("GET", "/operator/me", operators.me),
    Route("POST", "/operator/heartbeat", operators.heartbeat),
    Route("GET", "/operator/tickets", operators.my_tickets),
    Route("GET", "/operator/queue", operators.queue),
    Route("GET", "/operator/chats", chats.chats),
    Route("GET", "/operator/chats/{ticket_id}", chats.chat),
    Route("GET", "/operator/search", search.search),
    Route("GET", "/operator/colleagues", operators.colleagues),
    Route("GET", "/operator/groups", operators.groups),
    Route("GET", "/operator/notes", operators.notes),
    Route("POST", "/operator/snooze", operators.snooze),
    Route("POST", "/operator/notes", operators.write_note),
    Route("GET", "/config", health.browser_config, Callers.ANY),
    Route("GET", "/desk_status", health.desk_status, Callers.ANY),
    Route("GET", "/up", health.up),
    Route("GET", "/ready", health.ready),
    Route("GET", "/openapi.yaml", health.openapi, Callers.ANY),
    Route("GET", "/", pages.demo),
    Route("GET", "/operator", pages.panel),
    Route("GET", "/operator/", pages.panel),
    Route("GET", "/client_js/{path:.+}", pages.client_file, Callers.ANY),
)


def add_routes(app: web.Application) -> None:
    """Puts the table into an application. What answers GET answers HEAD too."""
    for route in ROUTES:
        for path in route.paths:
            app.router.add_route(route.method, path, route.handler)
            if route.method == hdrs.METH_GET:
                app.router.add_route(hdrs.METH_HEAD, path, route.handler)
    app[CALLERS] = {path: route.callers for route in ROUTES for path in route.paths}
