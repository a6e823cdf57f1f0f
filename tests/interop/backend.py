"""The back end of an imagined application: an authorisation endpoint, and a page with the client libraries.

Serves what the official packages ship, unchanged.
"""

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Literal

import pusher  # type: ignore[import-untyped]  # the official SDK has no annotations
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.client import PushlerClient
from tests.helpers.parts import NODE_PACKAGES_FOLDER
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import SCRIPTS

# What the endpoint is asked to sign is signed by one of these; both must be taken by the relay.
Signer = Literal["official-sdk", "relay-client"]
SIGNERS: Final[tuple[Signer, ...]] = ("official-sdk", "relay-client")

# Channels that the endpoint treats in a special way, by how their names begin.
REFUSED: Final = "private-refused"
FORGED: Final = "private-forged"
NAMELESS: Final = "presence-signed-in"  # no channel_data: the member is whom the connection is signed in as
# Also of private channels: the endpoint signs channel_data, which then goes along with the subscription.
WITH_DATA: Final = "with-data"

# Encrypts between the back end and its clients; the relay never has it.
ENCRYPTION_KEY: Final = base64.b64encode(bytes(range(32))).decode()

# The page whose pusher-js is the build that can decrypt; the usual build for pages cannot.
WITH_ENCRYPTION: Final = "/with-encryption"

Member = dict[str, object]


def member(user: str) -> Member:
    """The member that the endpoint makes of a user."""
    return {"user_id": user, "user_info": {"name": user.title()}}


class Backend:
    """A running back end; `url` is its address, `asked` the channels that it was asked to authorise."""

    def __init__(self, relay: RelayProcess) -> None:
        self.url = ""
        self.asked: list[str] = []
        official = official_sdk(
            relay.port, relay.app_id, relay.key, relay.secret, encryption_master_key_base64=ENCRYPTION_KEY
        )
        ours = PushlerClient(relay.key, relay.secret)
        self._sign: Mapping[str, Callable[[str, str, Member | None], dict[str, str]]] = {
            "official-sdk": official.authenticate,
            "relay-client": ours.authorize_channel,
        }
        self._sign_in: Mapping[str, Callable[[str, dict[str, object]], dict[str, str]]] = {
            "official-sdk": official.authenticate_user,
            "relay-client": ours.authenticate_user,
        }
        self._forge = PushlerClient(relay.key, "another secret").authorize_channel

    def endpoint(self, signer: Signer) -> str:
        """The address of the authorisation endpoint that signs with `signer`."""
        return f"{self.url}/auth/{signer}"

    def user_endpoint(self, signer: Signer) -> str:
        """The address of the endpoint that signs users in, by `signer`."""
        return f"{self.url}/user-auth/{signer}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Backend"]:
        """Serve on a free port."""
        app = web.Application()
        app.router.add_post("/auth/{signer}", self._authorize)
        app.router.add_post("/user-auth/{signer}", self._authenticate)
        app.router.add_get("/", self._show_page)
        app.router.add_get(WITH_ENCRYPTION, self._show_page_with_encryption)
        app.router.add_static("/js", SCRIPTS)
        app.router.add_static("/packages", NODE_PACKAGES_FOLDER)
        async with TestServer(app, host=HOST) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self

    async def _authorize(self, request: web.Request) -> web.Response:
        form = await request.post()
        channel, socket_id = str(form["channel_name"]), str(form["socket_id"])
        user = str(form.get("user", "ann"))  # Pysher sends nothing of its users' own
        self.asked.append(channel)
        if channel.startswith(REFUSED):
            return web.json_response({"error": "not you"}, status=403)
        sign = self._forge if channel.startswith(FORGED) else self._sign[request.match_info["signer"]]
        has_member = WITH_DATA in channel or (channel.startswith("presence-") and not channel.startswith(NAMELESS))
        answer = sign(channel, socket_id, member(user) if has_member else None)
        return web.json_response(answer, dumps=partial(json.dumps, default=_as_text))

    async def _authenticate(self, request: web.Request) -> web.Response:
        form = await request.post()
        user, watched = str(form["user"]), str(form.get("watchlist", ""))
        data: dict[str, object] = {
            "id": user,
            "user_info": {"name": user.title()},
            "watchlist": watched.split(",") if watched else [],
        }
        return web.json_response(self._sign_in[request.match_info["signer"]](str(form["socket_id"]), data))

    @staticmethod
    async def _show_page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(SCRIPTS / "page.html")

    @staticmethod
    async def _show_page_with_encryption(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(SCRIPTS / "page_with_encryption.html")


def official_sdk(port: int, app_id: str, key: str, secret: str, **options: object) -> pusher.Pusher:
    """The official Python SDK, pointed at a relay as its users do it."""
    return pusher.Pusher(app_id=app_id, key=key, secret=secret, ssl=False, host=HOST, port=port, **options)


def close_sdk(sdk: pusher.Pusher) -> None:
    """Close the connections that the SDK keeps, which it has no call for."""
    for client in (sdk._pusher_client, sdk._authentication_client):
        client.http.session.close()


def _as_text(value: object) -> str:
    """The official SDK hands out the secret of an encrypted channel as bytes of base64."""
    assert isinstance(value, bytes)
    return value.decode()


def decoded(body: str) -> object:
    """The JSON in an answer's body."""
    return json.loads(body)
