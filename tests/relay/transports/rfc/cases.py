"""What a case is: what is sent, segment by segment, and what must come of it. Must not know any single case."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import pytest
from msgspec.structs import replace
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from relay import server
from relay.apps import App
from relay.net.liveness import Wheel
from tests.helpers.clients import app_with, message
from tests.helpers.frames import client_frame
from tests.helpers.relay import RunningRelay, running_relay
from tests.relay.transports.rfc.peer import CHANNEL, Peer, close_frame, open_peer

LIMIT: Final = 65_536  # bytes, what a message may have in these apps
PLAIN: Final = app_with(event_data_bytes=100_000, message_bytes=LIMIT)
COMPRESSING: Final = replace(PLAIN, id="4", key="key-4", secret="secret-4", compression=True)


class Heard(NamedTuple):
    """Another client gets this as the data of a client event: the message came through whole."""

    text: str


class Told(NamedTuple):
    """The sender gets this event."""

    event: str


class Pong(NamedTuple):
    """The sender gets this pong."""

    payload: bytes


class Closed(NamedTuple):
    """The sender gets a close with this code, then the end of the TCP connection, and nothing else. The last answer."""

    code: int


Reaction = Heard | Told | Pong | Closed
NOT_JSON: Final = Told("pusher:error")


class Relay(NamedTuple):
    """A relay with both apps, and in each of them one more client that listens."""

    running: RunningRelay
    listeners: dict[str, Peer]


class Case(Protocol):
    """One case of the table."""

    @property
    def name(self) -> str:
        """What is tried."""

    async def play(self, relay: Relay) -> None:
        """Raises AssertionError, or what the client library raises, when the relay does not do as the rule says."""


@dataclass(frozen=True)
class Talk:
    """What a client sends after the handshake. A case that ends without Closed must leave a connection that works."""

    name: str
    sends: bytes | Sequence[bytes]
    answers: Reaction | tuple[Reaction, ...] = ()
    app: App = PLAIN

    async def play(self, relay: Relay) -> None:
        extensions = [ClientPerMessageDeflateFactory()] if self.app.compression else None
        sender = await open_peer(relay.running, self.app, extensions)
        assert sender.extensions == len(extensions or ())
        await sender.join()
        await sender.send(*([self.sends] if isinstance(self.sends, bytes) else self.sends))
        expected = (self.answers,) if isinstance(self.answers, Heard | Told | Pong | Closed) else self.answers
        answers = [await _answer(sender, answer) for answer in expected if not isinstance(answer, Heard)]
        assert answers == [answer for answer in expected if not isinstance(answer, Heard)]
        if not any(isinstance(answer, Closed) for answer in expected):
            await _ensure_nothing_more(sender)
        heard = await _heard_by(relay.listeners[self.app.key])
        assert heard == [answer for answer in expected if isinstance(answer, Heard)]
        await sender.wire.close()


async def _answer(sender: Peer, expected: Reaction) -> Reaction:
    if isinstance(expected, Closed):
        close = close_frame(expected.code, await sender.frame())
        assert (await sender.end()).endswith(close), "nothing follows a close"
        return expected
    frame = await sender.frame()
    if frame.opcode is Opcode.PONG:
        return Pong(bytes(frame.data))
    assert frame.opcode is Opcode.TEXT, frame
    return Told(json.loads(bytes(frame.data))["event"])


async def _ensure_nothing_more(sender: Peer) -> None:
    """A ping may come between fragments, and its answer comes after all others."""
    await sender.send(ping(b"nothing more"))
    frame = await sender.frame()
    assert (frame.opcode, frame.data) == (Opcode.PONG, b"nothing more")


async def _heard_by(listener: Peer) -> list[Heard]:
    """What the listener got by now: what comes before the answer to a ping."""
    await listener.say(message("pusher:ping"))
    heard = []
    while (event := await listener.event())["event"] != "pusher:pong":
        assert (event["event"], event["channel"]) == ("client-x", CHANNEL)
        heard.append(Heard(event["data"]))
    return heard


@asynccontextmanager
async def _relay_with_wheel() -> AsyncIterator[tuple[RunningRelay, Wheel]]:
    """A relay of its own, and what tells it that time has passed."""
    wheels: list[Wheel] = []

    class KeptWheel(Wheel):
        def __init__(self, now: float) -> None:
            super().__init__(now)
            wheels.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "Wheel", KeptWheel)
        async with running_relay(PLAIN) as relay:
            yield relay, wheels[0]


@dataclass(frozen=True)
class Farewell:
    """The relay closes first, with 4001 as there is no such app: what it does with the client's `reply`, or without one."""

    name: str
    reply: bytes | Sequence[bytes] = ()
    seconds: float = 0.0
    """How far the relay's clock is moved."""
    ends: bool = True
    """Whether the TCP connection has ended then."""

    async def play(self, relay: Relay) -> None:
        async with _relay_with_wheel() as (alone, wheel):
            peer = await open_peer(alone, replace(PLAIN, key="nobody"))
            assert (await peer.event())["event"] == "pusher:error"
            close = close_frame(4001, await peer.frame())
            await peer.send(*([self.reply] if isinstance(self.reply, bytes) else self.reply))
            wheel.tick(asyncio.get_running_loop().time() + self.seconds)
            if self.ends:
                assert (await peer.end()).endswith(close), "nothing follows a close"
            else:
                # Another connection's whole life is longer than the news of an end would take.
                await (await open_peer(alone, PLAIN)).event()
                assert not peer.wire.reader.at_eof()
                assert peer.raw.endswith(close), "nothing follows a close"


