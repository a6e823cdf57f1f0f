"""Section 11: compressed messages."""

import zlib
from dataclasses import dataclass
from typing import Final

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Frame, Opcode

from relay.apps import App
from relay.wire.deflate import FINAL_BLOCKS, MIN_BYTES
from tests.relay.transports.rfc.cases import (
    COMPRESSING,
    LIMIT,
    NOT_JSON,
    PLAIN,
    Case,
    Closed,
    Heard,
    Pong,
    Reaction,
    Relay,
    Talk,
    chopped,
    cut,
    filler,
    fragments,
    octets,
    ping,
    raw,
    said,
    section,
    text,
)
from tests.relay.transports.rfc.peer import CHANNEL, open_peer

_FIN, _RSV1, _TEXT, _BINARY = 0x80, 0x40, 0x1, 0x2
_TAIL: Final = b"\x00\x00\xff\xff"
_SIZES: Final = (16, 64, 256, 1_024, 4_096, 8_192, 16_384, 32_768, 65_536)
_EMPTY_FINAL: Final = b"\x03\x00"  # RFC 1951 3.2.6: a final block of fixed codes that holds nothing


def _library() -> PerMessageDeflate:
    """The library's compression, as it was agreed: no context on either side."""
    return PerMessageDeflate(
        remote_no_context_takeover=True,
        local_no_context_takeover=True,
        remote_max_window_bits=15,
        local_max_window_bits=15,
    )


def _squeezed(*payloads: bytes) -> list[bytes]:
    """The compressed frames of a message in fragments, or in one frame, by the library."""
    deflate, last = _library(), len(payloads) - 1
    frames = [Frame(Opcode.CONT if at else Opcode.TEXT, payload, at == last) for at, payload in enumerate(payloads)]
    return [frame.serialize(mask=True, extensions=[deflate]) for frame in frames]


def _small(payload: bytes) -> bytes:
    (frame,) = _squeezed(payload)
    return frame


def _deflated(
    payload: bytes,
    *,
    level: int = 9,
    bits: int = 15,
    strategy: int = 0,
    pieces: int = 1,
    between: int = zlib.Z_SYNC_FLUSH,
) -> bytes:
    """`payload` as blocks of DEFLATE, `pieces` of them with a flush after each, and without the tail."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -bits, 8, strategy)
    *parts, last = cut(payload, -(-len(payload) // pieces))
    flushed = [compressor.compress(part) + compressor.flush(between) for part in parts]
    return b"".join([*flushed, compressor.compress(last), compressor.flush(zlib.Z_SYNC_FLUSH)]).removesuffix(_TAIL)


def _final(payload: bytes) -> bytes:
    """A block that is marked as final. What follows begins at the next byte."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(payload) + compressor.flush()


def _deflated_frame(payload: bytes, *, opcode: int = _TEXT) -> bytes:
    return raw(payload, _FIN | _RSV1 | opcode)


def _fragmented(*payloads: bytes) -> list[bytes]:
    """Frames of a payload that is compressed already."""
    last = len(payloads) - 1
    return [
        raw(payload, (_FIN if at == last else 0) | (_RSV1 if at == 0 else 0) | (_TEXT if at == 0 else 0))
        for at, payload in enumerate(payloads)
    ]


def _talk(name: str, sends: bytes | list[bytes], *answers: Reaction) -> Talk:
    return Talk(name, sends, answers, COMPRESSING)


