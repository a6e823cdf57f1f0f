import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from relay.wire.decoding import Malformed, decoder
from tests.helpers.json_values import MESSAGES


class Shape(Struct):
    name: str
    rest: Raw = Raw(b"null")


decode = decoder(Shape)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_json_of_the_shape_is_decoded(kind: type[bytes] | type[bytearray]) -> None:
    shape = decode(kind(b'{"name":"\\u0000\\"x","rest":[1, 2]}'))
    assert (shape.name, bytes(shape.rest)) == ('\x00"x', b"[1, 2]")


def test_text_is_decoded() -> None:
    assert decode('{"name":"é"}').name == "é"


def test_of_a_repeated_name_the_last_one_counts() -> None:
    assert decode(b'{"name":"a","name":"b"}').name == "b"


@pytest.mark.parametrize(
    ("data", "explanation"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b'{"name":"a"} x', "malformed"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `name`"),
        (b'{"name":1}', r"Expected `str`, got `int` - at `\$.name`"),
        (b'{"name":"\xff"}', "utf-8"),
        (b'{"name":"\xed\xa0\x80"}', "utf-8"),
        (b'{"name":"\\ud800 and more"}', "half of a character"),
        (b'{"name":"\\udc00"}', "half of a character"),
        (b'{"name":"a\nb"}', "malformed"),
        (b'{"name":"a","rest":"\\x"}', "malformed"),
        (b'{"name":"a","rest":NaN}', "malformed"),
        (b'{"name":"a","rest":01}', "malformed"),
        (b'{"name":"a","rest":' + b"[" * 100_000, "recursion"),
        (b'{"name":"a","rest":' + b'{"a":' * 100_000, "recursion"),
        (b'{"name":"a","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "recursion"),
        ("\ufeff{}", "malformed"),
        ('{"name":"\ud800"}', "surrogates not allowed"),
    ],
)
def test_wrong_json_is_malformed_and_the_text_says_why(data: bytes | str, explanation: str) -> None:
    with pytest.raises(Malformed, match=explanation):
        decode(data)


def test_a_number_of_any_size_may_stand_where_nobody_reads_it() -> None:
    number = b"9" * 5_000
    assert bytes(decode(b'{"name":"a","rest":' + number + b"}").rest) == number


@given(MESSAGES | st.text())
def test_whatever_comes_is_decoded_or_malformed(data: bytes | str) -> None:
    outcome: Shape | Malformed
    try:
        outcome = decode(data)
    except Malformed as error:
        outcome = error
    assert isinstance(outcome, Shape) or str(outcome)
