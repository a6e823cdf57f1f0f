import asyncio

import pytest

from relay.net import settled as module
from relay.net.settled import settled
from relay.wire.later import Later, TooLate


async def test_a_task_gets_what_comes_later() -> None:
    later = Later[int]()
    task = asyncio.ensure_future(settled(later))
    await asyncio.sleep(0)
    assert not task.done()
    later.settle(7)
    assert await task == 7


async def test_what_has_come_is_there_at_once() -> None:
    later = Later[int]()
    later.settle(7)
    assert await settled(later) == 7


async def test_an_exception_that_came_in_its_place_is_raised() -> None:
    later = Later[int]()
    later.fail(KeyError("x"))
    with pytest.raises(KeyError):
        await settled(later)


async def test_it_is_waited_for_with_patience_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    later = Later[int]()
    with pytest.raises(TooLate):
        await settled(later)
    later.settle(7)


async def test_a_task_that_ends_is_not_waited_for() -> None:
    later = Later[int]()
    task = asyncio.ensure_future(settled(later))
    await asyncio.sleep(0)
    task.cancel()
    later.settle(7)
    with pytest.raises(asyncio.CancelledError):
        await task
