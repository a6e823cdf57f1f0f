"""Section 9: the opening handshake. Section 10: what is offered in it, and agreed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.uri import parse_uri

from relay.apps import App
from relay.transports.reading import MAX_HEAD
from relay.wire.deflate import RESPONSE
from tests.relay.transports.rfc.cases import (
    COMPRESSING,
    PLAIN,
    Case,
    Relay,
    cut,
    octets,
    section,
)
from tests.relay.transports.rfc.peer import KEY, Peer, open_peer

# Of a header: its value, none where it is left out, or those of its lines.
Values = str | None | Sequence[str]


def head(
    changes: Mapping[str, Values] | None = None,
    *,
    app: App = PLAIN,
    line: str = "GET {} HTTP/1.1",
    spelt: Callable[[str], str] = str,
    padded: str = " {}",
    extra: bytes = b"",
) -> bytes:
    """The library's request to upgrade, with some headers changed, names and values written so, and raw `extra` lines."""
    request = ClientProtocol(parse_uri(f"ws://relay/app/{app.key}?protocol=7")).connect()
    headers: dict[str, Values] = dict(request.headers.raw_items()) | {"Sec-WebSocket-Key": KEY} | dict(changes or {})
    lines = [line.format(request.path)]
    for name, values in headers.items():
        several = [values] if isinstance(values, str) else values or ()
        lines += [f"{spelt(name)}:{padded.format(value)}" for value in several]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" + extra + b"\r\n"


@dataclass(frozen=True)
class Opening:
    """A request to upgrade that is answered with 101: the library must take the answer for valid, and then it works."""

    name: str
    sends: bytes | Sequence[bytes]
    app: App = PLAIN
    headers: tuple[tuple[str, str | None], ...] = ()
    """What the answer must have, or must not."""

    async def play(self, relay: Relay) -> None:
        peer = Peer(await relay.running.wire(), relay.running, self.app)
        answer = await peer.shake_hands([self.sends] if isinstance(self.sends, bytes) else self.sends)
        assert peer.is_open, peer.refusal
        for name, value in self.headers:
            assert answer.headers.get(name) == value
        await peer.join()
        await peer.wire.close()


@dataclass(frozen=True)
class Refusal:
    """A request that is answered with another status, and with a line of headers where it matters."""

    name: str
    sends: bytes
    status: int
    header: bytes = b"\r\n"

    async def play(self, relay: Relay) -> None:
        wire = await relay.running.wire()
        await wire.send(self.sends)
        answer = await wire.head()
        assert int(answer.split()[1]) == self.status
        assert self.header in answer
        await wire.close()


@dataclass(frozen=True)
class Offer:
    """What Sec-WebSocket-Extensions says, line by line, to an app that compresses, and whether compression is agreed."""

    offers: str | Sequence[str]
    is_agreed: bool
    app: App = COMPRESSING
    why: str = ""

    @property
    def name(self) -> str:
        offers = self.offers if isinstance(self.offers, str) else " | ".join(self.offers)
        return f"{offers or 'an empty header'}{self.why} -> {'agreed' if self.is_agreed else 'not agreed'}"

    async def play(self, relay: Relay) -> None:
        # The library is told of what it would have offered: it takes the answer for one to that.
        peer = Peer(await relay.running.wire(), relay.running, self.app, [ClientPerMessageDeflateFactory()])
        answer = await peer.shake_hands([head({"Sec-WebSocket-Extensions": self.offers}, app=self.app)])
        assert answer.headers.get("Sec-WebSocket-Extensions") == (RESPONSE if self.is_agreed else None)
        assert peer.is_open, peer.refusal
        assert peer.extensions == self.is_agreed
        await peer.join()
        await peer.wire.close()


@dataclass(frozen=True)
class LibraryOffer:
    """What the library offers by itself, and how it takes the answer."""

    factory: ClientPerMessageDeflateFactory
    is_agreed: bool

    @property
    def name(self) -> str:
        params = "; ".join(
            name if value is None else f"{name}={value}" for name, value in self.factory.get_request_params()
        )
        return f"of the library: {params or 'no parameters'} -> {'agreed' if self.is_agreed else 'not agreed'}"

    async def play(self, relay: Relay) -> None:
        peer = await open_peer(relay.running, COMPRESSING, [self.factory])
        assert peer.extensions == self.is_agreed
        await peer.join()
        await peer.wire.close()


_VERSION_13: Final = b"\r\nSec-WebSocket-Version: 13\r\n"


def _accepted(name: str, changes: Mapping[str, Values]) -> Opening:
    return Opening(name, head(changes))


def _bad(name: str, status: int, changes: Mapping[str, Values]) -> Refusal:
    return Refusal(name, head(changes), status)


