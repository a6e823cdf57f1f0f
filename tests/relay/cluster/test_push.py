"""Messages between nodes: read as they were written, whatever is in them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cluster import push as push_module
from relay.cluster.push import (
    COUNT,
    EVENT,
    KINDS,
    BadPush,
    Count,
    MemberAdded,
    MemberRemoved,
    Push,
    Unsubscribe,
    body_of,
    message,
    push,
    read_body,
    read_entry,
    read_push,
)

IDS = st.from_regex(rb"([0-9]{1,20}-[0-9]{1,5})?", fullmatch=True)
SOCKET_IDS = st.from_regex(rb"([0-9]{1,20}\.[0-9]{1,20})?", fullmatch=True)
BODIES = st.one_of(
    st.builds(MemberAdded, st.text(), st.binary(), st.binary()),
    st.builds(MemberRemoved, st.text(), st.binary()),
    st.builds(Count, st.integers(0, 2**40)),
    st.builds(Unsubscribe, st.none() | st.text()),
)


@given(IDS, st.sampled_from(sorted(KINDS)), SOCKET_IDS, st.binary())
def test_a_push_is_read_as_it_was_written(id_: bytes, kind: bytes, exclude: bytes, body: bytes) -> None:
    written = message(kind, body, exclude)
    assert read_push(push(written, id_)) == Push(id_, kind, exclude, body)
    assert read_entry(id_, written) == Push(id_, kind, exclude, body)


@given(BODIES)
def test_a_body_is_read_as_it_was_written(value: msgspec.Struct) -> None:
    assert read_body(Push(b"", COUNT, b"", body_of(value)), type(value)) == value


def test_a_frame_is_in_its_push_as_it_is() -> None:
    frame = b"\x81\x05he\0lo"
    assert push(message(EVENT, frame, b"12.34"), b"1-0") == b"1-0\0e12.34\0" + frame


def test_kinds_are_single_letters_and_each_is_one_thing() -> None:
    assert len(KINDS) == 10
    assert all(len(kind) == 1 for kind in KINDS)
    named = [value for name, value in vars(push_module).items() if name.isupper() and isinstance(value, bytes)]
    assert sorted(named) == sorted([*KINDS, push_module._END])


@pytest.mark.parametrize("payload", [b"", b"no end", b"1-0\0only one"])
def test_what_is_not_a_push_is_refused(payload: bytes) -> None:
    with pytest.raises(BadPush):
        read_push(payload)


def test_what_is_not_an_entry_is_refused() -> None:
    with pytest.raises(BadPush):
        read_entry(b"1-0", b"no end")


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91\xa1x", b"\x90"])
def test_what_is_not_a_body_is_refused(body: bytes) -> None:
    with pytest.raises(BadPush):
        read_body(Push(b"", COUNT, b"", body), Count)


@given(st.binary(max_size=40))
def test_no_bytes_break_the_readers_otherwise(payload: bytes) -> None:
    for read in (read_push, lambda found: read_entry(b"1-0", found)):
        try:
            found = read(payload)
        except BadPush:
            continue
        assert found.body in payload
