"""Signed tokens."""

import hashlib
from datetime import timedelta

import pytest
from itsdangerous import Signer, URLSafeTimedSerializer

from support_api.services.tokens import Tokens, new_session_id, session_hash

VISITOR = "0123456789abcdef" * 2


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(["new key", "old key"])


def test_a_visitors_token_is_read_back(tokens: Tokens) -> None:
    assert tokens.read_visitor(tokens.sign_visitor(VISITOR)) == VISITOR


def test_a_session_token_is_read_back(tokens: Tokens) -> None:
    assert tokens.read_session(tokens.sign_session(VISITOR)) == VISITOR


def test_a_token_of_one_purpose_is_nothing_for_the_other(tokens: Tokens) -> None:
    assert tokens.read_session(tokens.sign_visitor(VISITOR)) is None
    assert tokens.read_visitor(tokens.sign_session(VISITOR)) is None


def test_a_token_signed_with_an_older_key_is_still_read(tokens: Tokens) -> None:
    assert tokens.read_visitor(Tokens(["old key"]).sign_visitor(VISITOR)) == VISITOR


def test_the_first_key_signs(tokens: Tokens) -> None:
    assert Tokens(["new key"]).read_visitor(tokens.sign_visitor(VISITOR)) == VISITOR
    assert Tokens(["old key"]).read_visitor(tokens.sign_visitor(VISITOR)) is None


def test_a_token_of_a_removed_key_is_refused(tokens: Tokens) -> None:
    assert tokens.read_visitor(Tokens(["gone"]).sign_visitor(VISITOR)) is None


def test_a_token_that_is_too_old_is_refused() -> None:
    tokens = Tokens(["key"], visitor_max_age=timedelta(seconds=-1), operator_max_age=timedelta(seconds=-1))
    assert tokens.read_visitor(tokens.sign_visitor(VISITOR)) is None
    assert tokens.read_session(tokens.sign_session(VISITOR)) is None


@pytest.mark.parametrize("kind", ["visitor", "session"])
def test_a_token_with_any_character_changed_is_refused(tokens: Tokens, kind: str) -> None:
    sign, read = {
        "visitor": (tokens.sign_visitor, tokens.read_visitor),
        "session": (tokens.sign_session, tokens.read_session),
    }[kind]
    token = sign(VISITOR)
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        # The last base64 character of a signature holds unused bits: another spelling of the same bytes is no forgery.
        assert read(changed) is None or place == len(token) - 1
    assert read(token[:-1]) is None


@pytest.mark.parametrize("token", ["", ".", "..", VISITOR, "x" * 10_000, "жук", "\udc80", "a.b.c"])
def test_what_is_no_token_is_refused(tokens: Tokens, token: str) -> None:
    assert tokens.read_visitor(token) is None
    assert tokens.read_session(token) is None


def test_a_genuine_signature_over_something_else_than_an_id_is_refused(tokens: Tokens) -> None:
    for value in ("short", "Z" * 32, "a" * 33):
        assert tokens.read_visitor(tokens.sign_visitor(value)) is None


def test_the_keys_of_a_purpose_are_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, old = Tokens(["new key", "old key"]), Tokens(["old key"])
    made, before = tokens.sign_visitor(VISITOR), old.sign_visitor(VISITOR)
    monkeypatch.setattr(Signer, "derive_key", lambda *_: pytest.fail("a key was derived again"))
    assert tokens.read_visitor(made) == tokens.read_visitor(before) == VISITOR
    assert tokens.read_visitor(tokens.sign_visitor(VISITOR)) == VISITOR


def test_tokens_are_those_of_itsdangerous_so_that_earlier_ones_go_on_counting(tokens: Tokens) -> None:
    kinds = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    plain = URLSafeTimedSerializer(["old key", "new key"], salt="pushdesk.visitor.v1", signer_kwargs=kinds)
    assert tokens.read_visitor(str(plain.dumps(VISITOR))) == VISITOR
    assert plain.loads(tokens.sign_visitor(VISITOR)) == VISITOR


def test_ids_are_random_and_of_the_right_shape() -> None:
    tokens = Tokens(["key"])
    ids = {tokens.visitor_of_create(None) for _ in range(50)} | {new_session_id() for _ in range(50)}
    assert len(ids) == 100
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


def test_a_repeated_create_is_the_same_visitor_under_the_same_key_only() -> None:
    client_id = "c" * 36
    assert Tokens(["key"]).visitor_of_create(client_id) == Tokens(["key", "old"]).visitor_of_create(client_id)
    assert Tokens(["key"]).visitor_of_create(client_id) != Tokens(["other"]).visitor_of_create(client_id)
    assert Tokens(["key"]).visitor_of_create(client_id) != Tokens(["key"]).visitor_of_create("d" * 36)


def test_a_session_is_stored_under_a_hash() -> None:
    assert session_hash(VISITOR) != VISITOR
    assert len(session_hash(VISITOR)) == 64
