import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.frames import (
    FRAGMENTS,
    FRAGMENTS_A_MESSAGE,
    FrameError,
    FrameReader,
    Message,
    Opcode,
    close_code,
    close_frame,
    control_frame,
    payloads_of,
    text_frame,
)
from tests.helpers.frames import client_frame, server_frames

FIN = 0x80


def read(*data: bytes, limit: int = 1_000) -> list[Message]:
    reader = FrameReader(limit)
    messages: list[Message] = []
    for piece in data:
        messages += reader.receive(piece)
    return messages


def refusal(*data: bytes, limit: int = 1_000) -> FrameError:
    with pytest.raises(FrameError) as refused:
        read(*data, limit=limit)
    return refused.value


def whole(opcode: int, payload: bytes) -> Message:
    return Message(opcode, bytearray(payload))


def text(payload: bytes) -> Message:
    return whole(Opcode.TEXT, payload)


def fragments(*payloads: bytes, opcode: int = Opcode.TEXT) -> list[bytes]:
    last = len(payloads) - 1
    return [
        client_frame(payload, opcode=opcode if at == 0 else Opcode.CONTINUATION, fin=at == last)
        for at, payload in enumerate(payloads)
    ]


class TestWriting:
    @pytest.mark.parametrize(
        ("length", "header"),
        [
            (0, "8100"),
            (1, "8101"),
            (125, "817d"),
            (126, "817e007e"),
            (65_535, "817effff"),
            (65_536, "817f0000000000010000"),
        ],
    )
    def test_a_text_frame_has_the_shortest_header_of_its_length(self, length: int, header: str) -> None:
        frame = text_frame(b"x" * length)
        assert frame == bytes.fromhex(header) + b"x" * length
        assert list(payloads_of(frame)) == [b"x" * length]

    @given(st.lists(st.one_of(st.binary(max_size=300), st.just(b"x" * 70_000)), max_size=5))
    def test_the_payloads_come_back_out_of_frames(self, payloads: list[bytes]) -> None:
        assert list(payloads_of(b"".join(map(text_frame, payloads)))) == payloads

    @given(st.binary(max_size=300))
    def test_a_frame_holds_its_payload(self, payload: bytes) -> None:
        assert server_frames(text_frame(payload)) == [(Opcode.TEXT, payload)]

    def test_a_control_frame_is_whole_and_unmasked(self) -> None:
        assert control_frame(Opcode.PING) == b"\x89\x00"
        assert control_frame(Opcode.PONG, bytearray(b"abc")) == b"\x8a\x03abc"

    def test_a_close_frame_holds_its_code_and_reason(self) -> None:
        assert close_frame(4001, "no app") == b"\x88\x08\x0f\xa1no app"
        assert close_frame(1000) == b"\x88\x02\x03\xe8"

    @pytest.mark.parametrize("reason", ["x" * 500, "й" * 200, "\U0001f600" * 100, "x" + "\U0001f600" * 100])
    def test_a_long_reason_is_cut_at_a_character(self, reason: str) -> None:
        frame = close_frame(4001, reason)
        assert len(frame) <= 127
        assert frame[1] == len(frame) - 2 > 115
        assert reason.startswith(frame[4:].decode())


