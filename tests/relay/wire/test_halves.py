import json
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from relay.wire import halves
from relay.wire.decoding import Malformed, decoder
from relay.wire.halves import json_bytes, stand_ins_for, text_json

HALF = "\ud83d"
# Any text of JavaScript: halves of characters too.
TEXTS = st.text(st.characters() | st.sampled_from([HALF, "\ude00", "\\", "\ue000"]), max_size=20)


class Item(Struct):
    name: str
    data: str = ""
    rest: Raw = Raw(b"null")


class Batch(Struct):
    items: list[Item]
    names: list[str] = []


class Frozen(Struct, frozen=True):
    name: str
    other: str | None = None


decode = decoder(Item, passes_on=("data",))


@pytest.mark.parametrize(
    "rest",
    [
        rb'"\ud83d"',
        rb'"\uD83d and more"',
        rb'"\ude00"',
        rb'"\ud83d\ud83d\ude00\ude00"',
        rb'"\ud83d\u0041"',
        rb'"\\\ud83d\\ud83d"',
        rb'{"\ud83d": [ "\udfff" , "\u00e9\n\/" ]}',
        rb'"\ue000 \ud83d"',
        rb'"\\ue000\uD83D\ud83d"',
        '"\ue000\\ud83d \U0001f600"'.encode(),
    ],
)
def test_json_that_is_not_read_is_passed_on_byte_for_byte(rest: bytes) -> None:
    item = decode(b'{"name":"a","rest":%b}' % rest)
    assert bytes(item.rest) == rest


@pytest.mark.parametrize("kind", [bytes, bytearray, Raw, bytes.decode])
def test_a_text_that_is_passed_on_keeps_its_halves(kind: type[bytes]) -> None:
    item = decode(kind(rb'{"name":"a","data":"\ude00 \ud83d\u0041\ud83d\ude00\ue000","rest":"\ud83d"}'))
    assert item.data == "\ude00 \ud83dA\U0001f600\ue000"
    assert bytes(item.rest) == rb'"\ud83d"'


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (rb'{"name":"\ud83d"}', r"half of a character, \ud83d without its other half, in `name`"),
        (rb'{"name":"x \uDE00"}', r"half of a character, \ude00 without its other half, in `name`"),
        (rb'{"name":1,"rest":"\ud83d"}', "Expected `str`, got `int` - at `$.name`"),
        (rb'{"rest":"\ud83d"}', "missing required field `name`"),
        (rb'{"name":"a","rest":"\ud83d","x":}', "malformed"),
        (rb'{"name":"a","rest":"\ud83d', "truncated"),
        (rb'{"name":"a","rest":"\ud83d"}' + b"\\", "trailing"),
    ],
)
def test_names_may_hold_no_halves_and_other_faults_are_named_as_ever(data: bytes, fault: str) -> None:
    with pytest.raises(Malformed) as malformed:
        decode(data)
    assert fault in str(malformed.value)


def test_every_item_of_a_list_is_looked_at() -> None:
    decode_batch = decoder(Batch, passes_on=("data",))
    batch = decode_batch(rb'{"items":[{"name":"a"},{"name":"b","data":"\ud83d","rest":["\ud83d"]}],"names":["c"]}')
    assert [(item.name, item.data, bytes(item.rest)) for item in batch.items] == [
        ("a", "", b"null"),
        ("b", HALF, rb'["\ud83d"]'),
    ]
    for wrong in (rb'{"items":[{"name":"\ud83d"}]}', rb'{"items":[],"names":["c","\ud83d"]}'):
        with pytest.raises(Malformed, match="half of a character"):
            decode_batch(wrong)


def test_a_frozen_value_is_looked_at_too() -> None:
    decode_frozen = decoder(Frozen)
    assert decode_frozen(rb'{"name":"a","nobody reads":"\ud83d"}') == Frozen("a")
    with pytest.raises(Malformed, match="in `other`"):
        decode_frozen(rb'{"name":"a","other":"\ud83d"}')


