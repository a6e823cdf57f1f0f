"""Password hashes."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from support_api.errors import LoginsBusy
from support_api.services.passwords import AT_ONCE, WAITING, Passwords


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


async def test_only_a_few_checks_wait_for_their_turn_and_more_are_refused_at_once(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    passwords = Passwords(hasher)
    hashed = await passwords.hash("right")
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, hashed: str, password: str) -> bool:
        go_on.wait(10)
        return bool(real(self, hashed, password))

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    checks = [asyncio.create_task(passwords.matches(hashed, "wrong")) for _ in range(AT_ONCE + WAITING)]
    try:
        await asyncio.sleep(0)
        with pytest.raises(LoginsBusy) as caught:
            await passwords.matches(hashed, "right")
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
        assert "log-ins" in str(caught.value)
        checks.pop().cancel()
        await asyncio.sleep(0)
        late = asyncio.create_task(passwords.matches(hashed, "right"))
    finally:
        go_on.set()
    assert await late
    assert await asyncio.gather(*checks) == [False] * (AT_ONCE + WAITING - 1)
