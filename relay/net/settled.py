"""What comes later, for a task: the bridge from relay.wire.later to asyncio."""

import asyncio
from typing import TypeVar

from relay.wire.later import PATIENCE, Later

T = TypeVar("T")


async def settled(later: Later[T]) -> T:
    """The value when it has come. Raises what came in its place: TooLate after PATIENCE."""
    loop = asyncio.get_running_loop()
    come = loop.create_future()
    expiry = loop.call_later(PATIENCE, later.give_up)
    later.watch(come.set_result)
    try:
        await come
    finally:
        expiry.cancel()
        later.forget()
    return later.get()
