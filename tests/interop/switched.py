"""A relay whose app has switches on, by a TOML file as its operators write it; and what receives its webhooks."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.helpers.processes import HOST, Process, RelayProcess, environment, free_port
from tests.interop.agents import Reports


class SwitchedRelay(RelayProcess):
    """A relay with the app of RelayProcess; `switches` is the TOML that follows the app's credentials, `settings` are of
    the whole relay."""

    def __init__(self, folder: Path, switches: str, **settings: object) -> None:
        port = free_port()
        file = folder / "relay.toml"
        credentials = {"id": self.app_id, "key": self.key, "secret": self.secret}
        lines = ["[[apps]]", *(f'{name} = "{value}"' for name, value in credentials.items()), switches]
        file.write_text("\n".join(lines))
        places = {"config": file, "host": HOST, "port": port}
        Process.__init__(self, ["relay", "serve"], port, environment("RELAY_", places | settings), path="/ready")


@contextmanager
def switched_relay(folder: Path, switches: str, **settings: object) -> Iterator[SwitchedRelay]:
    """A SwitchedRelay that answers, stopped at the end."""
    relay = SwitchedRelay(folder, switches, **settings)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


@dataclass(frozen=True)
class Delivery:
    """One request of a webhook: its headers by their names in lower case, and its body as it came."""

    headers: dict[str, str]
    body: str


class Receiver(Reports):
    """Receives webhooks: each event is a report, `deliveries` are the requests that brought them."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}/webhooks"
        self.deliveries: list[Delivery] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Receiver"]:
        """Receive from now on."""
        app = web.Application()
        app.router.add_post("/webhooks", self._receive)
        async with TestServer(app, host=HOST, port=self.port):
            yield self

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.deliveries.append(Delivery({name.lower(): value for name, value in request.headers.items()}, body))
        for event in json.loads(body)["events"]:
            self._add(event)
        return web.Response()
