"""What only one of several processes does, for as long as it holds the lease of that name.

Whoever holds it renews it; a process that is killed loses it when it runs out, or at the next try of another on its machine.
One that hung for longer sees by its own clock, which counts from before each renewal, that it is no longer sure of it. Why it
is so: docs/decisions/0030-postgresql.md.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import structlog
from msgspec import Struct

from support_api.delivery.background import in_background
from support_api.errors import StoreUnavailable

_log = structlog.get_logger("support_api.lease")


class LeasePace(Struct, frozen=True):
    """Times in seconds: for how long a lease is taken, how often it is renewed or tried for, and how much earlier than the
    others its holder stops to count on it."""

    lasts: float = 10.0
    renewal: float = 3.0
    margin: float = 1.0


class Store(Protocol):
    """Where leases are."""

    async def take(self, name: str, holder: str, seconds: float, has_ended: Callable[[str], bool]) -> bool:
        """Take or renew a lease; False: another process has it."""

    async def give_back(self, name: str, holder: str) -> None:
        """Let another process take it at once."""


class Lease:
    """One lease, as one process tries for it and holds it. `given_back` is set when another process gave it back."""

    def __init__(
        self,
        store: Store,
        name: str,
        holder: str,
        given_back: asyncio.Event,
        on_taken: Callable[[], None] = lambda: None,
        pace: LeasePace | None = None,
    ) -> None:
        self._store = store
        self._name = name
        self._holder = holder
        self._given_back = given_back
        self._on_taken = on_taken
        self._pace = pace or LeasePace()
        self._sure_until = 0.0

    @property
    def is_held(self) -> bool:
        """Whether this process may do it now."""
        return asyncio.get_running_loop().time() < self._sure_until

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Try for it, and renew it, while the block runs; give it back at the end."""
        try:
            async with in_background(self._run(), f"lease-{self._name}"):
                yield
        finally:
            if self._sure_until:
                with suppress(StoreUnavailable):  # it runs out by itself
                    await self._store.give_back(self._name, self._holder)

    async def _run(self) -> None:
        while True:
            try:
                await self._try()
            except StoreUnavailable as error:
                _log.warning("lease_not_renewed", name=self._name, reason=str(error))
            except Exception:
                _log.exception("lease_has_a_bug", name=self._name)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.renewal):
                    await self._given_back.wait()

    async def _try(self) -> None:
        self._given_back.clear()
        had_it, asked_at = self.is_held, asyncio.get_running_loop().time()
        has_it = await self._store.take(self._name, self._holder, self._pace.lasts, has_ended)
        self._sure_until = asked_at + self._pace.lasts - self._pace.margin if has_it else 0.0
        if has_it and not had_it:
            _log.info("lease_taken", name=self._name)
            self._on_taken()
        elif had_it and not has_it:
            _log.warning("lease_lost", name=self._name)


def new_holder() -> str:
    """A name for this process: where it runs, its number there, and what no other has."""
    return f"{_place()}-{os.getpid()}-{secrets.token_hex(4)}"


def has_ended(holder: str) -> bool:
    """Whether this was a process on this machine (and in this container) that is no more. In doubt: no."""
    place, _, rest = holder.partition("-")
    number = rest.partition("-")[0]
    if not place or place != _place() or not number.isascii() or not number.isdigit():
        return False
    return not Path(f"/proc/{number}").exists()


def _place() -> str:
    """The machine since its start, and where in it processes have their numbers from; empty: not known."""
    try:
        boot = _BOOT.read_text("ascii")
        numbers = _NUMBERS.stat().st_ino
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{numbers}".encode()).hexdigest()[:16]


_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NUMBERS: Final = Path("/proc/self/ns/pid")


class Always:
    """Held all the time: where there is one process."""

    is_held = True
