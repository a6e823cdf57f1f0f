import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.transports.handshake import BadUpgrade, Upgrade, forwarded_for, parse_head, parse_upgrade

# RFC 6455 1.3.
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
HEADERS = {
    b"host": b"relay:6001",
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": KEY,
}


def upgrade(target: str = "/app/key", /, **changes: bytes | None) -> Upgrade | None:
    headers = HEADERS | {name.replace("_", "-").encode(): value for name, value in changes.items()}
    return parse_upgrade("/app/", target, {name: value for name, value in headers.items() if value is not None})


def test_forwarded_addresses_are_those_of_every_such_header_in_its_order() -> None:
    head = b"GET /x-forwarded-for:1 HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1\r\nA: b\r\nx-forwarded-for:\xe9, 2.2.2.2"
    assert forwarded_for(head) == [" 1.1.1.1", "é, 2.2.2.2"]
    assert forwarded_for(b"") == []


class TestHead:
    def test_target_and_headers_are_read(self) -> None:
        assert parse_head(b"GET /app/key?a=b HTTP/1.1\r\nHost: x:1\r\nUPGRADE:  websocket \r\nEmpty:") == (
            "/app/key?a=b",
            {b"host": b"x:1", b"upgrade": b"websocket", b"empty": b""},
        )

    def test_the_values_of_a_repeated_header_are_one_list(self) -> None:
        assert parse_head(b"GET / HTTP/1.1\r\nA: 1\r\nb: 3\r\na: 2")[1] == {b"a": b"1, 2", b"b": b"3"}

    def test_upgrade_is_ignored_in_http_1_0(self) -> None:
        assert parse_head(b"GET / HTTP/1.0\r\nUpgrade: websocket\r\nA: 1")[1] == {b"a": b"1"}

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"GET",
            b"GET /",
            b"GET / HTTP/1.1 x",
            b"GET  / HTTP/1.1",
            b"GET /\xff HTTP/1.1",
            b"GET / HTTP/1.1\r\nno colon",
            b"GET / HTTP/1.1\r\n",
            b"GET / HTTP/2.0",
            b"GET / HTTP/1.1\r\nA : b",
            b"GET / HTTP/1.1\r\n: b",
            b"GET / HTTP/1.1\r\nA: b\r\n c: d",
            b"GET / HTTP/1.1\r\nA: b\nC: d",
            b"GET / HTTP/1.1\r\nA: b\x00",
        ],
    )
    def test_what_is_no_http_is_refused(self, head: bytes) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - any of several, all of them the caller's one case
            parse_head(head)

    @given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda rest: b"GET /app/k HTTP/1.1\r\n" + rest))
    def test_whatever_bytes_come_they_are_a_head_or_refused(self, head: bytes) -> None:
        try:
            target, headers = parse_head(head)
        except ValueError:
            target, headers = "", {}
        assert target.isascii()
        assert all(name == name.lower() for name in headers)


class TestUpgrade:
    def test_the_example_of_the_rfc_is_answered_as_there(self) -> None:
        accepted = upgrade("/app/key?protocol=7&client=js")
        assert accepted is not None
        assert (accepted.app_key, accepted.protocol) == ("key", "7")
        assert accepted.answer(is_compressed=False) == (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"upgrade": b"WebSocket"},
            {"connection": b"keep-alive, Upgrade"},
            {"connection": b"UPGRADE"},
            {"connection": b",upgrade\t"},
            {"upgrade": b"h2c, WebSocket"},
        ],
    )
    def test_the_words_may_be_written_in_other_ways(self, changes: dict[str, bytes]) -> None:
        assert upgrade(**changes) is not None

    @pytest.mark.parametrize(
        "changes",
        [
            {"upgrade": None},
            {"upgrade": b"h2c"},
            {"upgrade": b"websocket2"},
            {"connection": None},
            {"connection": b"keep-alive"},
            {"connection": b"upgrade-insecure, no upgrade"},
        ],
    )
    def test_a_request_that_asks_for_no_websocket_is_none(self, changes: dict[str, bytes | None]) -> None:
        assert upgrade(**changes) is None

    @pytest.mark.parametrize("host", [None, b"one, two"])
    def test_a_request_without_one_host_is_refused_with_400(self, host: bytes | None) -> None:
        with pytest.raises(BadUpgrade) as refused:
            upgrade(host=host)
        assert refused.value.answer.status == 400

    @pytest.mark.parametrize("version", [None, b"8", b"14", b"", b"13,8"])
    def test_another_version_is_refused_with_426_and_ours(self, version: bytes | None) -> None:
        with pytest.raises(BadUpgrade) as refused:
            upgrade(sec_websocket_version=version)
        head = refused.value.answer.encode("now", is_last=True).partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert head[0] == b"HTTP/1.1 426 Upgrade Required"
        assert {b"Sec-WebSocket-Version: 13", b"Connection: close"} <= set(head)

    @pytest.mark.parametrize(
        "key",
        [
            None,
            b"",
            b"x",
            b"=",
            b"!" * 24,
            base64.b64encode(b"x" * 15),
            base64.b64encode(b"x" * 17),
            KEY[:-1],
            KEY + b"\n",
            KEY + b", " + KEY,
        ],
    )
    def test_a_key_that_is_not_sixteen_bytes_is_refused_with_400(self, key: bytes | None) -> None:
        with pytest.raises(BadUpgrade) as refused:
            upgrade(sec_websocket_key=key)
        assert refused.value.answer.encode("now").startswith(b"HTTP/1.1 400 Bad Request\r\n")

    @pytest.mark.parametrize(
        ("target", "key"),
        [
            ("/app/", ""),
            ("/app/a%20b", "a b"),
            ("/app/%zz", "%zz"),
            ("/app/%ff", "\ufffd"),
            ("/app/a/b", "a/b"),
            ("/app/a?", "a"),
        ],
    )
    def test_what_follows_the_prefix_is_the_key(self, target: str, key: str) -> None:
        accepted = upgrade(target)
        assert accepted is not None
        assert accepted.app_key == key