def test_nothing_stands_in_where_there_are_no_halves() -> None:
    for data in (b"", b'{"name":', rb'"\\ud83d \ud83d\ude00 \u0041"', HALF):
        assert stand_ins_for(data) is None


def test_more_kinds_of_halves_than_can_be_told_apart_are_malformed() -> None:
    private = "".join(map(chr, range(0xE000, 0xF8FE)))
    few, many = rb"\ud83d\ud83D", rb"\ud83d\ud83D\uD83D"
    for spelled, is_read in ((few, True), (many, False)):
        data = json.dumps({"name": private}).encode()[:-1] + b',"rest":"%b"}' % spelled
        if is_read:
            assert bytes(decode(data).rest) == b'"%b"' % spelled
            continue
        with pytest.raises(Malformed):
            decode(data)


@pytest.mark.parametrize("length", [0, 6_400])
def test_more_halves_than_cut_texts_have_are_malformed(length: int) -> None:
    start = b'{"name":"%b","data":"' % (b"x" * length)
    # 64, and one more in 64 bytes.
    most = next(count for count in range(64, 1_000) if count == 64 + (len(start) + 6 * count + 2) // 64)
    assert decode(start + rb"\ud83d" * most + b'"}').data == HALF * most
    with pytest.raises(Malformed):
        decode(start + rb"\ud83d" * (most + 2) + b'"}')


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls."""
    seen: list[str] = []
    sys.setprofile(lambda frame, event, argument: seen.append(event))
    try:
        work()
    finally:
        sys.setprofile(None)
    return sum(event in {"call", "c_call"} for event in seen)


@pytest.mark.parametrize("text", [rb"\ud83d", rb"\ud83d" + rb"\n" * 500, rb"\ud83d" + rb"\ud83d\ude00" * 500])
def test_what_a_half_costs_does_not_depend_on_what_could_stand_for_it_or_stands_beside_it(text: bytes) -> None:
    assert calls(lambda: decode(b'{"name":"a","data":"%b"}' % text)) < 100


@given(name=st.text(max_size=5), data=TEXTS, rest=TEXTS)
@pytest.mark.parametrize("is_ascii", [True, False])
def test_whatever_is_passed_on_comes_out_as_it_was(is_ascii: bool, name: str, data: str, rest: str) -> None:
    raw = json.dumps(rest).encode()
    head = json.dumps({"name": name, "data": data}, ensure_ascii=is_ascii or bool(set(data + name) & CUT))
    item = decode(head.encode()[:-1] + b',"rest":' + raw + b"}")
    assert (item.name, item.data, bytes(item.rest)) == (name, as_pairs(data), raw)


# Halves as characters, which UTF-8 cannot hold.
CUT = set(map(chr, range(0xD800, 0xE000)))


def as_pairs(text: str) -> str:
    """`text` with halves that meet as the character that they are."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(TEXTS)
def test_a_text_becomes_the_same_text_in_json(text: str) -> None:
    assert json.loads(text_json(text)) == as_pairs(text)
    assert json.loads(halves.dumps({"a": text})) == {"a": as_pairs(text)}
    assert halves.loads(text_json(text)) == as_pairs(text)
    assert text_json(text).decode()


def test_a_text_without_halves_is_written_as_ever() -> None:
    assert text_json('й"\n') == '"й\\"\\n"'.encode()
    assert text_json(f"й{HALF}й") == r'"й\ud83dй"'.encode()


def test_a_message_with_halves_that_were_no_escapes_gets_escapes() -> None:
    assert json_bytes('{"a":"й"}') == '{"a":"й"}'.encode()
    assert json_bytes('{"a":"й' + HALF + '"}') == r'{"a":"й\ud83d"}'.encode()


def test_what_is_no_json_is_refused_all_the_same() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        halves.loads(b"{")
    with pytest.raises(TypeError, match="not JSON serializable"):
        halves.dumps({"a": object()})
