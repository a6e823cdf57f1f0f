import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.masking import unmask

MASKS = st.binary(min_size=4, max_size=4)


def slowly(mask: bytes, payload: bytes) -> bytes:
    """RFC 6455 5.3, word for word."""
    return bytes(octet ^ mask[at % 4] for at, octet in enumerate(payload))


def test_the_example_of_the_rfc_is_unmasked() -> None:
    # 5.7: "a single-frame masked text message" that contains "Hello".
    assert unmask(bytes.fromhex("37fa213d"), bytes.fromhex("7f9f4d5158")) == b"Hello"


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1_000, 65_537])
def test_payloads_of_every_alignment_are_unmasked(length: int) -> None:
    payload = bytes(at % 251 for at in range(length))
    assert unmask(b"\x01\xff\x80\x7f", payload) == slowly(b"\x01\xff\x80\x7f", payload)


@given(mask=MASKS, payload=st.binary(max_size=300))
def test_unmasking_is_the_rule_of_the_rfc(mask: bytes, payload: bytes) -> None:
    assert unmask(mask, payload) == slowly(mask, payload)


@given(mask=MASKS, payload=st.binary(max_size=300))
def test_masking_twice_gives_the_payload_back_and_leaves_the_input_alone(mask: bytes, payload: bytes) -> None:
    before = bytes(bytearray(payload))
    assert unmask(mask, bytes(unmask(mask, payload))) == payload == before


def test_the_result_is_the_callers_own() -> None:
    unmasked = unmask(bytes(4), b"ab")
    unmasked.extend(b"c")
    assert unmasked == b"abc"
