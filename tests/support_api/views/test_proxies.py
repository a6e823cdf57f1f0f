"""Reverse proxies in front of the desk."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from support_api.config import Settings
from support_api.views.proxies import client_address
from tests.support_api.conftest import Start
from tests.support_api.helpers import PASSWORD

TRUSTED = tuple(ip_network(text) for text in ("10.0.0.0/8", "192.0.2.7", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.1", [], "203.0.113.1"),
        ("203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1 , 192.0.2.7,10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.7, 10.9.9.9"], "192.0.2.7"),
        ("10.0.0.1", ["6.6.6.6, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6, , 10.2.2.2"], "10.2.2.2"),
        ("::ffff:10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("fd00::1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("203.0.113.1", ["10.0.0.1"], "203.0.113.1"),
        ("a socket", ["198.51.100.1"], "a socket"),
        (None, ["198.51.100.1"], "unknown"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str | None, forwarded: list[str], expected: str
) -> None:
    assert client_address(peer, forwarded, TRUSTED) == expected


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    assert client_address("127.0.0.1", ["198.51.100.1"], ()) == "127.0.0.1"


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