_TAKEN: Final[list[Case]] = [
    Opening("as the library sends it", head()),
    Opening("the accept value of the RFC's example", head(), headers=(("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),)),
    Opening("octet by octet", octets(head())),
    Opening("in segments of 7 bytes", cut(head(), 7)),
    Opening("a target that names the server", head(line="GET http://relay{} HTTP/1.1")),
    Opening("an empty line before it", b"\r\n" + head()),
    Opening("names of headers in lower case", head(spelt=str.lower)),
    Opening("names of headers in upper case", head(spelt=str.upper)),
    Opening("no space after the colons", head(padded="{}")),
    Opening("spaces and tabs around the values", head(padded=" \t {} \t")),
    _accepted("Upgrade: WebSocket", {"Upgrade": "WebSocket"}),
    _accepted("Upgrade: h2c, websocket", {"Upgrade": "h2c, websocket"}),
    _accepted("Upgrade in two lines", {"Upgrade": ("h2c", "websocket")}),
    _accepted("Connection: upgrade", {"Connection": "upgrade"}),
    _accepted("Connection: UPGRADE", {"Connection": "UPGRADE"}),
    _accepted("Connection: keep-alive, Upgrade", {"Connection": "keep-alive, Upgrade"}),
    _accepted("Connection: Upgrade,keep-alive", {"Connection": "Upgrade,keep-alive"}),
    _accepted("Connection with an empty element", {"Connection": ",Upgrade"}),
    _accepted("Connection in two lines", {"Connection": ("keep-alive", "Upgrade")}),
    _accepted("headers that nobody knows", {"X-Unknown": "1", "Cookie": "a=b", "User-Agent": "x"}),
    _accepted("an Origin", {"Origin": "https://shop.example"}),
    Opening("another subprotocol offered: none is chosen", head({"Sec-WebSocket-Protocol": "chat"}), headers=(("Sec-WebSocket-Protocol", None),)),
    Opening("other subprotocols in two lines: none is chosen", head({"Sec-WebSocket-Protocol": ("chat, superchat", "other")}), headers=(("Sec-WebSocket-Protocol", None),)),
    Opening("the subprotocol that is spoken here: it is chosen", head({"Sec-WebSocket-Protocol": "pusher-channels-protocol-7"}), headers=(("Sec-WebSocket-Protocol", "pusher-channels-protocol-7"),)),
    Opening("several subprotocols in two lines: the first that is spoken here is chosen", head({"Sec-WebSocket-Protocol": ("chat, pusher-channels-protocol-6", "pusher-channels-protocol-7")}), headers=(("Sec-WebSocket-Protocol", "pusher-channels-protocol-6"),)),
    Opening("no extensions offered: none is agreed", head(app=COMPRESSING), app=COMPRESSING, headers=(("Sec-WebSocket-Extensions", None),)),
]  # fmt: skip

_NO_UPGRADE: Final[list[Case]] = [
    _bad("no Upgrade", 426, {"Upgrade": None}),
    _bad("Upgrade: h2c", 426, {"Upgrade": "h2c"}),
    _bad("Upgrade: websocket2", 426, {"Upgrade": "websocket2"}),
    _bad("no Connection", 426, {"Connection": None}),
    _bad("Connection: keep-alive", 426, {"Connection": "keep-alive"}),
    _bad("Connection: upgrade-insecure", 426, {"Connection": "upgrade-insecure"}),
    _bad("Connection: no upgrade", 426, {"Connection": "no upgrade"}),
    Refusal("HTTP/1.0, in which Upgrade is ignored", head(line="GET {} HTTP/1.0"), 426),
    Refusal("POST", head({"Content-Length": "0"}, line="POST {} HTTP/1.1"), 426),
    Refusal("a path without WebSockets", head(line="GET /elsewhere HTTP/1.1"), 404),
]  # fmt: skip

_WRONG: Final[list[Case]] = [
    *[
        Refusal(f"Sec-WebSocket-Version {name}", head({"Sec-WebSocket-Version": value}), 426, _VERSION_13)
        for name, value in {
            "missing": None,
            "empty": "",
            **{other: other for other in ("8", "12", "14", "255", "013", "abc", "13, 8")},
            "in two lines": ("13", "13"),
        }.items()
    ],
    *[
        _bad(f"Sec-WebSocket-Key {name}", 400, {"Sec-WebSocket-Key": value})
        for name, value in {
            "missing": None,
            "empty": "",
            "of 15 bytes": "eHh4eHh4eHh4eHh4eHh4",
            "of 17 bytes": "eHh4eHh4eHh4eHh4eHh4eHg=",
            "without its padding": KEY.rstrip("="),
            "with padding too much": KEY + "=",
            "with a space in it": KEY[:8] + " " + KEY[8:],
            "that is no base64": "!" * 24,
            "in the URL's base64": "_-_-_-_-_-_-_-_-_-_-_A==",
            "in two lines": (KEY, KEY),
        }.items()
    ],
    _bad("no Host", 400, {"Host": None}),
    _bad("two Hosts", 400, {"Host": ("a", "b")}),
]  # fmt: skip

_NO_HTTP: Final[list[Case]] = [
    Refusal("a line without a colon", head(extra=b"nonsense\r\n"), 400),
    Refusal("a space before a colon", head(extra=b"X-A : b\r\n"), 400),
    Refusal("a header without a name", head(extra=b": b\r\n"), 400),
    Refusal("a folded header", head(extra=b"X-A: b\r\n c: d\r\n"), 400),
    Refusal("a control character in a value", head(extra=b"X-A: b\x00c\r\n"), 400),
    Refusal("a lone line feed in a value", head(extra=b"X-A: b\nX-B: c\r\n"), 400),
    Refusal("HTTP/2.0", head(line="GET {} HTTP/2.0"), 400),
    Refusal("no version of HTTP", head(line="GET {}"), 400),
    Refusal("two spaces before the version", head(line="GET {}  HTTP/1.1"), 400),
    Refusal("a method in lower case", head(line="get {} HTTP/1.1"), 400),
    Refusal("a head over the limit", head(extra=b"X-A: %b\r\n" % (b"x" * MAX_HEAD)), 431),
]  # fmt: skip

HANDSHAKES: Final = section(9, "Opening handshake (4.1, 4.2)", _TAKEN, _NO_UPGRADE, _WRONG, _NO_HTTP)

_DEFLATE: Final = "permessage-deflate"

OFFERS: Final = section(
    10,
    "Offers of compression (9.1; RFC 7692 5, 7.1)",
    [
        Offer(_DEFLATE, is_agreed=True),
        *[
            Offer(f"{_DEFLATE}; {params}", is_agreed=True)
            for params in (
                "server_no_context_takeover",
                "client_no_context_takeover",
                "client_no_context_takeover; server_no_context_takeover",
                "client_max_window_bits",
                *(f"client_max_window_bits={bits}" for bits in range(8, 16)),
                'client_max_window_bits="10"',
                "server_no_context_takeover; client_max_window_bits=12",
            )
        ],
        *[
            Offer(offers, is_agreed=True)
            for offers in (
                f"{_DEFLATE};client_max_window_bits",
                f"{_DEFLATE} ; client_max_window_bits = 10",
                f"{_DEFLATE}; server_max_window_bits=10, {_DEFLATE}",
                f"{_DEFLATE}; unknown, {_DEFLATE}; client_max_window_bits",
                f"{_DEFLATE}; client_max_window_bits=7, {_DEFLATE}",
                f"{_DEFLATE}, {_DEFLATE}; server_max_window_bits=10",
                f"x-webkit-deflate-frame, {_DEFLATE}",
                f'x-other; a="b", {_DEFLATE}',
                f", {_DEFLATE}",
                (f"{_DEFLATE}; server_max_window_bits=10", _DEFLATE),
                ("x-other", _DEFLATE),
            )
        ],
    ],
    [
        *[Offer(f"{_DEFLATE}; server_max_window_bits={bits}", is_agreed=False) for bits in range(8, 16)],
        *[
            Offer(f"{_DEFLATE}; {params}", is_agreed=False)
            for params in (
                "server_max_window_bits",
                "server_max_window_bits=7",
                "server_max_window_bits=16",
                "client_max_window_bits=7",
                "client_max_window_bits=16",
                "client_max_window_bits=08",
                "client_max_window_bits=abc",
                "client_max_window_bits=-8",
                'client_max_window_bits="7"',
                'client_max_window_bits=""',
                "client_max_window_bits=",
                "client_max_window_bits; client_max_window_bits",
                "client_max_window_bits=10; client_max_window_bits=10",
                "server_no_context_takeover; server_no_context_takeover",
                "client_no_context_takeover; client_no_context_takeover",
                "server_no_context_takeover=1",
                "client_no_context_takeover=true",
                "unknown",
                "unknown=1",
                "Server_No_Context_Takeover",
                "",
                "=10",
            )
        ],
        *[Offer(offers, is_agreed=False) for offers in ("", ",", "permessage-bzip2", "x-webkit-deflate-frame", "Permessage-Deflate", f'"{_DEFLATE}"', f"{_DEFLATE} client_max_window_bits", f"x-other; a=\", {_DEFLATE}\"")],
        Offer(_DEFLATE, is_agreed=False, app=PLAIN, why=", to an app without the switch"),
    ],
    [
        LibraryOffer(ClientPerMessageDeflateFactory(server_no, client_no, None, client_bits), is_agreed=True)
        for server_no in (False, True)
        for client_no in (False, True)
        for client_bits in (None, True, 9, 15)
    ],
    [LibraryOffer(ClientPerMessageDeflateFactory(server_max_window_bits=bits), is_agreed=False) for bits in (8, 12, 15)],
)  # fmt: skip
