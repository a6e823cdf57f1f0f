"""Attempts to get past the one place that lets people into the console, on every path and with every method."""

import base64
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from multidict import CIMultiDict

from pushdesk.settings import Secret
from relay.console import access
from relay.console.access import Access, Denied
from tests.helpers.clients import APP
from tests.helpers.console import RunningConsole, running_console

PASSWORD = "correct horse: Пароль"
PATHS = (
    "/",
    "//",
    "/static/main.js",
    "/static/none.js",
    "/apps",
    "/feed?app=3",
    "/feed?app=none",
    "/events?app=3",
    "/nothing",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture
async def locked() -> AsyncIterator[RunningConsole]:
    async with running_console(APP, console_password=Secret(PASSWORD)) as running:
        yield running


def basic(password: str, user: str = "") -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def denied(
    guard: Access,
    method: str = "GET",
    path: str = "/",
    address: str = "127.0.0.1",
    now: float = 0.0,
    *,
    is_old: bool = False,
    **headers: str,
) -> HTTPStatus | None:
    """The status that a request is denied with, None when it is let in. Underscores stand for dashes."""
    own = {"Host": "127.0.0.1:6002"} | {name.replace("_", "-"): text for name, text in headers.items()}
    try:
        guard.check(method, path, address, CIMultiDict(own), now, is_old=is_old)
    except Denied as refused:
        return refused.status
    return None


class TestWithAPassword:
    @pytest.mark.parametrize("method", METHODS)
    async def test_nothing_is_served_without_it(self, locked: RunningConsole, method: str) -> None:
        for path in PATHS:
            answer = await locked.request(method, path)
            assert (path, answer.status) == (path, 401)
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="Relay console", charset="UTF-8"'
            assert APP.key not in answer.text

    @pytest.mark.parametrize(
        "authorization",
        [
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic Og==",
            basic(""),
            basic(PASSWORD[:-1]),
            basic(PASSWORD + " "),
            basic(PASSWORD.lower().upper()),
            "Basic " + base64.b64encode(PASSWORD.encode()).decode(),  # no colon: a user name without a password
            basic("", user=PASSWORD),
            basic(PASSWORD).replace("Basic", "Bearer"),
            basic(PASSWORD).replace("Basic ", "Basic"),
            basic(PASSWORD)[:-1] + "%",
            "Basic \u00ff\u00ff",
        ],
    )
    def test_no_other_password_will_do(self, authorization: str) -> None:
        assert denied(Access(PASSWORD), Authorization=authorization) == 401

    async def test_with_it_everything_is_served_to_any_user_name(self, locked: RunningConsole) -> None:
        for user in ("", "admin", "Ольга"):
            page = await locked.get("/", Authorization=basic(PASSWORD, user))
            assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert (await locked.get("/apps", Authorization=basic(PASSWORD))).status == 200
        assert (
            await locked.send({"name": "x", "data": "", "channel": "a"}, Authorization=basic(PASSWORD))
        ).status == 200

    async def test_forwarded_requests_and_other_names_are_served_with_it(self, locked: RunningConsole) -> None:
        headers = {"Host": "console.example", "X_Forwarded_For": "8.8.8.8", "Authorization": basic(PASSWORD)}
        assert (await locked.get("/", **headers)).status == 200

    def test_ten_wrong_passwords_stop_an_address_for_a_minute_whatever_it_knows(self) -> None:
        guard = Access(PASSWORD)
        for attempt in range(access.FAILURES):
            assert denied(guard, now=attempt, Authorization=basic(f"guess {attempt}")) == 401
        for now in (10.0, 59.9):
            assert denied(guard, now=now, Authorization=basic("guess")) == 429
            assert denied(guard, now=now, Authorization=basic(PASSWORD)) == 429
            assert denied(guard, now=now) == 401  # without a password there is nothing to look at
            assert denied(guard, address="10.0.0.2", now=now, Authorization=basic(PASSWORD)) is None
        assert denied(guard, now=60.0, Authorization=basic(PASSWORD)) is None

    def test_who_may_try_again_is_told_when(self) -> None:
        guard = Access(PASSWORD)
        for _ in range(access.FAILURES):
            assert denied(guard, now=100.0, Authorization=basic("x")) == 401
        with pytest.raises(Denied) as refused:
            guard.check("GET", "/", "127.0.0.1", CIMultiDict(Authorization=basic("x")), 118.0)
        assert refused.value.headers == {"Retry-After": "42"}

    def test_the_right_password_between_wrong_ones_gives_no_further_attempts(self) -> None:
        guard = Access(PASSWORD)
        for attempt in range(access.FAILURES):
            assert denied(guard, now=attempt, Authorization=basic("x")) == 401
            if attempt < access.FAILURES - 1:
                assert denied(guard, now=attempt, Authorization=basic(PASSWORD)) is None
        assert denied(guard, now=11.0, Authorization=basic("x")) == 429

    def test_addresses_of_one_ipv6_network_count_as_one(self) -> None:
        guard = Access(PASSWORD)
        for attempt in range(access.FAILURES):
            assert denied(guard, address=f"2001:db8:1:2::{attempt + 1:x}", Authorization=basic("x")) == 401
        assert denied(guard, address="2001:db8:1:2:ffff::1", Authorization=basic("x")) == 429
        assert denied(guard, address="2001:db8:1:3::1", Authorization=basic("x")) == 401
        assert denied(guard, address="fe80::1%eth0", Authorization=basic("x")) == 401

    def test_the_memory_of_failures_is_bounded_and_keeps_the_latest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(access, "ADDRESSES", 3)
        monkeypatch.setattr(access, "FAILURES", 1)
        guard = Access(PASSWORD)
        for last in range(5):
            assert denied(guard, address=f"10.0.0.{last}", Authorization=basic("x")) == 401
        assert len(guard._failures) == 3
        assert denied(guard, address="10.0.0.4", Authorization=basic("x")) == 429
        assert denied(guard, address="10.0.0.0", Authorization=basic("x")) == 401

    async def test_the_limit_holds_over_http(self, locked: RunningConsole) -> None:
        statuses = [(await locked.get("/apps", Authorization=basic("x"))).status for _ in range(access.FAILURES + 1)]
        assert statuses == [401] * access.FAILURES + [429]


class TestWithoutAPassword:
    @pytest.mark.parametrize(
        "headers",
        [
            {"X_Forwarded_For": "8.8.8.8"},
            {"X_Forwarded_For": "127.0.0.1"},
            {"X_Forwarded_Host": "localhost"},
            {"X_Real_IP": "127.0.0.1"},
            {"Forwarded": "for=127.0.0.1"},
            {"Via": "1.1 proxy"},
            {"X_FORWARDED_PROTO": "https"},
            {"X_Forwarded_Something": "new"},
            {"CF_Connecting_IP": "8.8.8.8"},
            {"True_Client_IP": "8.8.8.8"},
            {"X_Client_IP": "8.8.8.8"},
            {"Fly_Client_IP": "8.8.8.8"},
            {"X_Envoy_External_Address": "8.8.8.8"},
            {"X_Original_URI": "/"},
            {"via": ""},
            {"Host": "evil.example"},
            {"Host": "evil.example:6002"},
            {"Host": "127.0.0.1.evil.example"},
            {"Host": "localhost.evil.example"},
            {"Host": "evil.example#127.0.0.1"},
            {"Host": "localhost@evil.example"},
            {"Host": "evil.example/localhost"},
            {"Host": "0.0.0.0:6002"},
            {"Host": "[::]"},
            {"Host": "[::1"},
            {"Host": "10.0.0.1"},
            {"Host": "2130706433"},
        ],
        ids=str,
    )
    async def test_a_proxy_and_a_foreign_name_are_told_what_to_set(
        self, console: RunningConsole, headers: dict[str, str]
    ) -> None:
        for path in PATHS:
            answer = await console.get(path, **headers)
            assert (path, answer.status) == (path, 403)
            assert "console_password" in answer.json["error"]
            assert APP.key not in answer.text

    async def test_a_request_without_a_host_is_refused(self, console: RunningConsole) -> None:
        wire = await console.relay.wire(console.port)
        await wire.send(b"GET /apps HTTP/1.0\r\n\r\n")
        assert b" 403 " in await wire.head()

    @pytest.mark.parametrize("path", PATHS)
    async def test_what_a_proxy_sends_that_was_told_nothing_else_is_refused(
        self, console: RunningConsole, path: str
    ) -> None:
        wire = await console.relay.wire(console.port)
        # nginx, with proxy_pass alone.
        await wire.send(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{console.port}\r\nConnection: close\r\n\r\n".encode())
        assert (await wire.rest()).split()[1] == b"403"

    def test_with_a_password_it_may_come_through_one(self) -> None:
        assert denied(Access(""), is_old=True) == 403
        assert denied(Access(PASSWORD), is_old=True, X_Forwarded_For="8.8.8.8", Authorization=basic(PASSWORD)) is None

    def test_a_page_that_a_proxy_shows_under_another_name_may_send_nothing(self) -> None:
        for password, status in (("", 403), (PASSWORD, None)):
            sent = denied(
                Access(password),
                "POST",
                "/events",
                Content_Type="application/json",
                Sec_Fetch_Site="same-origin",
                Origin="https://shop.example",
                Authorization=basic(PASSWORD),
            )
            assert sent == status

    async def test_an_address_in_the_request_line_does_not_stand_for_the_host(self, console: RunningConsole) -> None:
        wire = await console.relay.wire(console.port)
        await wire.send(b"GET http://localhost/apps HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert b" 403 " in await wire.head()

    @pytest.mark.parametrize("address", ["8.8.8.8", "10.0.0.1", "::", "2001:db8::1", "::ffff:8.8.8.8", "", "unknown"])
    def test_other_machines_are_refused_whatever_they_say(self, address: str) -> None:
        assert denied(Access(""), address=address) == 403
        assert denied(Access(""), address=address, Host="localhost", Authorization=basic("")) == 403

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:6002", "127.0.0.1:1", "127.1.2.3", "[::1]:6002", "[::1]"])
    def test_this_machine_is_let_in_by_its_own_names(self, address: str, host: str) -> None:
        assert denied(Access(""), address=address, Host=host) is None

    async def test_no_password_is_asked_for_and_one_that_is_sent_does_no_harm(self, console: RunningConsole) -> None:
        assert (await console.get("/")).status == 200
        assert (await console.get("/", Authorization=basic("x"))).status == 200


class TestOtherSites:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "nonsense", ""])
    def test_another_sites_page_gets_nothing_but_a_link_to_the_page(self, path: str, site: str) -> None:
        for guard in (Access(""), Access(PASSWORD)):
            status = denied(guard, path=path, Sec_Fetch_Site=site, Authorization=basic(PASSWORD))
            assert status == (None if path == "/" else 403)

    @pytest.mark.parametrize(
        ("status", "headers"),
        [
            (415, {"Content_Type": "text/plain"}),
            (415, {"Content_Type": "application/x-www-form-urlencoded"}),
            (415, {"Content_Type": "multipart/form-data; boundary=application/json"}),
            (415, {"Content_Type": "text/plain; application/json"}),
            (415, {"Content_Type": ""}),
            (403, {"Origin": "https://evil.example"}),
            (403, {"Origin": "null"}),
            (403, {"Origin": ""}),
            (403, {"Origin": "http://127.0.0.1"}),
            (403, {"Origin": "http://127.0.0.1:1"}),
            (403, {"Origin": "http://127.0.0.1:PORT.evil.example"}),
            (403, {"Origin": "http://evil.example/127.0.0.1:PORT"}),
            (403, {"Origin": "http://evil@127.0.0.1:PORT"}),
            (403, {"Origin": "http://["}),
            (403, {"Origin": "http://[::1"}),
            (403, {"Origin": "http://127.0.0.1:99999999999999999999"}),
            (403, {"Sec_Fetch_Site": "cross-site"}),
            (403, {"Sec_Fetch_Site": "same-site"}),
            (403, {"Sec_Fetch_Site": "none", "Origin": "https://evil.example"}),
        ],
        ids=str,
    )
    async def test_a_test_event_that_another_page_could_send_is_refused(
        self, console: RunningConsole, status: int, headers: dict[str, str]
    ) -> None:
        client = await console.relay.connect()
        await client.subscribe("news")
        filled = {name: text.replace("PORT", str(console.port)) for name, text in headers.items()}
        answer = await console.send({"name": "x", "data": "", "channel": "news"}, **filled)
        assert answer.status == status
        assert await client.told() == []

    async def test_one_without_an_origin_is_refused(self, console: RunningConsole) -> None:
        answer = await console.request("POST", "/events?app=3", b"{}", Content_Type="application/json")
        assert answer.status == 403

    async def test_the_page_itself_may_send_behind_a_proxy_that_changes_the_host(self) -> None:
        async with running_console(APP, console_password=Secret(PASSWORD)) as locked:
            answer = await locked.send(
                {"name": "x", "data": "", "channel": "news"},
                Origin="https://console.example",
                Sec_Fetch_Site="same-origin",
                Content_Type="application/JSON; charset=utf-8",
                Authorization=basic(PASSWORD),
            )
            assert answer.status == 200


class TestBehindATrustedProxy:
    async def test_failures_are_counted_by_the_address_that_it_names(self) -> None:
        async with running_console(APP, console_password=Secret(PASSWORD), trusted_proxies=("127.0.0.1",)) as console:
            attacker = {"X_Forwarded_For": "192.0.2.66, 203.0.113.5"}
            for _ in range(access.FAILURES):
                assert (await console.get("/apps", Authorization=basic("x"), **attacker)).status == 401
            attacker["X_Forwarded_For"] = "192.0.2.77, 203.0.113.5"  # the first ones anybody can make up
            assert (await console.get("/apps", Authorization=basic(PASSWORD), **attacker)).status == 429
            owner = {"X_Forwarded_For": "203.0.113.9"}
            assert (await console.get("/apps", Authorization=basic(PASSWORD), **owner)).status == 200

    @pytest.mark.parametrize("claim", ["127.0.0.1", "::1", "localhost", ""])
    async def test_without_a_password_it_brings_nobody_in_whatever_it_names(self, claim: str) -> None:
        async with running_console(APP, trusted_proxies=("127.0.0.1",)) as console:
            assert (await console.get("/apps", X_Forwarded_For=claim)).status == 403