class TestReading:
    @pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
    def test_a_text_of_every_form_of_length_is_read(self, length: int) -> None:
        assert read(client_frame(b"x" * length), limit=70_000) == [text(b"x" * length)]

    @pytest.mark.parametrize("width", [2, 8])
    def test_a_length_in_more_bytes_than_it_needs_is_read(self, width: int) -> None:
        assert read(client_frame(b"abc", length_bytes=width)) == [text(b"abc")]

    def test_several_frames_in_one_packet_are_read_in_order(self) -> None:
        packet = client_frame(b"a") + client_frame(b"", opcode=Opcode.PING) + client_frame(b"b")
        assert read(packet) == [text(b"a"), whole(Opcode.PING, b""), text(b"b")]

    @pytest.mark.parametrize("length", [3, 200, 70_000])
    def test_a_frame_that_comes_byte_by_byte_is_read_once_it_is_whole(self, length: int) -> None:
        frame = client_frame(b"y" * length)
        reader = FrameReader(70_000)
        # The longest header has 14 bytes.
        for piece in [*(frame[at : at + 1] for at in range(len(frame) - 1))][:14]:
            assert list(reader.receive(piece)) == []
        assert list(reader.receive(frame[14:-1])) == []
        assert list(reader.receive(frame[-1:])) == [text(b"y" * length)]

    def test_a_message_that_comes_drop_by_drop_is_not_copied_for_each_drop(self) -> None:
        frame = client_frame(b"z" * 50_000)
        reader = FrameReader(70_000)
        buffers = set()
        for at in range(0, len(frame) - 10, 10):
            assert list(reader.receive(frame[:-10][at : at + 10])) == []
            buffers.add(id(reader._rest))
        assert len(buffers) == 1
        assert list(reader.receive(frame[-10:] + frame[:5])) == [text(b"z" * 50_000)]
        assert list(reader.receive(frame[5:])) == [text(b"z" * 50_000)]
        assert reader._rest == b""

    def test_a_packet_may_end_within_the_next_frame(self) -> None:
        first, second = client_frame(b"first"), client_frame(b"second")
        assert read(first + second[:3], second[3:]) == [text(b"first"), text(b"second")]

    def test_a_message_in_fragments_is_joined(self) -> None:
        assert read(*fragments(b"one ", b"", b"two ", b"three")) == [text(b"one two three")]

    def test_many_fragments_are_told_of_before_their_message_is_whole(self) -> None:
        """Else they would be read without end while somebody asks for the next message."""
        messages = FrameReader(10).receive(b"".join(fragments(*[b""] * FRAGMENTS_A_MESSAGE * 3, b"a", b"")))
        assert list(messages) == [FRAGMENTS] * 3 + [text(b"a")]

    def test_control_frames_may_come_between_fragments(self) -> None:
        first, middle, last = fragments(b"a", b"b", b"c")
        ping, close = client_frame(b"p", opcode=Opcode.PING), client_frame(b"\x03\xe8", opcode=Opcode.CLOSE)
        assert read(first + ping, middle, close + last) == [
            whole(Opcode.PING, b"p"),
            whole(Opcode.CLOSE, b"\x03\xe8"),
            text(b"abc"),
        ]

    def test_a_control_frame_between_fragments_does_not_count_against_their_limit(self) -> None:
        first, last = fragments(b"x" * 10, b"")
        assert read(first, client_frame(b"ping", opcode=Opcode.PING), last, limit=10) == [
            whole(Opcode.PING, b"ping"),
            text(b"x" * 10),
        ]

    def test_a_character_may_be_split_between_fragments(self) -> None:
        payload = "й\U0001f600".encode()
        assert read(*fragments(*[payload[at : at + 1] for at in range(len(payload))])) == [text(payload)]

    def test_a_message_after_a_fragmented_one_stands_alone(self) -> None:
        assert read(*fragments(b"a", b"b"), client_frame(b"c"), *fragments(b"d", b"e")) == [
            text(b"ab"),
            text(b"c"),
            text(b"de"),
        ]

    def test_binary_and_pong_are_read_with_any_bytes(self) -> None:
        assert read(client_frame(b"\xff\x00", opcode=Opcode.BINARY), client_frame(b"\xff", opcode=Opcode.PONG)) == [
            whole(Opcode.BINARY, b"\xff\x00"),
            whole(Opcode.PONG, b"\xff"),
        ]

    def test_fragments_of_a_binary_message_stay_binary(self) -> None:
        assert read(*fragments(b"\xff", b"\xfe", opcode=Opcode.BINARY)) == [whole(Opcode.BINARY, b"\xff\xfe")]

    def test_nothing_is_read_of_nothing(self) -> None:
        assert read(b"", b"") == []