@dataclass(frozen=True)
class Broadcast:
    """An event of a back end, of so many bytes of data, to a client: what is on the wire, and what the library makes of it."""

    size: int
    app: App = COMPRESSING
    is_compressed: bool = True

    @property
    def name(self) -> str:
        to = "" if self.app.compression else " to an app without the switch"
        return f"broadcast of {self.size} bytes{to}: {'compressed' if self.is_compressed else 'as it is'}"

    async def play(self, relay: Relay) -> None:
        peer = await open_peer(relay.running, self.app, [ClientPerMessageDeflateFactory()])
        await peer.join()
        listener = relay.listeners[self.app.key]
        listener.raw = b""
        data = ("Привет, мир! " * self.size)[: self.size]
        assert (await relay.running.trigger(CHANNEL, data=data, app=self.app)).status == 200
        assert [event["data"] for event in (await peer.event(), await listener.event())] == [data, data]
        assert [to.raw[0] & _RSV1 for to in (peer, listener)] == [_RSV1 if self.is_compressed else 0, 0]
        await peer.wire.close()


def _through(size: int) -> Reaction:
    return Heard(filler(size)) if size > len(said("")) else NOT_JSON


def _message(size: int) -> bytes:
    return said(filler(size)) if size > len(said("")) else b"x" * size


_WHOLE: Final = said("в сжатом виде " * 20)
_HEARD: Final = Heard("в сжатом виде " * 20)
_HALF: Final = len(_WHOLE) // 2
_SQUEEZED: Final = _deflated(_WHOLE)
_FULL: Final = said(filler(LIMIT))

_SIZED: Final[list[Case]] = [
    *[_talk(f"text of {size} bytes, compressed", _small(_message(size)), _through(size)) for size in _SIZES],
    *[_talk(f"text of {size} bytes, compressed, in segments of odd sizes", chopped(_small(_message(size))), _through(size)) for size in _SIZES],
    _talk("text of 512 bytes, compressed, octet by octet", octets(_small(_message(512))), _through(512)),
]  # fmt: skip

_MIXED: Final[list[Case]] = [
    _talk("compressed, plain, compressed", _small(said("1")) + text(said("2")) + _small(said("3")), Heard("1"), Heard("2"), Heard("3")),
    _talk("plain, compressed, plain", text(said("1")) + _small(said("2")) + text(said("3")), Heard("1"), Heard("2"), Heard("3")),
    _talk("fragmented plain, fragmented compressed, plain", b"".join([*fragments(_WHOLE[:9], _WHOLE[9:]), *_squeezed(_WHOLE[:9], _WHOLE[9:]), text(_WHOLE)]), _HEARD, _HEARD, _HEARD),
    _talk("the same message compressed ten times", _small(said("same")) * 10, *[Heard("same")] * 10),
    _talk("a ping between two compressed messages", _small(said("1")) + ping(b"p") + _small(said("2")), Heard("1"), Pong(b"p"), Heard("2")),
]  # fmt: skip

