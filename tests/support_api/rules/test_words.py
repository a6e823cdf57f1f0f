"""What counts as a word, and what of a text is shown."""

import pytest

from support_api.rules import words as rules
from support_api.rules.words import EXCERPT, WORD_LENGTH, Part, excerpt, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ещё ЁЛКА, ёлка!", ["еще", "елка"]),
        ("anna.b@Example.com", ["anna", "b", "example", "com"]),
        ("Straße №17_a", ["strasse", "no17", "a"]),
        ("\"; DROP TABLE x -- ' \\ * ( ) : & | ! NEAR", ["drop", "table", "x", "near"]),
        ("… — ?!", []),
        ("", []),
        ("я" * 5000, ["я" * WORD_LENGTH]),
        ("\u0435\u0308лка", ["елка"]),
    ],
)
def test_a_text_is_cut_into_words_without_case_and_signs(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_an_excerpt_shows_what_was_found_in_parts_that_make_up_the_text() -> None:
    parts = excerpt("Где моя Посылка? Посылки нет", ["посылк", "я"])
    assert parts == [
        Part("Где моя ", is_hit=False),
        Part("Посылка", is_hit=True),
        Part("? ", is_hit=False),
        Part("Посылки", is_hit=True),
        Part(" нет", is_hit=False),
    ]


def test_of_a_long_text_what_stands_around_the_first_hit_is_shown() -> None:
    parts = excerpt("word " * 500 + "Here it is" + " word" * 500, ["here"])
    assert [part.text for part in parts if part.is_hit] == ["Here"]
    assert (parts[0].text, parts[-1].text[-1]) == ("…", "…")
    assert sum(len(part.text) for part in parts) == EXCERPT + 2


def test_a_text_without_a_hit_is_shown_from_its_beginning() -> None:
    assert excerpt("<b>Hello</b>", ["no"]) == [Part("<b>Hello</b>", is_hit=False)]


def test_behind_the_excerpt_a_long_text_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def look(piece: str, words: list[str]) -> bool:
        looked_at.append(piece)
        return piece in words

    monkeypatch.setattr(rules, "_is_hit", look)
    rules.excerpt("hit " * 1000, ["hit"])
    assert len(looked_at) <= rules.EXCERPT
