"""Password hashes."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from support_api.passwords import Passwords


@pytest.fixture
def passwords(hasher: PasswordHasher) -> Passwords:
    return Passwords(hasher)


async def test_the_right_password_matches_and_a_wrong_one_does_not(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct")
    assert hashed.startswith("$argon2id$")
    assert await passwords.matches(hashed, "correct")
    assert not await passwords.matches(hashed, "Correct")


async def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert await passwords.hash("same") != await passwords.hash("same")


async def test_nothing_matches_where_nobody_has_the_email_though_a_hash_is_computed(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, hashed: str, password: str) -> bool:
        checked.append(hashed)
        return bool(real(self, hashed, password))

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    passwords = Passwords(hasher)
    assert not await passwords.matches(None, "nobody's password")
    assert len(checked) == 1


async def test_a_stored_text_that_is_no_hash_matches_nothing(passwords: Passwords) -> None:
    assert not await passwords.matches("not a hash", "anything")
