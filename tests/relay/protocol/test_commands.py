import json

import pytest
from hypothesis import given

from relay.protocol.commands import ClientEvent, Command, Ping, Pong, Subscribe, Unsubscribe, parse
from relay.protocol.errors import MessageRefused
from tests.helpers.json_values import JSON, MESSAGES, TEXTS


@pytest.mark.parametrize(
    ("message", "command"),
    [
        (b'{"event":"pusher:subscribe","data":{"channel":"a"}}', Subscribe("a")),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","auth":""}}', Subscribe("a", "")),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","auth":null,"channel_data":null}}', Subscribe("a")),
        (
            b'{"event":"pusher:subscribe","data":{"auth":"k:s","channel_data":"{\\"user_id\\": 1}","channel":"presence-a"}}',
            Subscribe("presence-a", "k:s", '{"user_id": 1}'),
        ),
        (b'{"event":"pusher:subscribe","data":"{\\"channel\\":\\"a\\"}"}', Subscribe("a")),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","since":""}}', Subscribe("a", since="")),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","since":null}}', Subscribe("a")),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","more":[1]},"more":1}', Subscribe("a")),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","channel":"b"}}', Subscribe("b")),
        (b'{"event":"pusher:unsubscribe","data":{"channel":"a"}}', Unsubscribe("a")),
        (b'{"event":"pusher:unsubscribe","data":"{\\"channel\\":\\"a\\"}"}', Unsubscribe("a")),
        (b'{"event":"pusher:ping","data":{}}', Ping()),
        (b'{"event":"pusher:ping"}', Ping()),
        (b'{"event":"pusher:ping","data":"{}"}', Ping()),
        (b'{"event":"pusher:pong","data":{}}', Pong()),
        (b' {"data" : {} , "event" : "pusher:pong"}\n', Pong()),
        (
            b'{"event":"client-x","channel":"private-a","data":{"b" : [1,2.50]}}',
            ClientEvent("client-x", "private-a", b'{"b" : [1,2.50]}'),
        ),
        (b'{"event":"client-","channel":"private-a"}', ClientEvent("client-", "private-a", b"null")),
    ],
)
def test_a_message_becomes_its_command(message: bytes, command: object) -> None:
    assert parse(message) == command
    assert parse(bytearray(message)) == command


@pytest.mark.parametrize(
    ("message", "explanation"),
    [
        (b"", "Invalid message: Input data was truncated"),
        (b"hello", "Invalid message: JSON is malformed"),
        (b"[]", "Invalid message: Expected `object`, got `array`"),
        (b"{}", "Invalid message: Object missing required field `event`"),
        (b'{"event":null}', r"Expected `str`, got `null` - at `\$.event`"),
        (b'{"event":1}', r"Expected `str`, got `int` - at `\$.event`"),
        (b'{"event":"pusher:subscribe"}', "Invalid message: Expected `object`, got `null`"),
        (b'{"event":"pusher:subscribe","data":[]}', "Expected `object`, got `array`"),
        (b'{"event":"pusher:subscribe","data":{}}', "missing required field `channel`"),
        (b'{"event":"pusher:subscribe","data":""}', "Input data was truncated"),
        (b'{"event":"pusher:subscribe","data":"\\"{}\\""}', "Expected `object`, got `str`"),
        (b'{"event":"pusher:subscribe","data":{"channel":1}}', r"Expected `str`, got `int` - at `\$.channel`"),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","auth":1}}', r"at `\$.auth`"),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","channel_data":{}}}', r"at `\$.channel_data`"),
        (b'{"event":"pusher:subscribe","data":{"channel":"a","since":7}}', r"at `\$.since`"),
        (b'{"event":"pusher:unsubscribe","data":{}}', "missing required field `channel`"),
        (b'{"event":"client-x"}', "a client event names its channel"),
        (b'{"event":"client-x","channel":null}', "a client event names its channel"),
        (b'{"event":"client-x","channel":["a"]}', r"at `\$.channel`"),
        (b'{"event":"client-x","channel":"private-a","data":}', "malformed"),
        (b'{"event":"client-\\ud800","channel":"private-a"}', "half of a character"),
        (b'{"event":"client-x","channel":"private-a","data":' + b"[" * 60_000, "recursion"),
        (b'{"event":""}', "Unknown event ''"),
        (b'{"event":"pusher:signin","data":{}}', "Invalid message: Object missing required field `auth`"),
        (
            b'{"event":"Client-x","channel":"private-a"}',
            "Unknown event 'Client-x': a client's own events begin with 'client-'",
        ),
        (b'{"event":"pusher_internal:member_added","channel":"presence-a"}', "Unknown event"),
    ],
)
def test_any_other_message_is_refused_and_the_text_says_what_was_expected(message: bytes, explanation: str) -> None:
    with pytest.raises(MessageRefused, match=explanation):
        parse(message)


def test_an_unknown_event_is_repeated_only_in_part() -> None:
    with pytest.raises(MessageRefused) as refused:
        parse(b'{"event":"' + b"x" * 10_000 + b'"}')
    assert len(str(refused.value)) < 300


@given(MESSAGES)
def test_whatever_a_client_says_is_a_command_or_refused(message: bytes) -> None:
    outcome: Command | MessageRefused
    try:
        outcome = parse(message)
    except MessageRefused as refused:
        outcome = refused
    assert isinstance(outcome, Command) or outcome.message


@given(name=TEXTS, data=JSON)
def test_the_data_of_a_client_event_is_kept_byte_for_byte(name: str, data: object) -> None:
    text = json.dumps(data, indent=1)
    event = json.dumps(f"client-{name}")
    command = parse(f'{{"event":{event},"channel":"private-a","data":{text}}}'.encode())
    assert command == ClientEvent(f"client-{name}", "private-a", text.encode())
