"""A WebSocket client that is not ours: the `websockets` package without its I/O, on a raw TCP connection.

What the relay sends is parsed and judged by the package; what is sent to the relay are bytes as the cases have them.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.extensions import ClientExtensionFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CONNECTING, OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from relay.apps import App
from tests.helpers.clients import message, subscription
from tests.helpers.relay import PATIENCE, RunningRelay, Wire
from tests.helpers.transport import opened

# What all clients of a case are in.
CHANNEL: Final = "private-rfc"

# RFC 6455 1.3: the key of the example.
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="

# What the library takes for an answer that it asked for.
SUBPROTOCOLS: Final = [Subprotocol(f"pusher-channels-protocol-{version}") for version in (7, 6)]

_READ_BYTES: Final = 65_536
# The relay is in the same event loop, and loopback delivers at once: it reads a segment in the next turn.
_TURNS_TO_READ: Final = 3


class Peer:
    """One connection. `raw` is all that came after the handshake."""

    def __init__(
        self, wire: Wire, relay: RunningRelay, app: App, extensions: Sequence[ClientExtensionFactory] | None = None
    ) -> None:
        self.wire = wire
        self.app = app
        self.raw = b""
        self._client = ClientProtocol(
            parse_uri(f"ws://127.0.0.1:{relay.port}/app/{app.key}?protocol=7"),
            extensions=extensions,
            subprotocols=SUBPROTOCOLS,
            max_size=None,
        )
        self._client.key = KEY
        self._events: list[Frame | Response] = []

    async def send(self, *segments: bytes) -> None:
        """Send each of `segments` as a TCP segment of its own, which the relay reads before the next one comes."""
        for segment in segments:
            # The relay may have ended the connection by now: what it answered is what counts.
            if self.wire.writer.is_closing():
                return
            self.wire.writer.write(segment)
            for _ in range(_TURNS_TO_READ):
                await asyncio.sleep(0)

    async def shake_hands(self, head: Iterable[bytes] | None = None) -> Response:
        """Send the request to upgrade, the library's or `head`; the answer. See `is_open` for what the library thinks of it."""
        self._client.send_request(self._client.connect())
        ours = self._client.data_to_send()
        await self.send(*(ours if head is None else head))
        response = await self._next_event()
        assert isinstance(response, Response)
        return response

    @property
    def is_open(self) -> bool:
        """Whether the library has taken the answer for a valid handshake."""
        return self._client.state is OPEN

    @property
    def refusal(self) -> Exception | None:
        """What the library found wrong with the handshake."""
        return self._client.handshake_exc

    @property
    def extensions(self) -> int:
        """How many extensions the library takes for agreed."""
        return len(self._client.extensions)

    async def join(self) -> None:
        """Read the welcome and subscribe to CHANNEL."""
        welcome = await self.event()
        assert welcome["event"] == "pusher:connection_established"
        asked = message("pusher:subscribe", subscription(self.app, welcome["data"]["socket_id"], CHANNEL))
        await self.say(asked)
        assert (await self.event())["event"] == "pusher_internal:subscription_succeeded"
        self.raw = b""

    async def say(self, text: bytes) -> None:
        """Send a whole text that is not compressed."""
        await self.send(Frame(Opcode.TEXT, text).serialize(mask=True))

    async def frame(self) -> Frame:
        """The next frame of the relay, inflated where it was compressed."""
        frame = await self._next_event()
        assert isinstance(frame, Frame)
        return frame

    async def event(self) -> dict[str, Any]:
        """The next frame, which must hold an event."""
        frame = await self.frame()
        assert frame.opcode is Opcode.TEXT, frame
        return opened(json.loads(bytes(frame.data)))

    async def end(self) -> bytes:
        """All that came, once the relay has ended the TCP connection in order."""
        async with asyncio.timeout(PATIENCE):
            while data := await self.wire.reader.read(_READ_BYTES):
                self.raw += data
        return self.raw

    async def _next_event(self) -> Frame | Response:
        async with asyncio.timeout(PATIENCE):
            while not self._events:
                data = await self.wire.reader.read(_READ_BYTES)
                assert data, "the relay ended the connection without a close"
                self._receive(data)
        return self._events.pop(0)

    def _receive(self, data: bytes) -> None:
        was_connecting = self._client.state is CONNECTING
        self._client.receive_data(data)
        for event in self._client.events_received():
            assert isinstance(event, Frame | Response)
            self._events.append(event)
        self.raw += data.partition(b"\r\n\r\n")[2] if was_connecting else data
        # What the library calls a broken rule is one that the relay has broken.
        if not was_connecting and self._client.parser_exc is not None:
            raise self._client.parser_exc


async def open_peer(relay: RunningRelay, app: App, extensions: Sequence[ClientExtensionFactory] | None = None) -> Peer:
    """A peer after its handshake."""
    peer = Peer(await relay.wire(), relay, app, extensions)
    await peer.shake_hands()
    assert peer.refusal is None, peer.refusal
    return peer


def close_frame(code: int, frame: Frame) -> bytes:
    """The bytes of the close that `frame` is, if it has `code`."""
    assert frame.opcode is Opcode.CLOSE, frame
    assert int.from_bytes(bytes(frame.data)[:2]) == code, frame
    bytes(frame.data)[2:].decode()
    return frame.serialize(mask=False)
