"""Lists of origins, and the Origin headers that are on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushdesk.origins import BadOrigin, Origins, authority_of

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("entry", "normal"),
    [
        ("*", "*"),
        ("-", "-"),
        (SHOP, SHOP),
        ("https://shop.example/", SHOP),
        ("HTTPS://Shop.Example", SHOP),
        ("https://shop.example:443", SHOP),
        ("https://shop.example:00443/", SHOP),
        ("http://shop.example:80", "http://shop.example"),
        ("https://shop.example:80", "https://shop.example:80"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[0:0:0:0:0:0:0:1]:8000", "http://[::1]:8000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
        ("Shop.Example", "shop.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[0::1]", "[::1]"),
        ("xn--80aaxitdbjk.example", "xn--80aaxitdbjk.example"),
        ("my_shop.example", "my_shop.example"),
        ("*.Shop.Example", "*.shop.example"),
    ],
)
def test_an_entry_is_brought_into_the_form_that_browsers_send(entry: str, normal: str) -> None:
    assert Origins([entry]).entries == (normal,)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " ",
        "null",
        "NULL",
        "https://null",
        "**",
        "*.",
        "*.*",
        "*.*.example",
        "*shop.example",
        "shop.*",
        "https://*",
        "https://*.shop.example",
        "https://",
        "https:shop.example",
        "//shop.example",
        "https://shop.example//",
        "https://shop.example/shop",
        "https://shop.example?",
        "https://shop.example#",
        "https://user@shop.example",
        "https://shop.example:",
        "https://shop.example:x",
        "https://shop.example:65536",
        "https://shop.example:٤٤٣",
        "htps://shop.example",
        "ftp://shop.example",
        "file://",
        "shop.example:8080",
        "shop.example/",
        "shop..example",
        ".shop.example",
        "shop.example.",
        "-shop.example",
        "https://shop-.example",
        "shop example",
        "shop.example,other.example",
        f"{SHOP} ",
        f"{SHOP}\n",
        "магазин.example",
        "https://магазин.example",
        "http://[",
        "http://[::1",
        "[::1",
        "[]",
        "[shop]",
        "[1.2.3.4]",
        "::1",
        "x" * 64,
        ".".join(["x" * 49] * 6),
        "--",
    ],
)
def test_what_no_origin_could_ever_match_is_refused_by_its_name(entry: str) -> None:
    with pytest.raises(BadOrigin) as refused:
        Origins([SHOP, entry])
    assert str(refused.value).startswith(repr(entry))


def test_a_name_outside_ascii_is_asked_for_as_browsers_send_it() -> None:
    with pytest.raises(BadOrigin, match="xn--"):
        Origins(["магазин.example"])


ORIGINS = [
    SHOP,
    "HTTPS://SHOP.example:443",
    "http://shop.example",
    "http://shop.example:8080",
    "https://a.shop.example",
    "http://b.a.shop.example:8080",
    "https://evilshop.example",
    "https://shop.example.evil",
    "capacitor://localhost",
    "null",
    None,
]


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        ("*", ORIGINS),
        ("-", [None]),
        (SHOP, ORIGINS[:2]),
        ("https://shop.example:443/", ORIGINS[:2]),
        ("http://shop.example:8080", ORIGINS[3:4]),
        ("shop.example", ORIGINS[:4]),
        ("*.shop.example", ORIGINS[4:6]),
        ("capacitor://localhost", ["capacitor://localhost"]),
        ("other.example", []),
    ],
)
def test_an_entry_allows_what_it_names_and_nothing_else(entry: str, allowed: list[str | None]) -> None:
    assert [origin for origin in ORIGINS if Origins([entry]).allows(origin)] == allowed


def test_a_list_allows_what_any_of_its_entries_does_and_an_empty_one_nothing() -> None:
    several = Origins([SHOP, "*.b.example", "-"])
    assert all(several.allows(origin) for origin in (SHOP, "http://x.b.example", None))
    assert not several.allows("https://b.example")
    assert not any(Origins([]).allows(origin) for origin in ORIGINS)


@pytest.mark.parametrize(
    "origin",
    ["", "nonsense", "http://[", "http://[::1", "http://[shop]", "http://a]b", f"{SHOP}:99999", f"{SHOP}/", f" {SHOP}"],
)
def test_what_is_no_origin_is_on_no_list_that_names_some(origin: str) -> None:
    assert not Origins([SHOP, "shop.example", "*.example", "-"]).allows(origin)
    assert Origins(["*"]).allows(origin)


@given(st.text(max_size=60) | st.builds("{}://{}".format, st.text(max_size=9), st.text("[]:@.0a/\\", max_size=20)))
def test_any_text_has_an_answer(text: str) -> None:
    assert Origins([SHOP, "[::1]", "*.example", "-"]).allows(text) in (True, False)
    authority = authority_of(text)
    assert authority is None or authority in text.lower()


@given(
    st.text(max_size=30)
    | st.sampled_from(["", "https://"]).flatmap(lambda scheme: st.from_regex(f"{scheme}[a-z.:/0-9-]{{1,9}}"))
)
def test_an_entry_is_refused_or_means_the_same_when_it_is_read_again(text: str) -> None:
    try:
        entries = Origins([text]).entries
    except BadOrigin:
        return
    assert Origins(entries).entries == entries


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (SHOP, "shop.example"),
        ("http://Shop.example:8080", "shop.example:8080"),
        ("http://[::1]:80", "[::1]:80"),
        ("null", None),
        ("http://[", None),
        ("", None),
        (None, None),
    ],
)
def test_the_authority_is_host_and_port_as_a_host_header_has_them(origin: str | None, authority: str | None) -> None:
    assert authority_of(origin) == authority