class Section(NamedTuple):
    """A part of the table."""

    number: int
    what: str
    cases: tuple[Case, ...]


def section(number: int, what: str, *groups: Iterable[Case]) -> Section:
    """A section whose cases are numbered: the third one of the second group is N.2.3."""
    cases = tuple(
        _Numbered(f"{number}.{g}.{n} {case.name}", case)
        for g, group in enumerate(groups, 1)
        for n, case in enumerate(group, 1)
    )
    return Section(number, what, cases)


@dataclass(frozen=True)
class _Numbered:
    name: str
    case: Case = field(repr=False)

    async def play(self, relay: Relay) -> None:
        await self.case.play(relay)


def frame(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    """A masked frame of the client library."""
    return Frame(opcode, payload, fin).serialize(mask=True)


def text(payload: bytes) -> bytes:
    return frame(Opcode.TEXT, payload)


def binary(payload: bytes) -> bytes:
    return frame(Opcode.BINARY, payload)


def ping(payload: bytes = b"") -> bytes:
    return frame(Opcode.PING, payload)


def pong(payload: bytes = b"") -> bytes:
    return frame(Opcode.PONG, payload)


def close(code: int, reason: bytes = b"") -> bytes:
    """A close with any code; the library would refuse some."""
    return frame(Opcode.CLOSE, code.to_bytes(2) + reason)


def fragments(*payloads: bytes, opcode: Opcode = Opcode.TEXT, is_whole: bool = True) -> list[bytes]:
    """The frames of a fragmented message; without `is_whole`, the last one is still to come."""
    last = len(payloads) - 1
    return [
        frame(opcode if at == 0 else Opcode.CONT, payload, fin=is_whole and at == last)
        for at, payload in enumerate(payloads)
    ]


def said(data: str) -> bytes:
    """The message whose data another client gets."""
    return json.dumps({"event": "client-x", "channel": CHANNEL, "data": data}, ensure_ascii=False).encode()


def filler(size: int) -> str:
    """The data that makes `said` of `size` bytes."""
    return "".join(chr(ord("a") + at % 26) for at in range(size - len(said(""))))


def octets(data: bytes) -> list[bytes]:
    return cut(data, 1)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def chopped(data: bytes) -> list[bytes]:
    """Segments of odd sizes, so that the header of a frame comes in several of them."""
    pieces, at = [], 0
    for size in (1, 2, 3, 5, 7, 11, *[997] * (len(data) // 997 + 1)):
        pieces.append(data[at : at + size])
        at += size
    return [piece for piece in pieces if piece]


def raw(payload: bytes, first: int) -> bytes:
    """A masked frame with any first byte."""
    return client_frame(payload, first=first)