class TestBreakingTheFraming:
    @pytest.mark.parametrize("bits", [0x40, 0x20, 0x10, 0x70])
    def test_reserved_bits_are_refused(self, bits: int) -> None:
        assert refusal(client_frame(b"x", first=FIN | bits | 0x1)).code == 1002

    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    def test_unknown_opcodes_are_refused(self, opcode: int) -> None:
        error = refusal(client_frame(b"", first=FIN | opcode))
        assert (error.code, str(error)) == (1002, f"unknown opcode {opcode} (1002)")

    @pytest.mark.parametrize("opcode", [0x1, 0x2, 0x8, 0x9, 0xA])
    def test_an_unmasked_frame_is_refused_as_soon_as_its_header_is_there(self, opcode: int) -> None:
        assert refusal(bytes((FIN | opcode, 5))).code == 1002

    @pytest.mark.parametrize("opcode", [Opcode.CLOSE, Opcode.PING, Opcode.PONG])
    def test_a_control_frame_in_fragments_is_refused(self, opcode: int) -> None:
        assert refusal(client_frame(b"", opcode=opcode, fin=False)).code == 1002

    @pytest.mark.parametrize("opcode", [Opcode.CLOSE, Opcode.PING, Opcode.PONG])
    def test_a_control_frame_over_125_bytes_is_refused(self, opcode: int) -> None:
        assert len(read(client_frame(b"\x03\xe8" + b"x" * 123, opcode=opcode))) == 1
        assert refusal(client_frame(b"\x03\xe8" + b"x" * 124, opcode=opcode)).code == 1002
        assert refusal(bytes((FIN | opcode, 0x80 | 127))).code == 1002

    def test_a_continuation_of_nothing_is_refused(self) -> None:
        assert refusal(client_frame(b"x", opcode=Opcode.CONTINUATION)).code == 1002
        assert refusal(client_frame(b"x", opcode=Opcode.CONTINUATION, fin=False)).code == 1002
        assert refusal(*fragments(b"a", b"b"), client_frame(b"c", opcode=Opcode.CONTINUATION)).code == 1002

    @pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
    @pytest.mark.parametrize("fin", [True, False])
    def test_a_new_message_within_a_fragmented_one_is_refused(self, opcode: int, fin: bool) -> None:
        first, _ = fragments(b"a", b"b")
        assert refusal(first, client_frame(b"c", opcode=opcode, fin=fin)).code == 1002

    @pytest.mark.parametrize(
        "payload",
        [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"abc\x80", "й".encode()[:-1]],
    )
    def test_a_text_that_is_no_utf8_is_refused(self, payload: bytes) -> None:
        assert refusal(client_frame(payload)).code == 1007
        assert refusal(*fragments(b"abc", payload)).code == 1007

    @pytest.mark.parametrize("cut", range(1, 5))
    def test_a_wrong_byte_is_refused_before_the_rest_of_the_frame_has_come(self, cut: int) -> None:
        frame = client_frame("ж".encode() * 20 + b"\xff" + b"x" * 50)
        header, wrong = 6, 41
        good = frame[: header + cut], frame[header + cut : header + wrong - 1]
        assert read(*good) == []
        assert refusal(*good, frame[header + wrong - 1 : header + wrong]).code == 1007

    def test_a_wrong_byte_is_refused_before_the_rest_of_the_fragments_has_come(self) -> None:
        first, second, _ = fragments("ж".encode()[:1], b"\xff", b"rest")
        assert refusal(first, second[:6], second[6:7]).code == 1007

    @pytest.mark.parametrize("wrong", [b"\xed\xa0", b"\xed\xbf", b"\xf4\x90", b"\xe0\x9f", b"\xf0\x8f", b"\xc0"])
    def test_the_first_byte_that_cannot_be_there_is_refused_at_once(self, wrong: bytes) -> None:
        start = client_frame("ж".encode() + wrong + b"x" * 50)[: 6 + 2 + len(wrong)]
        assert refusal(start).code == 1007
        assert refusal(*[start[at : at + 1] for at in range(len(start))]).code == 1007
        assert refusal(*fragments("ж".encode(), wrong, b"rest")[:2]).code == 1007

    @pytest.mark.parametrize("character", ["\ud7ff", "\ue000", "\uee00", "\U0010ffff"])
    def test_characters_beside_the_surrogates_are_read_byte_by_byte(self, character: str) -> None:
        frame = client_frame(character.encode())
        assert read(*[frame[at : at + 1] for at in range(len(frame))]) == [text(character.encode())]

    def test_what_is_no_text_is_not_looked_at(self) -> None:
        binary = client_frame(b"\xff" * 50, opcode=Opcode.BINARY)
        assert len(read(binary[:30], binary[30:])) == 1
        pong = client_frame(b"\xff" * 50, opcode=Opcode.PONG)
        assert len(read(pong[:30], pong[30:])) == 1

    def test_a_message_may_be_as_long_as_the_limit_and_no_longer(self) -> None:
        assert read(client_frame(b"x" * 10), limit=10) == [text(b"x" * 10)]
        error = refusal(client_frame(b"x" * 11), limit=10)
        assert (error.code, error.reason) == (1009, "a message may hold 10 bytes")

    def test_fragments_together_may_be_as_long_as_the_limit_and_no_longer(self) -> None:
        assert read(*fragments(b"x" * 5, b"x" * 5), limit=10) == [text(b"x" * 10)]
        assert refusal(*fragments(b"x" * 5, b"x" * 3, b"x" * 3), limit=10).code == 1009

    @pytest.mark.parametrize("length", [1_001, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
    def test_a_length_over_the_limit_is_refused_before_its_payload_has_come(self, length: int) -> None:
        assert refusal(bytes((FIN | 0x1, 0x80 | 127)) + length.to_bytes(8)).code == 1009

    def test_a_length_over_the_limit_in_two_bytes_is_refused_before_its_payload_has_come(self) -> None:
        assert refusal(bytes((FIN | 0x1, 0x80 | 126, 0xFF, 0xFF))).code == 1009

    def test_what_came_before_a_broken_frame_is_still_read(self) -> None:
        reader = FrameReader(100)
        messages = reader.receive(client_frame(b"good") + b"\x00\x00")
        assert next(messages) == text(b"good")
        with pytest.raises(FrameError):
            next(messages)


class TestClosing:
    def test_a_close_without_a_code_has_none(self) -> None:
        assert close_code(b"") == 1005

    @pytest.mark.parametrize(
        "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]
    )
    def test_a_valid_code_is_read_with_or_without_a_reason(self, code: int) -> None:
        assert close_code(code.to_bytes(2)) == code
        assert close_code(bytearray(code.to_bytes(2) + "до свидания".encode())) == code

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
    def test_a_code_that_may_not_be_sent_is_refused(self, code: int) -> None:
        with pytest.raises(FrameError) as refused:
            close_code(code.to_bytes(2))
        assert refused.value.code == 1002

    def test_half_a_code_is_refused(self) -> None:
        with pytest.raises(FrameError) as refused:
            close_code(b"\x03")
        assert refused.value.code == 1002

    def test_a_reason_that_is_no_utf8_is_refused(self) -> None:
        with pytest.raises(FrameError) as refused:
            close_code(b"\x03\xe8\xff")
        assert refused.value.code == 1007


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


FRAMES = st.builds(
    client_frame,
    st.binary(max_size=140),
    opcode=st.sampled_from([0, 1, 2, 8, 9, 10]),
    fin=st.booleans(),
    mask=st.binary(min_size=4, max_size=4),
)
CUTS = st.lists(st.integers(0, 2_000), max_size=8)


@given(payloads=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=8), cuts=CUTS)
def test_texts_are_read_however_the_network_cuts_them(payloads: list[str], cuts: list[int]) -> None:
    data = b"".join(client_frame(payload.encode()) for payload in payloads)
    assert read(*split(data, cuts)) == [text(payload.encode()) for payload in payloads]


def outcome(*pieces: bytes) -> tuple[list[tuple[int, bytes]], int | None]:
    reader = FrameReader(100)
    messages: list[tuple[int, bytes]] = []
    try:
        for piece in pieces:
            # Not a list of them: what comes before an error counts.
            messages.extend((message.opcode, bytes(message.payload)) for message in reader.receive(piece))
    except FrameError as error:
        return messages, error.code
    return messages, None


@given(data=st.binary(max_size=300) | st.lists(FRAMES, max_size=6).map(b"".join), cuts=CUTS)
def test_whatever_bytes_come_they_are_messages_or_broken_framing_however_they_are_cut(
    data: bytes, cuts: list[int]
) -> None:
    messages, code = outcome(data)
    assert outcome(*split(data, cuts)) == (messages, code)
    assert code in {None, 1002, 1007, 1009}
    for opcode, payload in messages:
        assert len(payload) <= 125 if opcode & 0x8 else len(payload) <= 100
        if opcode == Opcode.TEXT:
            payload.decode()


def test_a_compressed_message_where_none_was_agreed_is_our_own_mistake() -> None:
    with pytest.raises(RuntimeError, match="passed the check of its header"):
        FrameReader(1_000)._inflated(Message(Opcode.TEXT, bytearray(b"x")))
