"""The ports of a relay beside the one for everybody, and what to say of one that cannot be listened on.

Must not know what is behind the metrics.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from pushdesk.addresses import hostname_of, is_loopback
from pushdesk.http_server import HttpServer, Patience
from relay.watch.prometheus import CONTENT_TYPE

# Connections that the kernel accepts while the loop is busy.
BACKLOG: Final = 4_096

# Connections to the metrics at once, and how long their requests may take to end at a stop, in seconds.
METRICS_CONNECTIONS: Final = 20
METRICS_GOODBYE: Final = 1.0


class CannotListen(OSError):
    """An address cannot be listened on; `part` begins the names of its settings: "", "metrics_" or "console_"."""

    def __init__(self, cause: OSError, part: str, host: str, port: int) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause))
        self.part = part
        self.host = host
        self.port = port


@contextmanager
def naming(part: str, host: str, port: int) -> Iterator[None]:
    """Say of an OSError which settings it is about."""
    try:
        yield
    except OSError as error:
        raise CannotListen(error, part, host, port) from error


async def expose(render: Callable[[], Awaitable[bytes]], host: str, port: int) -> HttpServer | None:
    """Serve the metrics on their own port, if they have one. Raises CannotListen."""
    if not port:
        return None

    async def answer(request: web.BaseRequest) -> web.Response:
        return await _metrics_answer(render, request, is_local=is_loopback(host))

    server = HttpServer(answer, Patience(METRICS_CONNECTIONS), goodbye=METRICS_GOODBYE)
    with naming("metrics_", host, port):
        await server.start(host, port)
    return server


async def _metrics_answer(
    render: Callable[[], Awaitable[bytes]], request: web.BaseRequest, *, is_local: bool
) -> web.Response:
    """The metrics; where they are for this machine alone, not to a page whose site's name was pointed here."""
    host = request.headers.get("Host", "")
    if is_local and not is_loopback(hostname_of(host)):
        text = f"This request is for {host[:100]!r}; the metrics of this port are for localhost or 127.0.0.1"
        return web.Response(status=403, text=text)
    if request.raw_path != "/metrics":
        return web.Response(status=404, text="The metrics are at /metrics")
    return web.Response(body=await render(), headers={"Content-Type": CONTENT_TYPE})
