import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.bodies import Body, ChunkedBody, SizedBody, TooLong, body_of
from relay.wire.http import Framing, HttpError

LIMIT = 1_000


def read(body: Body, data: bytes, size: int) -> bytes | None:
    """Feed the data in pieces of this size; what follows the body."""
    for at in range(0, len(data), size):
        rest = body.feed(data[at : at + size])
        if rest is not None:
            return rest + data[at + size :]
    return None


def chunks(*parts: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts]) + last


class TestSizedBodies:
    @given(st.binary(max_size=50), st.binary(max_size=20), st.integers(1, 60))
    def test_however_it_is_cut_the_body_is_read_and_what_follows_is_left(
        self, data: bytes, rest: bytes, size: int
    ) -> None:
        body = SizedBody(len(data))
        assert (body.feed(b"") or b"") + (read(body, data + rest, size) or b"") in {rest, b""}
        assert bytes(body.data) == data

    def test_a_body_that_is_not_whole_wants_more(self) -> None:
        assert SizedBody(3).feed(b"ab") is None


class TestChunkedBodies:
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.binary(max_size=20), st.integers(1, 60))
    def test_however_it_is_cut_the_body_is_read_and_what_follows_is_left(
        self, parts: list[bytes], rest: bytes, size: int
    ) -> None:
        body = ChunkedBody(LIMIT)
        assert read(body, chunks(*parts) + rest, size) == rest
        assert bytes(body.data) == b"".join(parts)

    @pytest.mark.parametrize(
        "data",
        [
            b"5;name=value\r\nhello\r\n0\r\n\r\n",
            b"5 ; name\r\nhello\r\n0;last\r\n\r\n",
            b"005\r\nhello\r\n000\r\n\r\n",
            chunks(b"hello", last=b"0\r\nTrailer: x\r\nOther:\r\n\r\n"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 1_000])
    def test_what_is_said_beside_the_body_is_left_out(self, data: bytes, size: int) -> None:
        body = ChunkedBody(LIMIT)
        assert read(body, data, size) == b""
        assert body.data == b"hello"

    @pytest.mark.parametrize(
        "data",
        [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b"1_0\r\n",
            b" 1\r\n",
            b"1 \r\n",
            b"1 2\r\n",
            b"1" * 17 + b"\r\n",
            b"1;\x00\r\n",
            b"1;a\nb\r\n",
            b"1;" + b"a" * 300,
            b"1;" + b"a" * 300 + b"\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"0\r\nA: b\r\n folded\r\n\r\n",
            b"0\r\n" + b"A: b\r\n" * 1_000,
            b"0\r\nA: " + b"b" * 5_000,
        ],
    )
    @pytest.mark.parametrize("size", [1, 10_000])
    def test_what_are_no_chunks_is_refused(self, data: bytes, size: int) -> None:
        with pytest.raises(HttpError) as refused:
            read(ChunkedBody(LIMIT), data, size)
        assert refused.value.response.status == 400

    def test_a_body_of_the_limit_is_read_and_a_longer_one_refused_when_it_says_so(self) -> None:
        body = ChunkedBody(LIMIT)
        assert read(body, chunks(b"a" * 600, b"b" * 400), 10_000) == b""
        assert len(body.data) == LIMIT
        for data in (chunks(b"a" * 600)[:-5] + b"191\r\n", b"3e9\r\n", b"ffffffffffffffff\r\n"):
            with pytest.raises(TooLong):
                read(ChunkedBody(LIMIT), data, 10_000)


def test_a_framing_says_what_reads_the_body() -> None:
    assert isinstance(body_of(Framing(None, is_last=False), LIMIT), ChunkedBody)
    assert isinstance(body_of(Framing(LIMIT, is_last=False), LIMIT), SizedBody)
    with pytest.raises(TooLong):
        body_of(Framing(LIMIT + 1, is_last=False), LIMIT)
