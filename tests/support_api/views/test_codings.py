"""Which content coding a client takes."""

import pytest

from support_api.views.codings import choose_coding

ALL = ("identity", "br", "gzip")


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("br", "br"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP , BR", "br"),
        ("gzip;q=1.0, br;q=0.9", "gzip"),
        ("gzip;q=0.5, br;q=0.5", "br"),
        ("gzip ; q=0.001", "gzip"),
        ("gzip;q=0", "identity"),
        ("br;q=0, *", "gzip"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("gzip;q=0.5, identity", "identity"),
        ("gzip;q=0.5, *;q=0", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity;q=0", "identity"),
        ("deflate, zstd", "identity"),
        ("xbr, gzipped", "identity"),
        ("br;q=x, gzip;q=2, *;q=nan", "identity"),
        (",;,br;level=1;q=0.5,;q=1", "br"),
    ],
)
def test_the_header_decides_by_its_weights(header: str | None, coding: str) -> None:
    assert choose_coding(header, ALL) == coding


def test_only_what_is_there_is_chosen() -> None:
    assert choose_coding("br, gzip;q=0.1", ("identity", "gzip")) == "gzip"
    assert choose_coding("br, gzip", ("identity",)) == "identity"
