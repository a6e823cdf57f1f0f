"""Work that goes on beside a block of code."""

import asyncio

import pytest

from support_api.delivery.background import in_background


async def test_the_work_goes_on_while_the_block_runs_and_ends_with_it() -> None:
    has_begun = asyncio.Event()

    async def work() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    async with in_background(work(), "work") as task:
        await has_begun.wait()
        assert (task.get_name(), task.done()) == ("work", False)
    assert task.cancelled()


async def test_work_that_fails_is_told_where_the_block_ends() -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        async with in_background(work(), "work") as task:
            await asyncio.wait([task])
