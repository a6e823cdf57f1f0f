"""permessage-deflate: what is offered, what is compressed, and what comes back."""

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.codes import WebSocketCode
from relay.wire.deflate import FINAL_BLOCKS, MIN_BYTES, Deflater, accepts, inflate
from relay.wire.frames import FrameError, FrameReader, Message, Opcode, payloads_of, text_frame
from tests.helpers.frames import client_frame

LIMIT = 100_000


def deflated(message: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


def final(message: bytes) -> bytes:
    """A block that is marked as the last one."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(message) + compressor.flush()


TEXT = b"".join(b"%d, " % number for number in range(200))
STORED = zlib.compress(TEXT, 0)[2:-4]  # without zlib's own head and tail


@pytest.mark.parametrize(
    "offers",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=12; server_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        'permessage-deflate ;client_max_window_bits\t= "8"',
        "permessage-deflate; client_max_window_bits=7,,permessage-deflate",
    ],
)
def test_an_offer_without_a_limit_to_our_window_is_taken(offers: str) -> None:
    assert accepts(offers)


@pytest.mark.parametrize(
    "offers",
    [
        "",
        "permessage-bzip2",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; x",
        "permessage-deflate;",
        "permessage-deflate x",
        '"permessage-deflate"',
        "permessage-deflate\xa0",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; client_max_window_bits=",
        'permessage-deflate; client_max_window_bits="a"',
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover=1",
    ],
)
def test_any_other_offer_is_left(offers: str) -> None:
    assert not accepts(offers)


@given(st.text(min_size=MIN_BYTES, max_size=5_000))
def test_a_long_frame_comes_back_as_it_went_in(text: str) -> None:
    compressed = Deflater()(text_frame(text.encode()))
    assert compressed[0] == 0xC1
    (payload,) = payloads_of(compressed)
    assert inflate(payload, LIMIT) == text.encode()


def test_of_joined_frames_the_long_ones_are_compressed() -> None:
    frames = [text_frame(text) for text in (b"short", b"long" * 100, b"also short")]
    compressed = Deflater()(b"".join(frames))
    assert compressed.startswith(frames[0])
    assert compressed.endswith(frames[2])
    middle = compressed[len(frames[0]) : -len(frames[2])]
    assert middle[0] == 0xC1
    assert inflate(next(payloads_of(middle)), LIMIT) == b"long" * 100


def test_a_short_frame_stays_as_it_is() -> None:
    frame = text_frame(b"short")
    assert Deflater()(frame) is frame


def test_a_broadcast_is_compressed_once() -> None:
    deflater, frame, other = Deflater(), text_frame(b"a" * 500), text_frame(b"b" * 500)
    first = deflater(frame)
    assert deflater(frame) is first
    assert deflater(other) != first


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = deflated(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(FrameError) as raised:
            inflate(bomb, LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert raised.value.code == WebSocketCode.TOO_BIG
    assert peak < 10 * LIMIT


def test_a_message_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert inflate(deflated(b"x" * LIMIT), LIMIT) == b"x" * LIMIT
    with pytest.raises(FrameError) as raised:
        inflate(final(b"x" * LIMIT) + deflated(b"x"), LIMIT)
    assert raised.value.code == WebSocketCode.TOO_BIG


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xff\xff\xff",
        deflated(TEXT)[:-1],
        deflated(TEXT)[:50],
        STORED[:50],
        final(TEXT),
        final(TEXT) + b"\xff",
    ],
)
def test_what_is_not_deflated_or_cut_short_is_refused_with_1007(payload: bytes) -> None:
    with pytest.raises(FrameError) as raised:
        inflate(payload, LIMIT)
    assert raised.value.code == WebSocketCode.INVALID_PAYLOAD


@pytest.mark.parametrize("payload", [b"\x00", b"\x02\x00", final(b"") + b"\x00"])
def test_an_empty_message_is_read(payload: bytes) -> None:
    assert inflate(payload, LIMIT) == b""


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=FINAL_BLOCKS + 1))
def test_blocks_may_follow_one_that_is_marked_as_final(parts: list[bytes]) -> None:
    *first, last = parts
    assert inflate(b"".join(map(final, first)) + deflated(last), LIMIT) == b"".join(parts)


def test_a_block_may_refer_to_what_stands_before_a_final_one() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=TEXT)
    second = compressor.compress(TEXT) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert inflate(final(TEXT) + second.removesuffix(b"\x00\x00\xff\xff"), LIMIT) == TEXT * 2


def test_more_final_blocks_than_the_limit_are_refused_with_1007() -> None:
    assert inflate(final(b"x") * FINAL_BLOCKS + b"\x00", LIMIT) == b"x" * FINAL_BLOCKS
    with pytest.raises(FrameError) as raised:
        inflate(final(b"x") * (FINAL_BLOCKS + 1) + b"\x00", LIMIT)
    assert raised.value.code == WebSocketCode.INVALID_PAYLOAD


def test_a_compressed_message_is_read_whole_and_in_fragments() -> None:
    payload = deflated("Жы".encode() * 300)
    reader = FrameReader(LIMIT, inflate)
    messages = list(reader.receive(client_frame(payload, first=0xC1)[:-1]))
    assert messages == []
    messages += reader.receive(client_frame(payload, first=0xC1)[-1:])
    messages += reader.receive(
        client_frame(payload[:3], first=0x41)
        + client_frame(b"ping", first=0x89)
        + client_frame(payload[3:], first=0x80)
        + client_frame(b"plain", first=0x81)
    )
    assert [message.payload.decode() for message in messages] == ["Жы" * 300, "ping", "Жы" * 300, "plain"]
    assert messages[1].opcode == Opcode.PING


def test_a_compressed_binary_message_may_hold_any_bytes() -> None:
    (message,) = FrameReader(LIMIT, inflate).receive(client_frame(deflated(b"\xff"), first=0xC2))
    assert message == Message(Opcode.BINARY, bytearray(b"\xff"))


@pytest.mark.parametrize("first", [0xC0, 0xC9, 0xA1, 0x91, 0xF1])
def test_reserved_bits_mean_compression_in_the_first_frame_of_a_message_only(first: int) -> None:
    reader = FrameReader(LIMIT, inflate)
    with pytest.raises(FrameError) as raised:
        list(reader.receive(client_frame(b"", first=first)))
    assert raised.value.code == WebSocketCode.PROTOCOL_ERROR


def test_a_compressed_frame_is_refused_where_compression_was_not_agreed() -> None:
    reader = FrameReader(LIMIT)
    with pytest.raises(FrameError):
        list(reader.receive(client_frame(deflated(b"x"), first=0xC1)))


def test_a_compressed_text_that_is_no_utf8_is_refused() -> None:
    reader = FrameReader(LIMIT, inflate)
    with pytest.raises(FrameError) as raised:
        list(reader.receive(client_frame(deflated(b"\xff"), first=0xC1)))
    assert raised.value.code == WebSocketCode.INVALID_PAYLOAD
