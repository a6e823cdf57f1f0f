"""Work that goes on beside a block of code, and ends with it. Must not know what the work is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

import structlog

from support_api.errors import StoreUnavailable

_log = structlog.get_logger("support_api.background")


@asynccontextmanager
async def in_background(work: Coroutine[None, None, None], name: str) -> AsyncIterator[asyncio.Task[None]]:
    """Run `work` in a task of that name while the block runs; at its end the task is cancelled and awaited."""
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def repeating(look: Callable[[], Awaitable[object]], interval: float, name: str) -> AsyncIterator[None]:
    """Look every `interval` seconds while the block runs; what goes wrong is logged, and the next look comes in its turn."""
    async with in_background(_repeat(look, interval, name), name):
        yield


async def _repeat(look: Callable[[], Awaitable[object]], interval: float, name: str) -> None:
    while True:
        await asyncio.sleep(interval)
        try:
            await look()
        except StoreUnavailable as error:
            _log.warning("look_put_off", work=name, reason=str(error))
        except Exception:
            _log.exception("look_has_a_bug", work=name)