_FRAGMENTED: Final[list[Case]] = [
    _talk("compressed in two fragments", _squeezed(_WHOLE[:_HALF], _WHOLE[_HALF:]), _HEARD),
    _talk("compressed in ten fragments", b"".join(_squeezed(*cut(_WHOLE, len(_WHOLE) // 9))), _HEARD),
    _talk("compressed, each octet in a fragment of its own", b"".join(_fragmented(*octets(_SQUEEZED))), _HEARD),
    _talk("compressed, octet by octet in fragments of one octet", octets(b"".join(_fragmented(*octets(_SQUEEZED)))), _HEARD),
    _talk("compressed, the first fragment empty", _fragmented(b"", _SQUEEZED), _HEARD),
    _talk("compressed, the last fragment empty", _fragmented(_SQUEEZED, b""), _HEARD),
    _talk("compressed, pings between the fragments", b"".join(frame + ping(b"p") for frame in _squeezed(_WHOLE[:_HALF], _WHOLE[_HALF:])), Pong(b"p"), _HEARD, Pong(b"p")),
    _talk("compressed, of 65,536 bytes in fragments of 1,000", _squeezed(*cut(_FULL, 1_000)), Heard(filler(LIMIT))),
    _talk("RSV1 on a continuation of a compressed message", [raw(_SQUEEZED[:9], _RSV1 | _TEXT), raw(_SQUEEZED[9:], _FIN | _RSV1)], Closed(1002)),
    _talk("RSV1 on a continuation of a plain message", [*fragments(_WHOLE, is_whole=False), raw(b"", _FIN | _RSV1)], Closed(1002)),
    _talk("RSV1 on a continuation of nothing", raw(b"", _FIN | _RSV1), Closed(1002)),
]  # fmt: skip

_BLOCKS: Final[list[Case]] = [
    _talk("an empty message: one octet of zero", _deflated_frame(b"\x00"), NOT_JSON),
    _talk("an empty message of fixed codes", _deflated_frame(b"\x02\x00"), NOT_JSON),
    _talk("blocks that are stored, not compressed", _deflated_frame(_deflated(_WHOLE, level=0)), _HEARD),
    _talk("a block of fixed codes", _deflated_frame(_deflated(_WHOLE, strategy=zlib.Z_FIXED)), _HEARD),
    _talk("a block of Huffman codes alone", _deflated_frame(_deflated(_WHOLE, strategy=zlib.Z_HUFFMAN_ONLY)), _HEARD),
    *[_talk(f"a window of {bits} bits", _deflated_frame(_deflated(_FULL, bits=bits)), Heard(filler(LIMIT))) for bits in range(9, 16)],
    _talk("five blocks, each flushed", _deflated_frame(_deflated(_WHOLE, pieces=5)), _HEARD),
    _talk("five blocks, each flushed and the window forgotten", _deflated_frame(_deflated(_WHOLE, pieces=5, between=zlib.Z_FULL_FLUSH)), _HEARD),
    _talk("five blocks, each flushed to a bit", _deflated_frame(_deflated(_WHOLE, pieces=5, between=zlib.Z_PARTIAL_FLUSH)), _HEARD),
    _talk("a final block", _deflated_frame(_final(_WHOLE) + b"\x00"), _HEARD),
    _talk("a final block in two fragments", _fragmented(_final(_WHOLE), b"\x00"), _HEARD),
    _talk("a final block, then one that is not", _deflated_frame(_final(_WHOLE[:_HALF]) + _deflated(_WHOLE[_HALF:])), _HEARD),
    _talk("two final blocks", _deflated_frame(_final(_WHOLE[:_HALF]) + _final(_WHOLE[_HALF:]) + b"\x00"), _HEARD),
    _talk("an empty final block, then the message", _deflated_frame(_EMPTY_FINAL + _SQUEEZED), _HEARD),
    _talk(f"{FINAL_BLOCKS} final blocks", _deflated_frame(_EMPTY_FINAL * FINAL_BLOCKS + _SQUEEZED), _HEARD),
    _talk(f"{FINAL_BLOCKS + 1} final blocks", _deflated_frame(_EMPTY_FINAL * (FINAL_BLOCKS + 1) + _SQUEEZED), Closed(1007)),
    _talk("30,000 final blocks", _deflated_frame(_EMPTY_FINAL * 30_000 + _SQUEEZED), Closed(1007)),
]  # fmt: skip


def _takes_the_context_over() -> list[bytes]:
    """Two messages of which the second refers to the first, as nobody agreed to."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return [
        _deflated_frame((compressor.compress(_WHOLE) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL))
        for _ in range(2)
    ]


_BROKEN: Final[list[Case]] = [
    _talk("ones where blocks should be", _deflated_frame(b"\xff" * 10), Closed(1007)),
    _talk("the plain text where blocks should be", _deflated_frame(_WHOLE), Closed(1007)),
    _talk("no octet at all", _deflated_frame(b""), Closed(1007)),
    _talk("cut short within a block", _deflated_frame(_SQUEEZED[:-20]), Closed(1007)),
    _talk("cut short by one octet", _deflated_frame(_SQUEEZED[:-1]), Closed(1007)),
    _talk("cut short within a stored block", _deflated_frame(_deflated(_WHOLE, level=0)[:100]), Closed(1007)),
    _talk("a stored block whose length does not match", _deflated_frame(b"\x00\x05\x00\xff\xffhello\x00"), Closed(1007)),
    _talk("garbage after a final block", _deflated_frame(_final(_WHOLE) + b"\xff\xff"), Closed(1007)),
    _talk("a final block, and no octet of zero after it", _deflated_frame(_final(_WHOLE)), Closed(1007)),
    _talk("the tail sent along, the last octet cut", _deflated_frame(_SQUEEZED + _TAIL[:-1]), Closed(1007)),
    _talk("broken in the second fragment", _fragmented(_SQUEEZED[:20], b"\xff" * 20), Closed(1007)),
    _talk("a good message, then one that takes its context over", _takes_the_context_over(), _HEARD, Closed(1007)),
]  # fmt: skip

_LIMITED: Final[list[Case]] = [
    _talk("65,537 bytes when inflated", _small(_FULL + b" "), Closed(1009)),
    _talk("65,537 bytes when inflated, in fragments", _squeezed(*cut(_FULL + b" ", 10_000)), Closed(1009)),
    _talk("a bomb of 20 MB", _small(b" " * 20_000_000), Closed(1009)),
    _talk("a bomb of 20 MB in fragments of 100 octets", _fragmented(*cut(_deflated(b" " * 20_000_000), 100)), Closed(1009)),
    _talk("a bomb in final blocks", _deflated_frame(_final(b" " * 10_000) * 8 + b"\x00"), Closed(1009)),
    _talk("a compressed frame over the limit, refused from its header", b"\xc1\xff" + (LIMIT + 1).to_bytes(8), Closed(1009)),
]  # fmt: skip

_REFUSED: Final[list[Case]] = [
    *[
        _talk(f"a compressed {name}", _deflated_frame(_deflated(payload), opcode=opcode), Closed(1002))
        for name, opcode, payload in (("close", Opcode.CLOSE, b"\x03\xe8"), ("ping", Opcode.PING, b"p"), ("pong", Opcode.PONG, b"p"))
    ],
    _talk("a compressed binary", _deflated_frame(_deflated(b"\xff"), opcode=_BINARY), Closed(1003)),
    Talk("a compressed text where compression was not agreed", _small(_WHOLE), Closed(1002), PLAIN),
    Talk("a compressed fragment where compression was not agreed", _fragmented(_SQUEEZED, b"")[:1], Closed(1002), PLAIN),
    # What was compressed is looked at when it is whole: no deflate stream has to give out a byte before its end.
    _talk("compressed, not UTF-8", _small(_WHOLE + b"\xff"), Closed(1007)),
    _talk("compressed, a surrogate", _small(_WHOLE + b"\xed\xa0\x80"), Closed(1007)),
    _talk("compressed, cut within a character", _small(_WHOLE + b"\xe2\x82"), Closed(1007)),
    _talk("compressed in fragments, not UTF-8 in the first one", _squeezed(b"\xff" + _WHOLE, _WHOLE), Closed(1007)),
    _talk("compressed in fragments, a character cut by them", _squeezed(said("й")[:-3], said("й")[-3:]), Heard("й")),
    _talk("plain, not UTF-8, the rest of the frame to come", text(b"x\xff" + b"x" * 50)[:8], Closed(1007)),
    _talk("plain, not UTF-8, the rest of the fragments to come", fragments(b"x\xff", is_whole=False), Closed(1007)),
]  # fmt: skip

_BROADCASTS: Final[list[Case]] = [
    *[Broadcast(size) for size in (MIN_BYTES, 1_000, 10_000, 40_000)],
    *[Broadcast(size, is_compressed=False) for size in (1, 50)],
    *[Broadcast(size, PLAIN, is_compressed=False) for size in (1, 10_000)],
]

SECTION: Final = section(
    11,
    "Compressed messages (RFC 7692 6, 7.2)",
    _SIZED,
    _MIXED,
    _FRAGMENTED,
    _BLOCKS,
    _BROKEN,
    _LIMITED,
    _REFUSED,
    _BROADCASTS,
)
