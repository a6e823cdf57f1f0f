import pytest

from relay.transports.handshake import Upgrade, parse_upgrade
from tests.helpers.handshake import HEADERS, headers_with


def upgrade(target: str = "/app/key", /, **changes: bytes | None) -> Upgrade | None:
    return parse_upgrade("/app/", target, headers_with(changes))


class TestUpgrade:
    def test_the_address_says_which_app_and_which_version_of_the_protocol(self) -> None:
        accepted = upgrade("/app/key?protocol=7&client=js")
        assert accepted is not None
        assert (accepted.app_key, accepted.protocol) == ("key", "7")

    @pytest.mark.parametrize(
        ("offered", "chosen"),
        [
            (b"pusher-channels-protocol-7", b"pusher-channels-protocol-7"),
            (b"pusher-channels-protocol-4", b"pusher-channels-protocol-4"),
            (b"chat, pusher-channels-protocol-5 ,pusher-channels-protocol-6", b"pusher-channels-protocol-5"),
            (b"pusher-channels-protocol-8, pusher-channels-protocol-7", b"pusher-channels-protocol-7"),
            (b"pusher-channels-protocol-3", None),
            (b"pusher-channels-protocol-77", None),
            (b"pusher-channels-protocol-", None),
            (b"Pusher-Channels-Protocol-7", None),
            (b"xpusher-channels-protocol-7", None),
            (b"chat", None),
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
        lines = accepted.opening.answer(is_compressed=is_compressed).split(b"\r\n")
        chosen_lines = [line for line in lines if line.lower().startswith(b"sec-websocket-protocol")]
        assert chosen_lines == ([] if chosen is None else [b"Sec-WebSocket-Protocol: " + chosen])

    def test_a_request_that_asks_for_no_websocket_is_none(self) -> None:
        assert upgrade(upgrade=None) is None

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
