"""Messages between nodes: read as they were written, whatever is in them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from relay.cluster import push
from relay.cluster.push import message, message_of, split_message, split_push

KINDS = {value for name, value in vars(push).items() if name.isupper() and isinstance(value, bytes)} - {push._END}

IDS = st.from_regex(rb"([0-9]{1,20}-[0-9]{1,5})?", fullmatch=True)
SOCKET_IDS = st.none() | st.from_regex(r"[0-9]{1,20}\.[0-9]{1,20}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"))
BODIES = st.one_of(
    st.tuples(st.just(push.MemberAdded), st.tuples(TEXTS, TEXTS)),
    st.tuples(st.just(push.MemberRemoved), TEXTS),
    st.tuples(st.just(push.Count), st.integers(0, 2**40)),
    st.tuples(st.just(push.Unsubscribe), st.tuples(st.none() | TEXTS)),
    st.tuples(st.just(push.Control), st.lists(TEXTS | st.binary() | st.floats(0, 1))),
)


@given(IDS, st.sampled_from(sorted(KINDS)), SOCKET_IDS, st.binary())
def test_a_push_is_read_as_it_was_written(entry_id: bytes, kind: bytes, exclude: str | None, body: bytes) -> None:
    written = message(kind, body, exclude)
    assert split_push(push.push(written, entry_id)) == (entry_id, written)
    assert split_message(written) == (kind, exclude, body)


@given(BODIES)
def test_a_value_is_read_as_it_was_written(shaped: tuple[Any, Any]) -> None:
    shape, value = shaped
    _, _, body = split_message(message_of(push.CONTROL, value))
    assert msgpack.decode(body, type=shape) == value


def test_a_frame_is_in_its_push_as_it_is() -> None:
    frame = b"\x81\x05he\0lo"
    assert push.push(message(push.EVENT, frame, "12.34"), b"1-0") == b"1-0\0e12.34\0" + frame


def test_kinds_are_ten_single_letters() -> None:
    assert len(KINDS) == 10
    assert all(len(kind) == 1 and kind.isalpha() for kind in KINDS)


@pytest.mark.parametrize("split", [split_push, split_message])
def test_what_no_node_has_written_is_refused(split: Any) -> None:
    with pytest.raises(ValueError, match="unpack"):
        split(b"no end")
