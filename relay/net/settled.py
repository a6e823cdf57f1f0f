"""What comes later, for a task: the bridge from relay.wire.later to asyncio."""

import asyncio
from typing import TypeVar

from relay.wire.later import PATIENCE, Later

T = TypeVar("T")


async def settled(later: Later[T]) -> T:
    """The value when it has come. Raises what came in its place: TooLate after PATIENCE."""
    come = asyncio.Event()
    expiry = asyncio.get_running_loop().call_later(PATIENCE, later.give_up)
    later.watch(lambda _: come.set())
    try:
        await come.wait()
    finally:
        expiry.cancel()
        later.forget()
    return later.get()
