import base64

import pytest

from relay.wire.handshake import BadUpgrade, Opening, asks_for_websocket, forwarded_for, parse_opening
from tests.helpers.handshake import ACCEPT, KEY, headers_with

# What the server speaks in these tests.
SPOKEN = frozenset({b"chat.v1", b"chat.v2"})


def opening(**changes: bytes | None) -> Opening | None:
    present = headers_with(changes)
    return parse_opening(present, SPOKEN) if asks_for_websocket(present) else None


def test_forwarded_addresses_are_those_of_every_such_header_in_its_order() -> None:
    head = b"GET /x-forwarded-for:1 HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1\r\nA: b\r\nx-forwarded-for:\xe9, 2.2.2.2"
    assert forwarded_for(head) == [" 1.1.1.1", "é, 2.2.2.2"]
    assert forwarded_for(b"") == []


class TestOpening:
    def test_the_example_of_the_rfc_is_answered_as_there(self) -> None:
        accepted = opening()
        assert accepted is not None
        assert accepted.answer(is_compressed=False) == (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
        )

    def test_who_offers_to_compress_is_answered_that_messages_may_be(self) -> None:
        offered, silent = opening(sec_websocket_extensions=b"permessage-deflate"), opening()
        assert offered is not None
        assert silent is not None
        assert (offered.offers_compression, silent.offers_compression) == (True, False)
        assert b"\r\nSec-WebSocket-Extensions: permessage-deflate" in offered.answer(is_compressed=True)

    def test_the_origin_is_told_as_text(self) -> None:
        accepted = opening(origin=b"http://\xe9")
        assert accepted is not None
        assert accepted.origin == "http://é"

    @pytest.mark.parametrize(
        ("offered", "chosen"),
        [
            (b"chat.v1", b"chat.v1"),
            (b"soap, chat.v2 ,chat.v1", b"chat.v2"),
            (b"\tchat.v2\t", b"chat.v2"),
            (b"Chat.v1", None),
            (b'"chat.v1"', None),
            (b"", None),
            (b",", None),
            (None, None),
        ],
    )
    def test_the_first_subprotocol_that_is_spoken_here_is_chosen_and_no_other(
        self, offered: bytes | None, chosen: bytes | None
    ) -> None:
        accepted = opening(sec_websocket_protocol=offered)
        assert accepted is not None
        assert accepted.subprotocol == chosen

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
        assert opening(**changes) is not None

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
        assert opening(**changes) is None

    @pytest.mark.parametrize("version", [None, b"8", b"14", b"", b"13,8"])
    def test_another_version_is_refused_with_426_and_ours(self, version: bytes | None) -> None:
        with pytest.raises(BadUpgrade) as refused:
            opening(sec_websocket_version=version)
        head = refused.value.response.encode("now", is_last=True).partition(b"\r\n\r\n")[0].split(b"\r\n")
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
            opening(sec_websocket_key=key)
        assert refused.value.response.encode("now").startswith(b"HTTP/1.1 400 Bad Request\r\n")
