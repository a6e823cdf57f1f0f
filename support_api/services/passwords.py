"""Operators' passwords: argon2id hashes, made and checked off the event loop. Must not know operators or the database."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from support_api.errors import LoginsBusy

# Characters of the shortest password that an operator may get.
MIN_PASSWORD: Final = 8

# Characters of the longest password that is looked at.
MAX_PASSWORD: Final = 1024

# Hashes computed at the same time; each takes tens of megabytes, so a flood of log-ins must queue here.
AT_ONCE: Final = 2

# Checks that wait for their turn at most, about a second of work; more are refused at once.
WAITING: Final = 10


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._in_hand = 0
        # A real hash with the same parameters: checking against it costs what checking against an operator's does.
        self._nobody = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """The hash to store."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password belongs to the hash. Without a hash (nobody has this e-mail): False, after as much work.

        Raises `LoginsBusy`.
        """
        if self._in_hand >= AT_ONCE + WAITING:
            raise LoginsBusy
        self._in_hand += 1
        try:
            async with self._turn:
                found = await asyncio.to_thread(self._check, password_hash or self._nobody, password)
        finally:
            self._in_hand -= 1
        return found and bool(password_hash)

    def _check(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
