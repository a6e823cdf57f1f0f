"""Reverse proxies in front of the desk."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from support_api.config import Settings
from support_api.views.desk import LOGIN_FAILURES
from tests.support_api.conftest import Start
from tests.support_api.helpers import PASSWORD


async def test_callers_behind_a_trusted_proxy_have_limits_of_their_own(start: Start, settings: Settings) -> None:
    behind = replace(settings, trusted_proxies=(ip_network("127.0.0.1"),), tickets_per_minute=1)
    nobody = (await start(behind)).nobody
    for address, expected in [("1.1.1.1", 200), ("1.1.1.1", 429), ("2.2.2.2", 200)]:
        page = nobody.with_headers({"X-Forwarded-For": f"6.6.6.6, {address}"})
        assert (await page.post("/create_ticket", message="x")).status == expected


async def test_callers_who_only_say_that_they_come_through_a_proxy_share_one_limit(
    start: Start, settings: Settings
) -> None:
    nobody = (await start(replace(settings, tickets_per_minute=1))).nobody
    for address, expected in [("1.1.1.1", 200), ("2.2.2.2", 429)]:
        page = nobody.with_headers({"X-Forwarded-For": address})
        assert (await page.post("/create_ticket", message="x")).status == expected


# The first three are in one network, which its owner fills with addresses as they like.
NETWORKS = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:DB8:1:2:0:0:0:7", "2001:db8:1:3::1"]


@pytest.mark.parametrize(
    ("path", "fields", "statuses"),
    [
        ("/create_ticket", {"message": "x"}, [200, 200, 429, 200]),
        ("/send_support_message", {"ticket_id": 1, "content": "x"}, [404, 404, 429, 404]),
    ],
)
async def test_an_ipv6_network_counts_as_one_caller(
    start: Start, settings: Settings, path: str, fields: dict[str, object], statuses: list[int]
) -> None:
    limited = {"tickets_per_minute": 2, "messages_per_minute": 2}
    behind = replace(settings, trusted_proxies=(ip_network("127.0.0.1"),), **limited)  # type: ignore[arg-type]  # ints
    nobody = (await start(behind)).nobody
    pages = [nobody.with_headers({"X-Forwarded-For": address}) for address in NETWORKS]
    assert [(await page.post(path, **fields)).status for page in pages] == statuses


async def test_an_ipv6_network_guesses_passwords_as_one_caller(start: Start, settings: Settings) -> None:
    running = await start(replace(settings, trusted_proxies=(ip_network("127.0.0.1"),)))
    operator = await running.add_operator("Olga")
    guess = {"email": operator.email, "password": "wrong"}
    for number in range(LOGIN_FAILURES):
        page = running.nobody.with_headers({"X-Forwarded-For": f"2001:db8:1:2::{number:x}"})
        assert (await page.post("/operator/login", **guess)).status == 401
    for address, expected in [("2001:db8:1:2:f::", 429), ("2001:db8:1:3::1", 200)]:
        page = running.nobody.with_headers({"X-Forwarded-For": address})
        right = await page.post("/operator/login", email=operator.email, password=PASSWORD)
        assert right.status == expected


@pytest.mark.parametrize(
    ("trusted", "proto", "is_secure"),
    [("127.0.0.1", "https", True), ("127.0.0.1", "http", False), ("10.0.0.1", "https", False)],
)
async def test_cookies_are_secure_where_a_trusted_proxy_was_called_by_https(
    start: Start, settings: Settings, trusted: str, proto: str, is_secure: bool
) -> None:
    running = await start(replace(settings, trusted_proxies=(ip_network(trusted),)))
    operator = await running.add_operator("Olga")
    page = running.nobody.with_headers({"X-Forwarded-Proto": proto})
    log_in = await page.post("/operator/login", email=operator.email, password=PASSWORD)
    made = await page.post("/create_ticket", message="x")
    assert bool(log_in.cookies["operator_session"]["secure"]) is is_secure
    assert bool(made.cookies["visitor_id"]["secure"]) is is_secure
