"""Where a client is."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushdesk.addresses import AddressCounts, client_address, hostname_of, is_loopback, parse_networks, site_of

TRUSTED = parse_networks(["10.0.0.0/8", "192.0.2.7", "fd00::/8"])


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
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1:4711, 10.2.2.2:80"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, [2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["6.6.6.6, [2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1:x"], "10.0.0.1"),
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


@given(st.lists(st.text()))
def test_whatever_a_header_says_the_result_is_an_address(forwarded: list[str]) -> None:
    found = client_address("10.0.0.1", forwarded, TRUSTED)
    assert ip_network(found).num_addresses == 1


def test_a_network_with_bits_of_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        parse_networks(["10.0.0.1/8"])


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_of_ipv6_is_one_of_many_that_its_client_has(address: str, site: str) -> None:
    assert site_of(address) == site


def test_connections_are_counted_while_they_are_open() -> None:
    counts = AddressCounts()
    counts.enter("1.1", "2001:db8::1")
    counts.enter("1.2", "2001:db8::2")
    assert (counts.count("2001:db8::3"), counts.count("198.51.100.1")) == (2, 0)
    for _ in range(2):
        counts.leave("1.1")
    counts.leave("nobody")
    assert counts.count("2001:db8::1") == 1
    counts.leave("1.2")
    assert counts._counts == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LocalHost"])
def test_what_this_machine_calls_itself_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "support.example", "localhost.example", ""])  # noqa: S104
def test_what_others_reach_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("127.0.0.1:9000", "127.0.0.1"),
        ("[::1]:9000", "::1"),
        ("localhost", "localhost"),
        ("", ""),
        ("[", ""),
        ("evil.example/@localhost", ""),
        ("user@localhost", ""),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert hostname_of(header) == name
