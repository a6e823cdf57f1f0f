import base64

import pytest

from relay.transports.handshake import BadUpgrade, Upgrade, forwarded_for, parse_upgrade

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
        ("offered", "chosen"),
        [
            (b"pusher-channels-protocol-7", b"pusher-channels-protocol-7"),
            (b"pusher-channels-protocol-4", b"pusher-channels-protocol-4"),
            (b"chat, pusher-channels-protocol-5 ,pusher-channels-protocol-6", b"pusher-channels-protocol-5"),
            (b"\tpusher-channels-protocol-6\t", b"pusher-channels-protocol-6"),
            (b"pusher-channels-protocol-8, pusher-channels-protocol-7", b"pusher-channels-protocol-7"),
            (b"pusher-channels-protocol-3", None),
            (b"pusher-channels-protocol-77", None),
            (b"pusher-channels-protocol-", None),
            (b"Pusher-Channels-Protocol-7", None),
            (b"xpusher-channels-protocol-7", None),
            (b'"pusher-channels-protocol-7"', None),
            (b"chat", None),
            (b"", None),
            (b",", None),
            (None, None),
        ],
    )
    @pytest.mark.parametrize("is_compressed", [True, False])
    def test_the_first_subprotocol_that_is_spoken_here_is_chosen_and_no_other(
        self, offered: bytes | None, chosen: bytes | None, is_compressed: bool
    ) -> None:
        accepted = upgrade("/app/key?protocol=6", sec_websocket_protocol=offered)
        assert accepted is not None
        assert accepted.protocol == "6"  # the address decides, whatever is offered
        lines = accepted.answer(is_compressed=is_compressed).split(b"\r\n")
        chosen_lines = [line for line in lines if line.lower().startswith(b"sec-websocket-protocol")]
        assert chosen_lines == ([] if chosen is None else [b"Sec-WebSocket-Protocol: " + chosen])

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

    @pytest.mark.parametrize(
        ("prefix", "target", "hint"),
        [
            ("/app/", "//app/key?protocol=7", ": a slash too many, wsPath ends without one"),
            ("/app/", "/realtime//app/key", ": a slash too many, wsPath ends without one"),
            ("/app/", "/realtimeapp/key", ": a slash is missing, wsPath begins with one"),
            ("/app/", "/realtime/app/key", ", see wsPath"),
            ("/realtime/app/", "/app/key", ", see wsPath"),
        ],
    )
    def test_a_path_that_is_nearly_one_of_websockets_is_upgraded_and_told_why_it_is_not(
        self, prefix: str, target: str, hint: str
    ) -> None:
        accepted = parse_upgrade(prefix, target, HEADERS)
        assert accepted is not None
        assert accepted.misplaced == f"WebSockets are at {prefix}KEY, not at {target.partition('?')[0]}{hint}"

    @pytest.mark.parametrize("target", ["/other", "/apps/3/events", "/other?x=/app/key", "/x/app/", "*"])
    def test_any_other_path_is_none_of_websockets(self, target: str) -> None:
        assert upgrade(target) is None

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
