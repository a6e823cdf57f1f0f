"""The doctor against real relays, and against servers that are none."""

import re
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from relay.apps import App
from relay.cluster.redis.checks import Inspection
from relay.doctor import FEW_FILES, Finding, _look_at, check_files, check_workers, examine, examine_redis
from tests.helpers.clients import APP, app_with
from tests.helpers.redis import RedisServer
from tests.helpers.relay import RunningRelay, running_relay

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def findings(url: str, app: App = APP, origin: str | None = None) -> list[Finding]:
    return [finding async for finding in examine(url, app, origin)]


def faults(found: list[Finding]) -> list[str]:
    """What is wrong, each with an advice."""
    wrong = [finding for finding in found if not finding.is_well]
    assert all(finding.advice for finding in wrong)
    return [finding.seen for finding in wrong]


@pytest.fixture
async def proxy() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """Starts a server that answers everything by one handler; gives its address."""
    servers = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        server = TestServer(app)
        servers.append(server)
        await server.start_server()
        return str(server.make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


async def test_a_relay_that_is_well_has_no_fault(relay: RunningRelay) -> None:
    found = await findings(relay.url)
    assert faults(found) == []
    assert "a client can connect" in [finding.seen for finding in found]
    assert "a back end's signed request is taken" in [finding.seen for finding in found]


async def test_an_address_where_nothing_answers_is_the_last_thing_looked_at(unused_tcp_port: int) -> None:
    found = await findings(f"http://127.0.0.1:{unused_tcp_port}")
    assert len(faults(found)) == 1
    assert found[-1].seen.startswith("nothing answers at")


async def test_a_wrong_key_is_told_from_both_sides(relay: RunningRelay) -> None:
    wrong = faults(await findings(relay.url, replace(APP, key="other-key")))
    assert [text for text in wrong if "4001" in text]
    assert [text for text in wrong if "auth_key is not a key of this app" in text]


async def test_a_wrong_secret_never_shows(relay: RunningRelay) -> None:
    wrong = faults(await findings(relay.url, replace(APP, secret="not-the-secret")))
    assert len(wrong) == 1
    assert "Invalid signature" in wrong[0]
    assert "not-the-secret" not in wrong[0]


async def test_an_origin_that_may_not_connect_is_told() -> None:
    async with running_relay(replace(APP, allowed_origins=("https://shop.example",))) as relay:
        assert faults(await findings(relay.url, relay.app, "https://shop.example")) == []
        assert "4009" in faults(await findings(relay.url, relay.app, "https://other.example"))[0]


async def test_an_app_that_takes_no_clients_is_told() -> None:
    async with running_relay(replace(APP, enabled=False)) as relay:
        assert "4003" in faults(await findings(relay.url, relay.app))[0]


async def test_a_proxy_that_passes_no_upgrade_is_told(proxy: Callable[[Handler], Awaitable[str]]) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"channels": {}} if request.path.startswith("/apps/") else {"ok": True})

    wrong = faults(await findings(await proxy(answer)))
    assert wrong == ["the WebSocket upgrade is answered 200"]


async def test_a_server_that_is_no_relay_is_told(proxy: Callable[[Handler], Awaitable[str]]) -> None:
    async def answer(_request: web.Request) -> web.Response:
        raise web.HTTPNotFound

    assert "/up answers 404" in faults(await findings(await proxy(answer)))[0]


async def test_an_app_that_has_all_its_connections_is_told() -> None:
    app = app_with(connections=1)
    async with running_relay(app) as relay:
        await relay.connect()
        (fault,) = faults(await findings(relay.url, app))
    assert "has its 1 connections (4004)" in fault


async def test_a_clock_that_is_off_is_told(proxy: Callable[[Handler], Awaitable[str]]) -> None:
    async def answer(_request: web.Request) -> web.Response:
        date = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
        return web.Response(headers={"Date": date}, text="{}")

    # HTTP writes whole seconds.
    assert [text for text in faults(await findings(await proxy(answer))) if re.search("360[01] s apart", text)]


async def test_a_websocket_that_says_nothing_sensible_is_told(proxy: Callable[[Handler], Awaitable[str]]) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.startswith("/app/"):
            return web.json_response({})
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("no JSON")
        return socket

    assert [text for text in faults(await findings(await proxy(answer))) if "the WebSocket breaks off" in text]


def test_few_open_files_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1_024, FEW_FILES - 1))
    assert not check_files().is_well
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1_024, resource.RLIM_INFINITY))
    assert check_files().is_well


async def test_what_several_workers_need_is_looked_at(relay: RunningRelay) -> None:
    found = [finding.seen async for finding in examine(relay.url, APP, None, 2, "redis://127.0.0.1")]
    assert "the workers have the Redis of RELAY_REDIS_URL between them" in found


def test_a_missing_redis_server_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _program: None)
    assert faults([check_workers("")]) == ["several workers need a redis-server between them, and there is none here"]
    monkeypatch.setattr("shutil.which", lambda program: program if program == "valkey-server" else None)
    assert check_workers("") == Finding(True, "the workers have a valkey-server of their own")


class TestRedis:
    """The Redis of several nodes."""

    @staticmethod
    async def findings(url: str, prefix: str = "pd", partitions: int = 0) -> list[Finding]:
        return [finding async for finding in examine_redis(url, prefix, partitions)]

    async def test_one_that_is_well_is_named_with_its_distance(self, redis: RedisServer) -> None:
        (found,) = await self.findings(redis.url)
        assert found.is_well
        assert re.fullmatch(rf"Redis at 127\.0\.0\.1:{redis.port} is redis 7\.[0-9.]+, [0-9.]+ ms away", found.seen)
        assert 0 < redis.client.pttl("pd:{0}:doctor") <= 1_000

    async def test_one_that_is_not_there_is_a_fault(self) -> None:
        (fault,) = faults(await self.findings("redis://127.0.0.1:1"))
        assert fault.startswith("the Redis of RELAY_REDIS_URL cannot be reached: Redis at 127.0.0.1:1: ")

    async def test_one_that_forgets_members_when_it_is_full_is_a_fault(self, redis: RedisServer) -> None:
        redis.client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            (fault,) = faults(await self.findings(redis.url))
        finally:
            redis.client.config_set("maxmemory-policy", "noeviction")
        assert "maxmemory-policy allkeys-lru" in fault

    async def test_a_user_who_may_not_do_what_the_relay_does_is_a_fault(self, redis: RedisServer) -> None:
        redis.ask("ACL", "SETUSER", "narrow", "on", ">word", "~pd:*", "+@all", "resetchannels", "&other:*")
        try:
            (fault,) = faults(await self.findings(redis.url.replace("://", "://narrow:word@")))
        finally:
            redis.ask("ACL", "DELUSER", "narrow")
        assert "refuses what the relay does: " in fault
        assert "word" not in fault

    async def test_another_number_of_partitions_is_a_fault(self, redis: RedisServer) -> None:
        redis.client.set("pd:{0}:shape", "1:64")
        (fault,) = faults(await self.findings(redis.url))
        assert "holds a relay of 1:64 (format:partitions), here it is 1:1" in fault
        assert faults(await self.findings(redis.url, partitions=64)) == []
        assert faults(await self.findings(redis.url, prefix="other")) == []

    def test_distance_and_clock_have_bounds(self) -> None:
        inspection = Inspection("here", "redis 7.0", "", 0.02, -40.0, "", "")
        far, clock = faults(list(_look_at(inspection, "1:1")))
        assert far == "Redis at here is 20.0 ms away: each publish and each join waits for it"
        assert clock == "the clock of Redis at here is -40 s off this one"
