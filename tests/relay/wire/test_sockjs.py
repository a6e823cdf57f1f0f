import json

import pytest
from hypothesis import given

from relay.wire.decoding import Malformed
from relay.wire.sockjs import MAX_MESSAGES, PONG, close_frame, messages_frame, parse_messages
from tests.helpers.json_values import TEXTS


def test_messages_are_one_line_whatever_they_hold() -> None:
    frame = messages_frame([b'{"event":"a"}', '"й\\n"'.encode()])
    assert (frame[:1], frame[-1:], frame.count(b"\n")) == (b"a", b"\n", 1)
    assert json.loads(frame[1:]) == ['{"event":"a"}', '"й\\n"']


def test_a_close_names_code_and_reason() -> None:
    assert close_frame(4001, 'no "app"') == b'c[4001,"no \\"app\\""]\n'


def test_the_answer_to_a_ping_is_no_heartbeat() -> None:
    assert PONG == b"a[]\n"


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (b"[]", []),
        (b'["{\\"event\\":\\"pusher:ping\\"}"]', [b'{"event":"pusher:ping"}']),
        (b' ["a", "b"] ', [b"a", b"b"]),
        ('["й"]'.encode(), ["й".encode()]),
        (rb'["\"\\ud83d\"", "\"\ud83d\""]', [rb'"\ud83d"', rb'"\ud83d"']),
    ],
)
def test_what_a_client_sends_is_a_list_of_texts(body: bytes, messages: list[bytes]) -> None:
    assert parse_messages(body) == messages


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b'"a"', b"[1]", b"[null]", b"[[]]", b'["a"', b"\xff", b"[" * 9_000]
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_messages(body)


@pytest.mark.parametrize("first", [b'""', rb'"\ud800"'])
def test_a_request_holds_a_bounded_number_of_messages(first: bytes) -> None:
    most = b"[" + first + b',""' * (MAX_MESSAGES - 1)
    assert len(parse_messages(most + b"]")) == MAX_MESSAGES
    with pytest.raises(Malformed, match="length <= 4096"):
        parse_messages(most + b',""]')


@given(TEXTS)
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    assert parse_messages(messages_frame([text.encode()])[1:]) == [text.encode()]
