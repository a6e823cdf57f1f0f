"""What can be seen of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_api.rules.visible import clean_name, shows_something

NOT_SEEN = [
    "",
    " \t\n",
    "\u200b",
    "\u200b\u200b \u2060",
    "\ufeff",
    "\u202e",
    "\u2066\u2069",
    "\u00ad",
    "\u200d",
    "\u200c \u200d",
    "\x07\x1b",
    "\u3164",
    "\u2800\u115f",
    "\u180e\u180b",
    "\U000e0041\U000e0020",
    "\ufe0f",
    "\u0301",
    "\U0001d159",
    "\U00016fe4",
    "\U000e0080",
]


@pytest.mark.parametrize("text", NOT_SEEN)
def test_a_text_of_what_cannot_be_seen_shows_nothing(text: str) -> None:
    assert not shows_something(text)
    assert clean_name(text) == ""


@pytest.mark.parametrize("text", ["x", "7", "?", "ж", "☺", "\u200bx", "👨\u200d👩\u200d👧", "1️⃣", "مریم", "名"])
def test_one_sign_is_enough_to_show_something(text: str) -> None:
    assert shows_something(text)
    assert clean_name(text)


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("  Anna \t Maria\n", "Anna Maria"),
        ("A\u200bnn\u2060a\ufeff", "Anna"),
        ("\u202egnp.annA", "gnp.annA"),
        ("Anna\u2066\u2069\u200e\u200f\u061c", "Anna"),
        ("An\x07na\x1b[31m", "Anna[31m"),
        ("Anna\u2028Maria", "Anna Maria"),
        ("Anna \u200b Maria", "Anna Maria"),
        ("An\u00adna\U000e0041", "Anna"),
        ("\u200dAnna\u200d", "Anna"),
        ("An\u200d\u200d\u200cna", "An\u200cna"),
        ("\u3164Anna\u2800", "Anna"),
        ("An\ufe00na\U000e0100", "Anna"),
        ("❤\ufe0f\ufe0f\ufe00", "❤\ufe0f"),
        ("Anna\u2065\ufff0\U000e0000\U000e0fff", "Anna"),
        ("A\u0301" + "\u0301" * 90 + "nna", "A" + "\u0301" * 6 + "nna"),
    ],
)
def test_a_name_loses_what_cannot_be_seen(given_name: str, shown: str) -> None:
    assert clean_name(given_name) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Ольга",
        "O'Neill-Čapek, Jr.",
        "علی\u200cرضا",
        "क्\u200dष",
        "👨\u200d👩\u200d👧",
        "🏳️\u200d🌈 Alex",
        "❤️",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f Harry",
        "José",
        "Jose\u0301",
        "עמית",
        "葛\U000e0100城",
        "1️⃣",
        "ᠪ\u180bᠡ",
        "བསྒྲུབས",
        "ש\u05c1\u05b8\u0591לום",
        "김철수",
    ],
)
def test_the_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    assert clean_name(name) == name


@given(st.text())
def test_a_clean_name_is_clean(text: str) -> None:
    name = clean_name(text)
    assert clean_name(name) == name
    assert name == " ".join(name.split())
    assert not set(name) & set("\u200b\u202e\u202d\u2066\u2067\u2068\u2069\ufeff\n\x00\x1b")
